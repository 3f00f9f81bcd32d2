"""The one place that loads Keras: with its backend chosen, its start kept quiet, and the import timed."""

import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from grubench import backends
from grubench.engine.base import Engine
from grubench.errors import UsageError

if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = backends.chosen()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# So that asking for a GPU starts nothing that would not survive a fork:
# https://docs.pytorch.org/docs/stable/generated/torch.cuda.is_available.html
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
# So that JAX takes a GPU's memory as it needs it: https://docs.jax.dev/en/latest/gpu_memory_allocation.html
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what a backend's C++ code writes to standard error, and show it if the block fails.

    TensorFlow's first lines come before it has read TF_CPP_MIN_LOG_LEVEL, so the file descriptor has to be turned.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _without_tensorflow() -> None:
    """Have Keras on another backend not look whether TensorFlow is there: looking loads it, for seconds and nothing."""
    from keras.src.utils import module_utils

    for name in ("tensorflow", "gfile"):
        if hasattr(module_utils, name):
            getattr(module_utils, name)._available = False


_started = time.perf_counter()

with quiet_stderr():
    # Nothing of a backend may run here: a fork server imports this module, and CUDA does not survive a fork.
    import keras

    _backend = keras.config.backend()
    if _backend != backends.chosen():
        raise UsageError(
            f"Keras was loaded with the backend {_backend} before grubench, which is to train with "
            f"{backends.chosen()}.",
            "Start a new process.",
        )
    if _backend != "tensorflow":
        _without_tensorflow()
    ENGINE: Engine = importlib.import_module(f"grubench.engine.{_backend}").ENGINE

IMPORT_S = time.perf_counter() - _started

__all__ = ["ENGINE", "IMPORT_S", "keras", "quiet_stderr"]
