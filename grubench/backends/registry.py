"""Keras's backends: which are installed, which one this process has, and how to get another."""

from __future__ import annotations

import importlib.util
import os
import sys

from grubench.errors import UsageError
from grubench.spec.backends import BACKENDS

# How the process that trials are forked from is told its backend; KERAS_BACKEND may be set for other work.
VARIABLE = "GRUBENCH_BACKEND"
# Set where the standard error of a process goes to a file of grubench's own.
LOG_VARIABLE = "GRUBENCH_LOG"
# What Keras itself reads when it is loaded.
KERAS_VARIABLE = "KERAS_BACKEND"
# What the backends read when they are loaded, unless the user has set it.
DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Asking for a GPU then starts nothing that would not survive a fork:
    # https://docs.pytorch.org/docs/stable/generated/torch.cuda.is_available.html
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # JAX then takes a GPU's memory as it needs it: https://docs.jax.dev/en/latest/gpu_memory_allocation.html
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}


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
    others = [name for name in BACKENDS if installed(name)]
    use = f", or use --backend {others[0]}" if others else ""
    raise UsageError(
        f"training.backend: {backend} is not installed.",
        f"Install it with: pip install {BACKENDS[backend].requirement}{use}.",
    )


def loaded() -> str:
    """The backend that Keras has in this process; empty where Keras is not loaded."""
    keras = sys.modules.get("keras")
    return str(keras.config.backend()) if keras is not None and hasattr(keras, "config") else ""


def chosen() -> str:
    """The backend that this process is to load."""
    return os.environ.get(VARIABLE, "tensorflow")


def choose(backend: str) -> None:
    """Say which backend `loader` is to load in this process; harmless to call again.

    Nothing is loaded here, and of the environment only a variable of grubench's own is set.

    Raises:
        UsageError: It is not installed, or Keras is loaded with another.
    """
    check_installed(backend)
    other = loaded()
    if other not in ("", backend):
        raise UsageError(
            f"training.backend: {backend} was asked for, and Keras has loaded {other}: a process has one backend.",
            "Leave out --in-process, or start a new process.",
        )
    os.environ[VARIABLE] = backend


def set_load_variables(backend: str) -> None:
    """Set what Keras and its backends read from the environment when they are loaded."""
    os.environ[KERAS_VARIABLE] = backend
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
