"""The rows of the first part of a text file, and which of them is the header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grubench.data.datasets.number_format import MISSING_TEXTS, is_number
from grubench.errors import DataError, UsageError
from grubench.text import list_names

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Iterable, Sequence

    from grubench.spec.sections import Data

# Rows from which a dialect is found out.
SAMPLE_ROWS = 1000
DATE = re.compile(
    r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T].*)?|\d{1,2}:\d\d(?::\d\d.*)?|\d{4}-\d\d|\d{1,2}[ -][A-Za-z]{3}.*"
)
# What stands in a row of units: brackets, and the commonest units as they are written without them.
UNIT = re.compile(r"[\[(].*[\])]|[°º]\w+|deg ?[CF]|%|[kM]?W(?:h|/m[2²])?|m/s|hPa|mm|ppm|µg/m[3³]|TS|RN", re.IGNORECASE)
# Rows of units and the like between the header and the data.
MAX_UNIT_ROWS = 4


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the first part of a file.

    Attributes:
        line: The line of the file that it starts in.
        apart: Whether the line above is empty.
        cells: Its cells, without surrounding blanks.
    """

    line: int
    apart: bool
    cells: list[str]

    @property
    def width(self) -> int:
        """Its cells, without the empty ones at its end."""
        width = len(self.cells)
        while width and not self.cells[width - 1]:
            width -= 1
        return width


def split_lines(lines: Iterable[str], separator: str) -> Reader:
    """A reader of cells, as pandas would split them."""
    csv.field_size_limit(2**31 - 1)
    if separator == " ":
        return csv.reader((" ".join(line.split()) for line in lines), delimiter=" ")
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def split_rows(lines: Sequence[str], separator: str, offset: int = 0) -> list[Row]:
    """The first rows that are not empty."""
    reader, empty = split_lines(lines[offset:], separator), f"{separator} \r\n"
    rows, line = [], 1 + offset
    try:
        for cells in reader:
            if any(cells):
                apart = line > 1 and not lines[line - 2].strip(empty)
                rows.append(Row(line=line, apart=apart, cells=[cell.strip() for cell in cells]))
            line = 1 + offset + reader.line_num
            if len(rows) >= SAMPLE_ROWS:
                break
    except csv.Error:  # what pandas says of it is told when the file is loaded
        pass
    return rows


def find_header(rows: Sequence[Row], spec: Data, where: str) -> tuple[int | None, int]:
    """The place of the header among the rows, or None, and that of the first row of data."""
    if spec.header not in {"", "auto", "none"}:
        places = [place for place, row in enumerate(rows) if str(row.line) == spec.header]
        if not places:
            raise UsageError(f"data.header: {where} has no header in line {spec.header}.", "Give a line, or none.")
        return places[0], _skip_units(rows, places[0] + 1)
    if not rows:
        return None, 0
    width = Counter(row.width for row in rows[:200]).most_common(1)[0][0]
    first = next(place for place, row in enumerate(rows) if row.width >= width)
    if spec.header == "none":
        return None, first
    if not _is_data(rows[first], rows[first + 1 : 200]):
        header = _choose_header(rows, first, where)
        return header, _skip_units(rows, header + 1)
    above = rows[first - 1] if first else None
    if above and not rows[first].apart and not above.cells[0].startswith("#"):
        raise too_many_cells(where, 1, rows[first].cells, above.cells[: above.width], above.line)
    numbers = [str(number) for start in (0, 1) for number in range(start, start + width)]
    if width > 1 and ",".join(rows[first].cells) in {",".join(numbers[:width]), ",".join(numbers[width:])}:
        raise DataError(
            f"{where}: line {rows[first].line} can be a header or the first row of data.",
            "Say which, with --header none or --header LINE.",
        )
    return None, first


def _choose_header(rows: Sequence[Row], first: int, where: str) -> int:
    """The header: the first row of text, or the one after the last empty line before the data.

    Of several rows that have as many cells as the data, the one is it that can name columns: units and repeated names
    cannot.
    """
    places = range(first + 1, min(first + 50, len(rows) - 1))
    data = next((place for place in places if _is_data(rows[place], rows[place + 1 : place + 200])), 0)
    if not data:
        return first
    start = max((place for place in range(first + 1, data) if rows[place].apart), default=first)
    width = rows[data].width
    names = [place for place in range(start, data) if len(rows[place].cells) >= width and _can_name(rows[place])]
    names = [place for place in names if rows[place].width <= width] or names
    names = [place for place in names if rows[place].cells[0]] or names
    if len(names) > 1:
        lines = " or ".join(str(rows[place].line) for place in names[:3])
        raise DataError(f"{where}: line {lines} can be the header.", "Say which, with --header LINE.")
    return names[0] if names else start


def _can_name(row: Row) -> bool:
    """Whether a row can name columns: its cells differ, at most the first is empty, and none is a unit."""
    cells = row.cells[: row.width]
    return len(set(cells)) == len(cells) and all(cells[1:]) and not any(map(UNIT.fullmatch, cells))


def _skip_units(rows: Sequence[Row], first: int) -> int:
    """The first row of data: rows of units or the like, in which no cell is data, may stand below the header."""
    for place in range(first, min(first + MAX_UNIT_ROWS, len(rows) - 1)):
        matches = _match_kinds(rows[place], rows[place + 1 : place + 200])
        if not matches or any(matches):
            return place
    return first


def _is_data(row: Row, below: Sequence[Row]) -> bool:
    """Whether a row has numbers and dates where the rows below have them, and nothing else there."""
    if not below:
        return all(map(is_number, filter(None, row.cells)))
    matches = _match_kinds(row, below)
    return bool(matches) and all(matches)


def _match_kinds(row: Row, below: Sequence[Row]) -> list[bool]:
    """Whether cells are dates or numbers, or stand for a missing one, for each cell that has such below it."""
    matches = []
    for place, cell in enumerate(row.cells):
        cells = [other.cells[place] for other in below if place < len(other.cells)]
        cells = [other for other in cells if other and other not in MISSING_TEXTS]
        for is_kind in (DATE.fullmatch, is_number):
            if cell and cells and sum(map(bool, map(is_kind, cells))) >= 0.8 * len(cells):
                matches.append(cell in MISSING_TEXTS or bool(is_kind(cell)))
                break
    return matches


def too_many_cells(where: str, number: int, cells: Sequence[str], columns: Sequence[str], header: int) -> DataError:
    """The error for a row that has more cells than the header.

    Args:
        where: The file's name.
        number: The data row, from 1.
        cells: Its cells.
        columns: The names in the header.
        header: The line of the header; 0 where there is none.
    """
    names = f"the header in line {header} names {len(columns)}" if header else f"the first row has {len(columns)}"
    return DataError(
        f"{where}, data row {number} has {len(cells)} cells ({list_names(cells[:8])}), and {names}: "
        f"{list_names(columns[:8])}.",
        "Put numbers with decimal commas in quotes, or separate columns by semicolons; name every column in the "
        "header; or say --separator, or --header LINE (none where there is no header).",
    )
