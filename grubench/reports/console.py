"""The terminal: what comes from data, files and runs is text there, and steers nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import rich.console
from rich.segment import Segment

from grubench.text import escape_control_characters, escape_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def share_one_place() -> bool:
    """Whether standard output and standard error go to one terminal or file, and are read one after the other."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or no file
        return False


class Console(rich.console.Console):
    """A console that writes control characters out, and takes no markup from a text.

    Args:
        stderr: Whether it writes to standard error, as progress and errors do.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def print_path(self, label: str, path: Path | str) -> None:
        """Print where something lies, or what to call, in one line however long it is."""
        self.print(f"{label} {escape_name(path)}", highlight=False, soft_wrap=True)

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of what is shown; Rich's own control codes are segments of another kind."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escape_control_characters(segment.text), segment.style)
