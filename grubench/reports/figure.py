"""Figures: what matplotlib brings to draw them, and how they are saved, with their texts as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.backends.matplotlib_import import import_matplotlib
from grubench.errors import RunError
from grubench.runs import atomic
from grubench.text import write_on_one_line

import_matplotlib()

from matplotlib.axes import Axes  # noqa: E402 (its own import comes first)
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.text import Text  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogFormatter, MaxNLocator, NullLocator  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

# A longer text would leave the picture.
MAX_CHARACTERS = 120

__all__ = [
    "AutoDateLocator",
    "Axes",
    "ConciseDateFormatter",
    "Figure",
    "FuncFormatter",
    "LogFormatter",
    "MaxNLocator",
    "NullLocator",
    "save",
]


def save(figure: Figure, path: Path) -> Path:
    """Write a picture, atomically; the ending says PNG or SVG.

    Raises:
        RunError: It cannot be written.
    """
    _set_plain_texts(figure)
    try:
        with atomic.write_file(path) as temporary:
            figure.savefig(temporary, dpi=150)
    except ValueError as error:
        raise RunError(
            f"The picture {path} could not be written: {error}", "Give a path ending in .png or .svg."
        ) from error
    return path


def _set_plain_texts(figure: Figure) -> None:
    """Take titles, labels and legends as text: a name in them is no formula and no LaTeX.

    The numbers at the axes stay as they are: matplotlib writes powers of ten as formulas.
    """
    axes = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    numbers = {id(number) for axis in axes for number in axis.get_ticklabels(which="both")}
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in numbers:
            line = write_on_one_line(text.get_text())
            short = line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}..."
            text.set(parse_math=False, usetex=False, text=short)
