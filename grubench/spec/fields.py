"""What a section of the spec is made of: settings that carry their help and bounds, and check their values."""

from __future__ import annotations

import json
import math
from dataclasses import Field, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from grubench.errors import SpecError
from grubench.text import LARGEST_WHOLE, has_control_characters, is_utf8, join_or, quote

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]
# A table of TOML or JSON, whose values are checked where a section takes them.
Tree = dict[str, Any]
# Digits of a whole number that is given as text.
MAX_DIGITS = 18
KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the command line and the validation know of a setting.

    Attributes:
        name: Its name within the section.
        default: The default value; its type is the setting's type.
        help: One line for `--help`.
        choices: The valid values of a string (or of each string in a tuple).
        words: Words that are valid in place of a whole number; the default is one of them.
        low: The smallest valid number.
        below: A bound that a number must stay under.
        rare: Whether `--help` leaves the flag to `--help-all`.
    """

    name: str
    default: Value
    help: str
    choices: tuple[str, ...]
    words: tuple[str, ...]
    low: float | None
    below: float | None
    rare: bool

    def parse(self, key: str, value: object) -> Value:
        """A value as the setting's own type, within its bounds.

        Raises:
            SpecError: It is not; the message names the key, the value and what is valid.
        """
        if self.words:
            return self._parse_number_or_word(key, value)
        if not isinstance(self.default, tuple):
            return self._parse_scalar(key, self.default, value)
        default = self.default[0] if self.default else ""
        items = value if isinstance(value, list | tuple) else (value,)
        return tuple(self._parse_scalar(key, default, item) for item in items)

    def _parse_scalar(self, key: str, default: Scalar, value: object) -> Scalar:
        scalar = _convert(key, type(default), value)
        if self.choices and scalar not in self.choices:
            raise SpecError(f"{key}: unknown value {quote(scalar)}.", f"Valid: {', '.join(self.choices)}.")
        if isinstance(scalar, int | float):
            self._check_bounds(key, scalar)
        return scalar

    def _parse_number_or_word(self, key: str, value: object) -> Scalar:
        """A word, or a whole number, which a flag gives as text."""
        if isinstance(value, str):
            if value in self.words:
                return value
            if not value.isdecimal() or len(value) > MAX_DIGITS:
                raise SpecError(f"{key}: {quote(value)} is not valid.", f"Valid: {join_or([*self.words, 'a number'])}.")
            value = int(value)
        number = _convert(key, int, value)
        assert isinstance(number, int)
        self._check_bounds(key, number)
        return number

    def _check_bounds(self, key: str, number: float) -> None:
        if not math.isfinite(number):
            raise SpecError(f"{key}: {number} is not a finite number.")
        if self.low is not None and number < self.low:
            raise SpecError(f"{key}: {number} is too small.", f"The smallest valid value is {self.low}.")
        if self.below is not None and number >= self.below:
            raise SpecError(f"{key}: {number} is too large.", f"It must be below {self.below}.")


def setting(
    default: Value,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    low: float | None = None,
    below: float | None = None,
    rare: bool = False,
) -> Any:
    """A field of a section; see `Setting` for the arguments."""
    metadata = {
        "default": default,
        "help": help,
        "choices": choices,
        "words": words,
        "low": low,
        "below": below,
        "rare": rare,
    }
    return field(default=default, metadata=metadata)


class Section:
    """A part of the spec: a dataclass of settings, checked when it is created.

    Attributes:
        settings: What its fields are, in order.
    """

    settings: ClassVar[tuple[Setting, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Collect the settings of a new section."""
        members = {name: member for name, member in vars(cls).items() if isinstance(member, Field)}
        cls.settings = tuple(Setting(name=name, **member.metadata) for name, member in members.items())

    def __post_init__(self) -> None:
        """Convert every setting to its type and check its bounds."""
        section = type(self).__name__.lower()
        for entry in self.settings:
            value = entry.parse(f"{section}.{entry.name}", getattr(self, entry.name))
            object.__setattr__(self, entry.name, value)

    @cached_property
    def sorted_json(self) -> str:
        """The section as JSON with sorted keys; written once, because thousands of specs share a section."""
        return json.dumps({entry.name: getattr(self, entry.name) for entry in self.settings}, sort_keys=True)


def _convert(key: str, kind: type[Scalar], value: object) -> Scalar:
    """A value as `kind`: a whole number can stand for a float, nothing else is converted."""
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise SpecError(f"{key}: the number is too large.", f"The largest whole number is {LARGEST_WHOLE}.")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and has_control_characters(value):
        raise SpecError(f"{key}: {quote(value)} holds control characters.", "Leave them out.")
    if isinstance(value, str) and not is_utf8(value):
        raise SpecError(f"{key}: {quote(value)} has bytes that are not UTF-8.", "Rename it, in UTF-8.")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SpecError(f"{key}: {quote(value)} is not {KINDS[kind]}.")
    return value
