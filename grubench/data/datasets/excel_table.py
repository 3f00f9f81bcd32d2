"""A table in a sheet of an Excel file."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd

from grubench.data.datasets.dialect import Dialect, judge_frame
from grubench.data.datasets.text_rows import SAMPLE_ROWS, Row, find_header, too_many_cells
from grubench.data.input_files import MAX_COLUMNS, TEXT_BYTES, check_size
from grubench.errors import UsageError
from grubench.text import advise_install, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from grubench.spec.sections import Data

EXCEL_ENDINGS = (".xlsx", ".xlsm")


class ExcelTable:
    """The columns of a sheet, and the table in it.

    Args:
        path: The file.
        max_mb: The largest table that is read, in MB: of the file unpacked, and of its cells in memory.
        spec: The flags that say which sheet, and how it is written.

    Attributes:
        dialect: How the sheet is written.
        columns: The names of its columns.

    Raises:
        UsageError: openpyxl is not installed, or there is no such sheet.
        DataError: The table is larger, or its header cannot be told.
    """

    title = "Excel"

    def __init__(self, path: Path, max_mb: int, spec: Data) -> None:
        if not importlib.util.find_spec("openpyxl"):
            raise UsageError(f"data.file: reading {path} needs openpyxl.", advise_install("openpyxl", "excel"))
        self.path, self._max_mb, self._spec = path, max_mb, spec
        self._sheet, rows = self._read_sheet(spec.sheet)
        texts = [
            Row(line=line, apart=line > 1 and not any(map(_has_value, rows[line - 2])), cells=list(map(_write, cells)))
            for line, cells in enumerate(rows[:SAMPLE_ROWS], 1)
            if any(map(_has_value, cells))
        ]
        header, first = find_header(texts, spec, path.name)
        self._header = 0 if header is None else texts[header].line
        self._skipped = texts[first].line - 1 if first < len(texts) else len(rows)
        self._rows = [cells for cells in rows[self._skipped :] if any(map(_has_value, cells))]
        width = max((_count_cells(cells) for cells in self._rows), default=0) if header is None else texts[header].width
        names = [""] * width if header is None else texts[header].cells[:width]
        self.columns = [name or f"column{place}" for place, name in enumerate(names, 1)]
        self._check_widths()
        self.dialect = Dialect()

    def dated_columns(self, needed: Sequence[str]) -> list[str]:
        """The columns that may hold dates, and those that are needed: all, because all are read."""
        return list(dict.fromkeys([*needed, *self.columns]))

    def load(self, columns: Sequence[str], text_columns: Sequence[str] = ()) -> pd.DataFrame:
        """Some of the columns."""
        places = {name: place for place, name in enumerate(self.columns)}
        frame = pd.DataFrame({name: _make_column(self._rows, places[name]) for name in columns})
        judged = judge_frame(frame, text_columns, self._spec)
        self.dialect = Dialect(
            sheet=self._sheet,
            header=self._header,
            skipped=self._skipped,
            columns=tuple(self.columns),
            numbers=judged.numbers,
        )
        return frame

    def _read_sheet(self, wanted: str) -> tuple[str, list[tuple[Any, ...]]]:
        """The name of the sheet, and its rows without empty cells at their ends."""
        openpyxl = importlib.import_module("openpyxl")
        with warnings.catch_warnings(action="ignore"):  # of styles and the like that are not read
            book = openpyxl.load_workbook(self.path, read_only=True, data_only=True, keep_links=False)
            try:
                sheet = self._choose_sheet(book.worksheets, wanted)
                return str(sheet.title), self._read_rows(sheet.iter_rows(values_only=True))
            finally:
                book.close()

    def _choose_sheet(self, sheets: Sequence[Any], wanted: str) -> Any:
        names = [str(sheet.title) for sheet in sheets]
        numbers = [str(number) for number in range(1, len(names) + 1)]
        if not names:
            raise ValueError("it has no sheet of cells")
        if not wanted:
            return sheets[0]
        if wanted not in {*names, *numbers}:
            raise UsageError(
                f"data.sheet: {self.path.name} has no sheet {quote(wanted)}.", f"It has: {list_names(names)}."
            )
        return sheets[names.index(wanted) if wanted in names else numbers.index(wanted)]

    def _read_rows(self, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows up to the last that is not empty; refused as soon as they are more than the bound."""
        kept: list[tuple[Any, ...]] = []
        cells = filled = 0
        for row in rows:
            width = _count_cells(row)
            if width > MAX_COLUMNS:
                raise ValueError(f"it has {width:,} columns, and at most {MAX_COLUMNS:,} are read")
            cells += max(len(row), 1)
            check_size(self.path, cells * TEXT_BYTES, self._max_mb, f"bytes or more in {cells:,} cells in memory")
            kept.append(row[:width])
            filled = len(kept) if width else filled
        return kept[:filled]

    def _check_widths(self) -> None:
        for number, cells in enumerate(self._rows, 1):
            if len(cells) > len(self.columns):
                raise too_many_cells(self.path.name, number, list(map(_write, cells)), self.columns, self._header)


def _has_value(cell: Any) -> bool:
    return cell is not None and cell != ""


def _count_cells(cells: Sequence[Any]) -> int:
    """The cells of a row, without the empty ones at its end."""
    return max((place for place, cell in enumerate(cells, 1) if _has_value(cell)), default=0)


def _write(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _make_column(rows: Sequence[tuple[Any, ...]], place: int) -> pd.Series[Any]:
    cells = [cells[place] if place < len(cells) else None for cells in rows]
    return pd.Series([cell if _has_value(cell) else None for cell in cells]).infer_objects()
