"""Loads Keras with the backend of this process: nothing else does, and nothing is loaded before it is asked for.

Modules that need Keras say `import keras` and ask `backend()` for what differs between backends. Whoever starts a
process for a trial calls `start` before it imports them.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from grubench.backends import private_api, registry
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
        UsageError: It is not installed, or something has loaded Keras with another backend.
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
    with quiet_stderr():
        import_matplotlib()
        importlib.import_module("keras")
        if name != "tensorflow":
            private_api.prevent_tensorflow_import()
        loaded: Backend = importlib.import_module(f"grubench.backends.{name}").BACKEND
    return _Loaded(loaded, time.perf_counter() - started)
