"""The machinery of the spec: fields that carry their help and bounds, in sections that check themselves."""

from __future__ import annotations

import math
import re
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any

from grubench.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# TOML's whole numbers have 64 bits; Python's have no end, and beyond 4,300 digits cannot be shown.
LARGEST_WHOLE = 2**63 - 1
# Data beyond this are no measurement, and the squares of their errors would leave float64.
LARGEST_VALUE = 1e100
# What steers a terminal: control characters but a tab and the end of a line.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What a message shows of a value, and of how many values.
SHOWN_LETTERS = 120
SHOWN_VALUES = 20


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that is too long to be one is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def quoted(value: Any) -> str:
    """A value as a message shows it: a long one is cut, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number too long to write, lists in lists without end
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."


def unseen(text: str) -> bool:
    """Whether a text holds control characters, which would steer the terminal that shows it."""
    return STEERING.search(text) is not None


def escaped(text: str) -> str:
    """A text with its control characters written out."""
    return STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def some(names: Iterable[Any]) -> str:
    """Names as a message lists them: long ones are cut, and of very many the first are told."""
    every = list(names)
    texts = [str(one) for one in every[:SHOWN_VALUES]]
    cut = [text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..." for text in texts]
    more = [f"and {len(every) - SHOWN_VALUES:,} more"] if len(every) > SHOWN_VALUES else []
    return ", ".join([*cut, *more])


def counted(epochs: int) -> str:
    """A number of epochs in words."""
    return "1 epoch" if epochs == 1 else f"{epochs} epochs"


def likeliest(text: str, valid: Iterable[str]) -> str:
    """The valid name that a person most likely meant; empty where none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(text, valid, 1)), "")


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> Any:
    """A field of a section with what the command line and the validation need to know of it.

    Args:
        default: The default value; its type is the field's type.
        help: One line for `--help`.
        choices: The valid values of a string (or of each string in a tuple).
        low: The smallest valid number.
        high: The largest valid number.
        below: A bound that a number must stay under.
    """
    return field(default=default, metadata={"help": help, "choices": choices, "low": low, "high": high, "below": below})


def coerce(key: str, setting: Field[Any], value: Any) -> Any:
    """A value of a setting's own type, or a SpecError that names the key, the value and what is valid."""
    default = setting.default
    if isinstance(default, tuple):
        item = default[0] if default else ""
        items = value if isinstance(value, list | tuple) else (value,)
        return tuple(_scalar(key, item, one) for one in items)
    return _scalar(key, default, value)


def _scalar(key: str, default: Any, value: Any) -> Any:
    kind = type(default)
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise SpecError(f"{key}: the number is too large.", f"The largest whole number is {LARGEST_WHOLE}.")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, str) and unseen(value):
        raise SpecError(f"{key}: {quoted(value)} holds control characters.", "Leave them out.")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise SpecError(f"{key}: {quoted(value)} is not {names[kind]}.")
    return value


def _check_bounds(key: str, meta: Any, value: Any) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if meta["choices"] and item not in meta["choices"]:
            raise SpecError(f"{key}: unknown value {quoted(item)}.", f"Valid: {', '.join(meta['choices'])}.")
        if isinstance(item, float) and not math.isfinite(item):
            raise SpecError(f"{key}: {item} is not a finite number.")
        if meta["low"] is not None and item < meta["low"]:
            raise SpecError(f"{key}: {item} is too small.", f"The smallest valid value is {meta['low']}.")
        if meta["high"] is not None and item > meta["high"]:
            raise SpecError(f"{key}: {item} is too large.", f"The largest valid value is {meta['high']}.")
        if meta["below"] is not None and item >= meta["below"]:
            raise SpecError(f"{key}: {item} is too large.", f"It must be below {meta['below']}.")


class Section:
    """A part of the spec whose fields check themselves when it is made."""

    def __post_init__(self) -> None:
        """Coerce every field to its type and check its bounds."""
        section = type(self).__name__.lower()
        for one in fields(self):  # type: ignore[arg-type]
            key = f"{section}.{one.name}"
            value = coerce(key, one, getattr(self, one.name))
            object.__setattr__(self, one.name, value)
            _check_bounds(key, one.metadata, value)
