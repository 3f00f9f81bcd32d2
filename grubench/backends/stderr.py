"""The descriptors of the standard streams: open, and quiet while C++ code starts."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_standard_streams() -> None:
    """Have standard input, output and error open, so that no file takes their numbers.

    An output that was closed becomes one that cannot be written, as it was.
    """
    for descriptor, access in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, access)  # the lowest number that is free: this one


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what a backend's C++ code writes to standard error, and show it if the block fails.

    TensorFlow's first lines come before it has read TF_CPP_MIN_LOG_LEVEL, so the file descriptor has to be turned.
    """
    open_standard_streams()
    if sys.stderr is not None:
        sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            file.seek(0)
            with suppress(OSError):  # it is full or closed: what went wrong is raised all the same
                os.write(original, file.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
