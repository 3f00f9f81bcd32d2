"""The forms of trees that are read from files: what must be there, and of what kind; a stranger may have made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grubench.errors import RunError
from grubench.text import LARGEST_VALUE, LARGEST_WHOLE, has_control_characters, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAMAGED = "The run is damaged; train it again."
# Means and deviations of figures beyond this would leave float64.
LARGEST = 1e150
# Any other key of a table.
ANY = "*"


def number(value: Any) -> bool:
    """Whether a value is a number whose squares are numbers too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def whole(value: Any) -> bool:
    """Whether a value is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_WHOLE


def _text(value: Any) -> bool:
    return isinstance(value, str) and not has_control_characters(value)


# What the views rely on. A table names its keys, those with a question mark may be absent; a list holds one form.
Form = dict[str, Any] | list[Any] | tuple[Any, str]
TEXT: Form = (_text, "text")
WHOLE: Form = (whole, "a whole number")
NUMBER: Form = (number, "a number")
ERROR: Form = (lambda value: number(value) and value >= 0, "a number from 0")
POSITIVE: Form = (lambda value: number(value) and value > 0, "a number above 0")
FIGURE: Form = (lambda value: value is None or number(value), "a number or null")
FLAG: Form = (lambda value: isinstance(value, bool), "true or false")
SIMPLE: Form = (lambda value: value is None or _text(value) or number(value), "text, a number or null")
VALUE: Form = (lambda value: number(value) and abs(value) <= LARGEST_VALUE, "a value of data")
SPAN: Form = (lambda value: number(value) and 0 < value <= LARGEST_VALUE, "a span of data")


def check_schema(tree: Any, known: int, path: Path) -> None:
    """Refuse a file that a newer grubench wrote, or nobody.

    Raises:
        RunError: Naming the file.
    """
    schema = tree.get("schema", -1) if isinstance(tree, dict) else -1
    if not whole(schema):
        raise RunError(f"{path} names no schema.", DAMAGED)
    if schema > known:
        raise RunError(
            f"{path} was written by a newer grubench (schema {schema}; this one reads up to {known}).",
            "Update with: pip install -U grubench",
        )


def check_form(tree: Any, form: Form, path: Path) -> None:
    """Refuse a tree of another form, which may have been made to do harm.

    Raises:
        RunError: Naming the file, the key and what belongs there.
    """
    try:
        _check(tree, form, "")
    except _MisfitError as misfit:
        raise RunError(f"{path} is damaged: {misfit}.", DAMAGED) from None


class _MisfitError(Exception):
    """A value that is not of its form."""


def _check(tree: Any, form: Form, place: str) -> None:
    if isinstance(form, tuple):
        fits: Callable[[Any], bool] = form[0]
        if not fits(tree):
            raise _MisfitError(f"{list_names([place])} is {quote(tree)} and not {form[1]}")
    elif isinstance(form, list):
        if not isinstance(tree, list):
            raise _MisfitError(f"{list_names([place])} is no list")
        for one in tree:
            _check(one, form[0], place)
    else:
        _check_table(tree, form, place)


def _check_table(tree: Any, form: dict[str, Any], place: str) -> None:
    if not isinstance(tree, dict):
        raise _MisfitError(f"{list_names([place or 'it'])} is no table")
    before = f"{place}." if place else ""
    for key, part in form.items():
        name = key.removesuffix("?")
        if name in tree:
            _check(tree[name], part, before + name)
        elif key != ANY and name == key:
            raise _MisfitError(f"{before}{key} is missing")
    for name in (tree.keys() - form.keys()) if ANY in form else ():
        if has_control_characters(name):
            raise _MisfitError(f"{before}{quote(name)} holds control characters")
        _check(tree[name], form[ANY], before + name)
