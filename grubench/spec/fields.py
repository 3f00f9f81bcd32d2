"""The machinery of the spec: fields that carry their help and bounds, in sections that check themselves."""

from __future__ import annotations

import json
import math
from dataclasses import Field, asdict, field, fields
from functools import cached_property
from typing import Any

from grubench.errors import SpecError
from grubench.text import LARGEST_WHOLE, has_control_characters, quote


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
    rare: bool = False,
) -> Any:
    """A field of a section with what the command line and the validation need to know of it.

    Args:
        default: The default value; its type is the field's type.
        help: One line for `--help`.
        choices: The valid values of a string (or of each string in a tuple).
        low: The smallest valid number.
        high: The largest valid number.
        below: A bound that a number must stay under.
        rare: Whether `--help` leaves the flag to `--help-all`.
    """
    bounds = {"low": low, "high": high, "below": below}
    return field(default=default, metadata={"help": help, "choices": choices, "rare": rare, **bounds})


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
    if isinstance(value, str) and has_control_characters(value):
        raise SpecError(f"{key}: {quote(value)} holds control characters.", "Leave them out.")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise SpecError(f"{key}: {quote(value)} is not {names[kind]}.")
    return value


def _check_bounds(key: str, meta: Any, value: Any) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if meta["choices"] and item not in meta["choices"]:
            raise SpecError(f"{key}: unknown value {quote(item)}.", f"Valid: {', '.join(meta['choices'])}.")
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

    @cached_property
    def sorted_json(self) -> str:
        """The section as JSON, its keys sorted; written once, for thousands of specs share a section."""
        return json.dumps(asdict(self), sort_keys=True)  # type: ignore[call-overload]
