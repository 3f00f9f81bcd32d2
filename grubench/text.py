"""Text helpers: how values and names stand in messages, and what a terminal must not be sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

# TOML's whole numbers have 64 bits; Python's have no end, and beyond 4,300 digits cannot be shown.
LARGEST_WHOLE = 2**63 - 1
# Data beyond this are no measurement, and the squares of their errors would leave float64.
LARGEST_VALUE = 1e100
# What steers a terminal: control characters but a tab and the end of a line.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What is written out wherever a text is shown: those, separators of lines, what turns the direction of writing (a text
# would not read as it is stored), and the bytes of a path that are no UTF-8.
UNSHOWN = re.compile(r"[\u061c\u200e\u200f\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# What has no place in a name either: tabs, the ends of lines, and halves of characters (bytes that are not UTF-8).
UNRECORDABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
# What a message shows of a value, and of how many values.
SHOWN_LETTERS = 120
SHOWN_VALUES = 20


def exists(path: Path) -> bool:
    """Whether there is something at a path; a name that is too long or has a NUL in it leads nowhere."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that is too long to be one is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def quote(value: object) -> str:
    """A value as a message shows it: a long one is cut, whatever it is."""
    if isinstance(value, list | tuple | dict) and len(value) > SHOWN_VALUES:
        return f"a {type(value).__name__} of {len(value):,}"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number too long to write, lists in lists without end
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."


def has_control_characters(text: str) -> bool:
    """Whether a text holds control characters, which would steer the terminal that shows it."""
    return STEERING.search(text) is not None


def escape_control_characters(text: str) -> str:
    """A text with its control characters written out, but for tabs and the ends of lines."""
    return UNSHOWN.sub(lambda match: repr(match[0])[1:-1], text)


def escape_name(name: object) -> str:
    """A name or a path as it stands in a line: tabs and ends of lines are written out, too."""
    return escape_control_characters(str(name)).replace("\n", r"\n").replace("\t", r"\t")


def write_on_one_line(text: str) -> str:
    """A text without what would end its line: each run of blanks is a space, and control characters are written out."""
    return escape_control_characters(" ".join(text.split()))


def is_recordable(text: str) -> bool:
    """Whether a name can stand in files as it is: without control characters, line ends, and bytes that are no text.

    Python shows a byte of a file's name that is not UTF-8 as half a character, which no file can hold.
    """
    return UNRECORDABLE.search(text) is None


def is_utf8(text: str) -> bool:
    """Whether a text has no half of a character, as which Python shows a byte of an argument that is not UTF-8."""
    return HALF_CHARACTER.search(text) is None


def list_names(names: Iterable[object]) -> str:
    """Names as a message lists them: long ones are cut, and of very many only the first are shown."""
    every = list(names)
    texts = [str(name) for name in every[:SHOWN_VALUES]]
    cut = [text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..." for text in texts]
    more = [f"and {len(every) - SHOWN_VALUES:,} more"] if len(every) > SHOWN_VALUES else []
    return ", ".join([*cut, *more])


def join_or(names: Iterable[str]) -> str:
    """One or more names as alternatives: `a`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def join_and(names: Iterable[str]) -> str:
    """One or more names: `a`, `a and b`, `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def write_numbers(numbers: Sequence[int]) -> str:
    """Whole numbers in ascending order, three or more in a row as a range: `0-4, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = (f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
    return ", ".join(texts)


def count(number: int, noun: str) -> str:
    """A number of things: `1 epoch`, `20 epochs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def advise_install(packages: str, extra: str) -> str:
    """How to install what an extra brings: by the packages' own names, since grubench is not on PyPI yet."""
    return f"Install it with: pip install {packages} (grubench's extra `{extra}`)."


def closest_match(text: str, valid: Iterable[str]) -> str:
    """The valid name that a person most likely meant; empty where none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(text, valid, 1)), "")
