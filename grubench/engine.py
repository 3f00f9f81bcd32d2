"""The one place that imports Keras: with its engine chosen, TensorFlow's start kept quiet, and the import timed."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from grubench.errors import UsageError

if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what TensorFlow's C++ code writes to standard error, and show it if the block fails.

    Its first lines come before it has read TF_CPP_MIN_LOG_LEVEL, so the file descriptor has to be turned.
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


_started = time.perf_counter()

with quiet_stderr():
    # Nothing of TensorFlow may run here: a fork server imports this module, and CUDA does not survive a fork.
    import keras
    import tensorflow as tf

if keras.config.backend() != "tensorflow":
    raise UsageError(
        f"Keras was loaded with the backend {keras.config.backend()}; grubench trains with tensorflow.",
        "Import grubench first, or start a new process.",
    )

IMPORT_S = time.perf_counter() - _started

__all__ = ["IMPORT_S", "keras", "quiet_stderr", "tf"]
