"""Keras's backends: which are installed, which one this process has, and how to get another."""

from __future__ import annotations

import importlib.util
import os
import sys

from grubench.errors import UsageError
from grubench.spec.backends import BACKENDS

# How the process that trials are forked from is told its backend; KERAS_BACKEND may be set for other work.
VARIABLE = "GRUBENCH_BACKEND"


def installed(backend: str) -> bool:
    """Whether a backend's package can be found; it is not loaded."""
    return importlib.util.find_spec(backend) is not None


def check_installed(backend: str) -> None:
    """Refuse a backend that is none of Keras's, or is not installed.

    Raises:
        UsageError: There is none of that name; or it is not there, with what installs it.
    """
    if backend not in BACKENDS:
        raise UsageError(f"--backend: there is no backend {backend!r}.", f"There are: {', '.join(BACKENDS)}.")
    if installed(backend):
        return
    there = [one for one in BACKENDS if installed(one)]
    use = f", or use --backend {there[0]}" if there else ""
    raise UsageError(
        f"training.backend: {backend} is not installed.",
        f"Install it with: pip install '{BACKENDS[backend].requirement}'{use}.",
    )


def loaded() -> str:
    """The backend that Keras has in this process; empty where Keras is not loaded."""
    keras = sys.modules.get("keras")
    return str(keras.config.backend()) if keras is not None and hasattr(keras, "config") else ""


def chosen() -> str:
    """The backend that this process is to load."""
    return os.environ.get(VARIABLE, "tensorflow")


def choose(backend: str) -> None:
    """Have this process use a backend, before anything loads Keras; harmless to call again.

    Raises:
        UsageError: It is not installed, or Keras is loaded with another.
    """
    check_installed(backend)
    there = loaded()
    if there not in ("", backend):
        raise UsageError(
            f"training.backend: {backend} was asked for, and Keras has loaded {there}: a process has one backend.",
            "Leave out --in-process, or start a new process.",
        )
    os.environ[VARIABLE] = backend
