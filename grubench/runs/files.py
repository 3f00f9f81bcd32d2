"""JSON and CSV files: written, and read from folders that may be untrusted. Never pickle."""

from __future__ import annotations

import csv
import json
import os
import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from grubench.errors import RunError
from grubench.text import has_control_characters, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T", bound=msgspec.Struct)

DAMAGED = "The run is damaged; train it again."
# Every file that grubench writes and reads whole is far smaller.
MAX_BYTES = 32 * 2**20
# How JSON writes a control character that is not given as it is.
ESCAPED = re.compile(rb"\\[bfru]")
# A step of msgspec's path to a value: a field, a key that it does not name, or a place in a list.
STEP = re.compile(r"\.(\w+)|\[(\.\.\.|\d+)\]")


def to_json(value: Any) -> bytes:
    """Indented JSON of records, dataclasses, lists and dictionaries; NaN and infinity become null."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows with the same keys as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@contextmanager
def os_errors(path: Path, remedy: str = "Free some space, or choose another --output.") -> Iterator[None]:
    """Turn an OSError while writing into an error that names the path.

    Raises:
        RunError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{path} could not be written: {reason}.", remedy) from error


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """The content of a file of an untrusted folder.

    Raises:
        RunError: It cannot be read, or is larger than any that grubench writes.
    """
    try:
        with path.open("rb") as file:
            # Not `read(most + 1)`: Python would reserve that many bytes for each file.
            content = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error
    if len(content) > most:
        raise RunError(f"{path} has more than {most:,} bytes, and no such file has.", DAMAGED)
    return content


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """The text of a file of an untrusted folder.

    Raises:
        RunError: It cannot be read, is larger than any that grubench writes, or is not UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error


def read_record(path: Path, kind: type[T], schema: int | None = None) -> T:
    """The record in a JSON file of an untrusted folder.

    Args:
        path: The file.
        kind: The type of the record.
        schema: The version that a file must have; None for files without one.

    Raises:
        RunError: Naming the file, the key that does not fit, and what fits there.
    """
    content = read_bytes(path)
    try:
        record: T = _decoder(kind).decode(content)
        if _may_have_control_characters(content):
            _refuse_control_characters(record, path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if schema is not None:
            _check_schema(content, schema, path)
        if isinstance(error, msgspec.ValidationError):
            raise RunError(f"{path} is damaged: {_describe(error, kind, content)}.", DAMAGED) from error
        raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error
    return record


@cache
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)


def _check_schema(content: bytes, known: int, path: Path) -> None:
    """Refuse a file of another version, or of none."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 0:
        raise RunError(f"{path} names no schema.", DAMAGED)
    if schema > known:
        raise RunError(
            f"{path} was written by a newer grubench (schema {quote(schema)}; this one reads {known}).",
            "Update grubench.",
        )
    if schema < known:
        raise RunError(
            f"{path} was written by an older grubench (schema {schema}; this one reads {known}).", "Train it again."
        )


def _may_have_control_characters(content: bytes) -> bool:
    """A quick look: those below a space have to be escaped in JSON, the others lie beyond ASCII or are DEL."""
    plain = content.isascii() and b"\x7f" not in content
    return not plain or (b"\\" in content and ESCAPED.search(content) is not None)


def _refuse_control_characters(record: msgspec.Struct, path: Path) -> None:
    for key, text in _texts(msgspec.to_builtins(record), ""):
        if has_control_characters(text):
            raise RunError(f"{path} is damaged: {list_names([key])} holds control characters.", DAMAGED)


def _texts(tree: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every text of a tree, keys too, with the key that leads to it."""
    if isinstance(tree, str):
        yield key, tree
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield _join(key, quote(name)), name
            yield from _texts(value, _join(key, name))
    elif isinstance(tree, list | tuple):
        for place, value in enumerate(tree):
            yield from _texts(value, f"{key}[{place}]")


def _describe(error: msgspec.ValidationError, kind: Any, content: bytes) -> str:
    """What does not fit, by its full key."""
    reason, _, path = str(error).partition(" - at `$")
    try:
        key, value = _locate(path, kind, json.loads(content))
    except (ValueError, LookupError, RecursionError):  # such as a key that is there twice
        return str(error)
    missing = re.fullmatch(r"Object missing required field `(\w+)`", reason)
    if missing:
        return f"{list_names([_join(key, missing[1])])} is missing"
    return f"{list_names([key or 'it'])} is {quote(value)} ({reason})"


def _locate(path: str, kind: Any, value: Any) -> tuple[str, Any]:
    """The key and the value that a path of msgspec leads to: it leaves out the keys of dictionaries."""
    key = ""
    for field, place in STEP.findall(path):
        if get_origin(kind) is Annotated:  # a list with bounds
            kind = get_args(kind)[0]
        if field:
            kind, value, key = get_type_hints(kind, include_extras=True)[field], value[field], _join(key, field)
        elif place == "...":
            kind = get_args(kind)[1]
            name = [name for name, item in value.items() if not _fits(item, kind)][0]  # noqa: RUF015 (LookupError)
            value, key = value[name], _join(key, name)
        else:
            kind, value, key = get_args(kind)[0], value[int(place)], f"{key}[{place}]"
    return key, value


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        return False
    return True


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
