"""Standard error kept quiet while C++ code starts, and shown where that fails."""

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
