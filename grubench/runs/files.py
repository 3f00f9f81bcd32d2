"""Files of a run: JSON and CSV written, and read where they may be a stranger's; never pickle."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from grubench.errors import RunError
from grubench.runs.schema import DAMAGED
from grubench.text import list_names

if TYPE_CHECKING:
    from pathlib import Path

# A file of a run that is read whole is far smaller; a stranger's may have any size.
MOST_BYTES = 32 * 2**20


def write_json(path: Path, tree: Any) -> None:
    """Write JSON that a person can read; NaN becomes null."""
    path.write_text(json.dumps(plain(tree), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows with the same keys as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def plain(tree: Any) -> Any:
    """The tree with text keys and lists, and null for what JSON has no number for."""
    if isinstance(tree, dict):
        return {str(key): plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    return None if isinstance(tree, float) and not abs(tree) < float("inf") else tree


def read_json(path: Path) -> Any:
    """The tree in a JSON file.

    Raises:
        RunError: It cannot be read.
    """
    text = text_of(path)
    try:
        tree = json.loads(text, parse_constant=_refuse)
        if "\\ud" in text.lower():  # half a character alone can be read, and never be written again
            json.dumps(tree, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error
    return tree


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def text_of(path: Path, most: int = MOST_BYTES) -> str:
    """The text of a file of a run, which may be a stranger's.

    Raises:
        RunError: It cannot be read, or is larger than any that grubench writes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise RunError(f"{path} has more than {most:,} bytes, and no such file has.", DAMAGED)
        return content.decode("utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error
