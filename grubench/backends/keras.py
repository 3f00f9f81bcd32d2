"""The one place that loads Keras: with its backend chosen, its start kept quiet, and the import timed."""

import importlib
import os
import sys
import time

from grubench.backends import private_api, registry
from grubench.backends.base import Backend
from grubench.backends.stderr import quiet_stderr
from grubench.errors import UsageError

if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = registry.chosen()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# So that asking for a GPU starts nothing that would not survive a fork:
# https://docs.pytorch.org/docs/stable/generated/torch.cuda.is_available.html
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
# So that JAX takes a GPU's memory as it needs it: https://docs.jax.dev/en/latest/gpu_memory_allocation.html
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


_started = time.perf_counter()

with quiet_stderr():
    # Nothing of a backend may run here: a fork server imports this module, and CUDA does not survive a fork.
    import keras

    _backend = keras.config.backend()
    if _backend != registry.chosen():
        raise UsageError(
            f"Keras was loaded with the backend {_backend} before grubench, which is to train with "
            f"{registry.chosen()}.",
            "Start a new process.",
        )
    if _backend != "tensorflow":
        private_api.prevent_tensorflow_import()
    BACKEND: Backend = importlib.import_module(f"grubench.backends.{_backend}").BACKEND

IMPORT_S = time.perf_counter() - _started

__all__ = ["BACKEND", "IMPORT_S", "keras"]
