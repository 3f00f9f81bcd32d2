"""Keep standard error quiet while C++ code starts, and show it where that fails."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what a backend's C++ code writes to standard error, and show it if the block fails.

    TensorFlow's first lines come before it has read TF_CPP_MIN_LOG_LEVEL, so the file descriptor has to be turned.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            file.seek(0)
            os.write(original, file.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
