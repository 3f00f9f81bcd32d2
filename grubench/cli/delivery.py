"""What follows a result that is kept: views and files, each on its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from grubench.cli.command import show_error
from grubench.errors import GrubenchError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Delivery:
    """Runs steps of which each can fail alone, and says at the end which did."""

    def __init__(self) -> None:
        self._failures: list[tuple[RunError, Exception]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Run a step; its failure is kept for the end.

        Args:
            name: What it shows or writes.
        """
        try:
            yield
        except GrubenchError as error:
            is_named = name in error.message
            self._keep(error.message if is_named else f"{name} could not be made: {error.message}", error.remedy, error)
        except Exception as error:  # a bug in one view must not lose the others
            message = f"{name} could not be made: {type(error).__name__}: {error}"
            is_bug = not isinstance(error, OSError | MemoryError)
            remedy = "This is a bug in grubench; --debug shows where it happened." if is_bug else "Try again."
            self._keep(message, remedy, error)

    def _keep(self, message: str, remedy: str, cause: Exception) -> None:
        self._failures.append((RunError(message, remedy), cause))

    def finish(self, exit_code: int = 1) -> None:
        """Say which steps failed; nothing where all went well.

        Args:
            exit_code: The exit code where one failed.

        Raises:
            RunError: The last failure; the others are shown before.
        """
        if not self._failures:
            return
        *others, (last, cause) = self._failures
        for error, _ in others:
            show_error(error.message, error.remedy)
        last.exit_code = exit_code
        raise last from cause
