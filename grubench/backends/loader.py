"""Loads Keras with the backend of this process: nothing else does, and nothing is loaded before it is asked for.

Modules that need Keras say `import keras` and ask `backend()` for what differs between backends. Whoever starts a
process for a trial calls `start` before it imports them.
"""

from __future__ import annotations

import importlib
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from grubench.backends import keras_config, private_api, registry
from grubench.backends.matplotlib_import import import_matplotlib
from grubench.backends.stderr import quiet_stderr

if TYPE_CHECKING:
    from grubench.backends.base import Backend


@dataclass(frozen=True)
class _Loaded:
    backend: Backend
    import_s: float


def start(name: str) -> Backend:
    """Load Keras with a backend; harmless to call again.

    Args:
        name: The backend.

    Raises:
        UsageError: It is not installed, or Keras is loaded with another.
    """
    registry.choose(name)
    return backend()


def backend() -> Backend:
    """The backend of this process: the one that `registry.choose` was given, or else TensorFlow.

    The first call loads Keras, where nothing has loaded it yet.

    Raises:
        UsageError: It is not installed, something has loaded Keras with another backend, or keras.json is not valid.
    """
    return _load().backend


def import_s() -> float:
    """Seconds that it took to load Keras and its backend; close to 0 where something had loaded them before."""
    return _load().import_s


@cache
def _load() -> _Loaded:
    name = registry.chosen()
    registry.choose(name)
    registry.set_load_variables(name)
    started = time.perf_counter()
    # Nothing of the backend may run here: trials are forked from a process that has called this, and CUDA does not
    # survive a fork.
    # Where standard error is a log, nothing is held back: it would be lost with a process that crashes here.
    with nullcontext() if registry.LOG_VARIABLE in os.environ else quiet_stderr():
        import_matplotlib()
        _import_keras()
        if name != "tensorflow":
            private_api.prevent_tensorflow_import()
        loaded: Backend = importlib.import_module(f"grubench.backends.{name}").BACKEND
    return _Loaded(loaded, time.perf_counter() - started)


def _import_keras() -> None:
    try:
        with keras_config.ignore_limits():
            importlib.import_module("keras")
    except Exception as error:
        bad_file = keras_config.explain(error)
        if bad_file:
            raise bad_file from error
        raise
    keras_config.reset()
