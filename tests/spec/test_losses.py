"""The records of losses, against formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from grubench.spec.losses import LOSSES

if TYPE_CHECKING:
    from types import ModuleType

ERRORS = np.array([[0.5, -3.0, 0.0]], np.float32)
FORMULAS = {
    "mse": np.square(ERRORS),
    "mae": np.abs(ERRORS),
    "huber": np.where(np.abs(ERRORS) <= 1, np.square(ERRORS) / 2, np.abs(ERRORS) - 0.5),
    "log_cosh": np.log(np.cosh(ERRORS)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_keras_knows_the_loss_by_its_identifier(keras: ModuleType, name: str) -> None:
    loss = keras.losses.get(LOSSES[name].identifier)
    assert float(loss(np.zeros_like(ERRORS), ERRORS)[0]) == pytest.approx(FORMULAS[name].mean(), rel=1e-5)
