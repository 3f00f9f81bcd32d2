"""The precision of a trial, for as long as it is needed: what was set before is set again afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import keras

from grubench.backends.loader import backend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from grubench.spec.experiment import Experiment


def uses_tf32(spec: Experiment) -> AbstractContextManager[None]:
    """Whether a card's matrix products round to TF32, as the spec says: around all that computes with a model."""
    return backend().tf32(on=spec.training.precision == "tf32")


@contextmanager
def layer_precision(spec: Experiment) -> Iterator[None]:
    """The dtype policy of the spec's layers: around the building of a model, whose layers keep it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if spec.training.precision == "tf32" else spec.training.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
