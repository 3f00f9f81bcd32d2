"""The records of optimizers, against Keras's own classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from grubench.spec.optimizers import OPTIMIZERS, Optimizer

if TYPE_CHECKING:
    from types import ModuleType


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=lambda optimizer: optimizer.name)
def test_the_learning_rate_is_keras_default(keras: ModuleType, optimizer: Optimizer) -> None:
    theirs = getattr(keras.optimizers, optimizer.keras_class)()
    assert float(theirs.learning_rate) == pytest.approx(optimizer.learning_rate)
    assert OPTIMIZERS[optimizer.name] is optimizer
