"""Keras's own configuration: what a user's keras.json says for other work must not decide a trial, which has a spec."""

from __future__ import annotations

import importlib
import os
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from grubench.errors import UsageError
from grubench.text import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME_VARIABLE = "KERAS_HOME"
# They end every training early: https://keras.io/api/utils/config_utils/
LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
# What every backend's results are meant with.
FLOAT, EPSILON = "float32", 1e-7


@contextmanager
def ignore_limits() -> Iterator[None]:
    """Load Keras without its limits from the environment."""
    limits = {name: os.environ.pop(name) for name in LIMITS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(limits)


def reset() -> None:
    """Set what keras.json may have changed to Keras's own defaults."""
    config = importlib.import_module("keras").config
    config.set_floatx(FLOAT)
    config.set_epsilon(EPSILON)


def explain(error: Exception) -> UsageError | None:
    """What to do about keras.json where it is what ended the loading of Keras; None where it is not."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    if Path(place.filename).parts[-4:] != ("keras", "src", "backend", "config.py"):
        return None
    home = Path(os.environ.get(HOME_VARIABLE) or "~/.keras").expanduser()
    return UsageError(
        f"{home / 'keras.json'} is not a configuration that Keras can use: {list_names([error])}", "Fix or remove it."
    )
