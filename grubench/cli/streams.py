"""The standard streams: one that is full or closed loses its text, and nothing else."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from grubench.backends.stderr import open_standard_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a shell reports for a program whose reader has gone, such as `head`.
PIPE_CLOSED = 141


class Stream:
    """A text stream whose first failure is kept, and after which what is written to it is dropped.

    Args:
        stream: The stream.

    Attributes:
        error: Its first failure.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Lead the stream nowhere: what it has buffered is written when Python ends, too."""
        self.error = self.error or error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)


@contextmanager
def guard_streams() -> Iterator[None]:
    """Run a command to its end whatever becomes of its standard streams.

    Afterwards an error says that standard output could not be written, and the exit code says it where it is 0 so far.
    A reader that has gone is told nothing. A closed stream is opened, so that no file takes its number.
    """
    open_standard_streams()
    before = sys.stdout, sys.stderr
    output = Stream(before[0] or _open_stream(1))
    sys.stdout, sys.stderr = output, Stream(before[1] or _open_stream(2))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # an old encoding must not end a training
    try:
        yield
    except SystemExit as end:
        output.flush()
        if output.error is None:
            raise
        exit_code = _report(output.error)
        raise SystemExit(end.code or exit_code) from None


def _open_stream(descriptor: int) -> IO[str]:
    return open(descriptor, "w", encoding="utf-8", closefd=False)


def _report(error: OSError) -> int:
    """Say what went wrong with standard output; the exit code."""
    from grubench.cli.command import show_error

    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    show_error(
        f"Standard output could not be written: {error.strerror or error}.",
        "What was to be shown is lost; files are not affected.",
    )
    return 1
