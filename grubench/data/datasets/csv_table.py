"""A table in a CSV file, which may be packed as `.gz` or `.zip`."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets.dialect import SAMPLE_BYTES, find_dialect
from grubench.data.datasets.number_format import judge
from grubench.data.datasets.text_rows import split_lines, too_many_cells
from grubench.data.input_files import (
    CELL_BYTES,
    MEGABYTE,
    check_columns,
    check_size,
    count_lines,
    measure_text,
    open_unpacked,
)
from grubench.errors import DataError
from grubench.spec.sections import Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LINE_FEED, RETURN, BLANK = b"\n\r "
# Encodings in which these and separators are the bytes that they are in ASCII.
ASCII_LIKE = ("utf-8", "utf-8-sig", "cp1252", "latin-1")
# Lines from which the dialect is found out, at least.
SAMPLE_LINES = 20
# pandas: "Expected 2 fields in line 5, saw 3".
TOO_WIDE = re.compile(r"Expected \d+ fields in line \d+, saw \d+")


class CsvTable:
    """The columns of a CSV file, and the table in it.

    Args:
        path: The file.
        max_mb: The largest table that is read, in MB: of the text, and of its cells as numbers.
        spec: The flags that say how the file is written.

    Attributes:
        dialect: How the file is written.
        columns: The names of its columns.

    Raises:
        DataError: It is larger, or its dialect cannot be told.
    """

    title = "CSV"

    def __init__(self, path: Path, max_mb: int, spec: Data) -> None:
        self.path = path
        # Columns are counted before the rows are split: a row of millions of cells would take long.
        size = measure_text(path, max_mb, separators=(spec.separator or ",;\t|").encode())
        head, whole = _read_head(path)
        self.dialect = find_dialect(head, spec, whole=whole, where=path.name)
        check_columns(self.dialect.width)
        if size * CELL_BYTES > max_mb * MEGABYTE:
            cells = count_lines(path) * self.dialect.width
            check_size(path, cells * CELL_BYTES, max_mb, f"bytes in {cells:,} cells of {CELL_BYTES}")
        self.columns = list(self.dialect.columns)

    def dated_columns(self, needed: Sequence[str]) -> list[str]:
        """The columns that may hold dates, and those that are needed: all, because all are parsed."""
        return list(dict.fromkeys([*needed, *self.columns]))

    def load(self, columns: Sequence[str], text_columns: Sequence[str] = ()) -> pd.DataFrame:
        """Some of the columns, some of them as text.

        All are parsed: with `usecols` pandas would take a row with too many cells without a word.
        """
        try:
            frame = self._parse(text_columns)
        except UnicodeDecodeError:
            if not self.dialect.encoding.startswith("utf-8"):
                raise
            self.dialect = replace(self.dialect, encoding="cp1252")
            frame = self._parse(text_columns)
        frame = self._drop_empty_rows(frame)
        self._check_extra_cells(frame)
        frame = frame.iloc[:, : len(self.columns)]
        frame.columns = pd.Index(self.columns)
        if self.dialect.numbers.is_guess:
            self._judge_points([name for name in columns if frame[name].dtype.kind == "f"])
        return frame[list(columns)]

    def _judge_points(self, names: Sequence[str]) -> None:
        """Look at all points of columns whose first numbers have none: `1.200` may be 1200."""
        if not names:
            return
        texts = self._parse(names, names)
        cells = {name: texts[self.columns.index(name)].dropna().astype("str") for name in names}
        points = {name: column[column.str.contains(".", regex=False)].unique() for name, column in cells.items()}
        numbers = self.dialect.numbers
        judged = judge({name: list(map(str, column)) for name, column in points.items()}, Data(), ";")
        doubts = {**dict(judged.doubts), **dict(numbers.doubts)}
        self.dialect = replace(self.dialect, numbers=replace(numbers, doubts=tuple(doubts.items())))

    def _parse(self, text_columns: Sequence[str], exact: Sequence[str] = ()) -> pd.DataFrame:
        try:
            return self._read(text_columns, exact, self.dialect.width)
        except pd.errors.ParserError as error:
            if not TOO_WIDE.search(str(error)):
                raise
        return self._read(text_columns, exact, self._find_width())

    def _read(self, text_columns: Sequence[str], exact_columns: Sequence[str], width: int) -> pd.DataFrame:
        dialect = self.dialect
        texts = {self.columns.index(name) for name in text_columns}
        exact = {place for place in texts if self.columns[place] in (*dialect.codes, *exact_columns)}
        missing = ["", *dialect.numbers.na]
        na_values: Any = {place: [""] if place in texts else missing for place in range(width)}
        with self._open_data() as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # columns of numbers and text are looked at later
            frame: pd.DataFrame = pd.read_csv(
                file,
                sep=r"\s+" if dialect.separator == " " else dialect.separator,
                decimal=dialect.numbers.decimal,
                header=None,
                names=range(width),
                index_col=False,
                skipinitialspace=self._has_blanks_after_separators(),
                keep_default_na=False,
                na_values=na_values,
                dtype=dict.fromkeys(exact, object),
            )
        return frame

    def _has_blanks_after_separators(self) -> bool:
        """Whether a cell starts with a blank; where none does, pandas need not look for them, which takes long."""
        separator, last = ord(self.dialect.separator), b"\n"
        if self.dialect.encoding not in ASCII_LIKE or separator >= 128:
            return True
        with open_unpacked(self.path) as file:
            while piece := file.read(SAMPLE_BYTES):
                text = np.frombuffer(last + piece, np.uint8)
                starts = (text[:-1] == separator) | (text[:-1] == LINE_FEED) | (text[:-1] == RETURN)
                if (starts & (text[1:] == BLANK)).any():
                    return True
                last = piece[-1:]
        return False

    @contextmanager
    def _open_data(self) -> Iterator[io.TextIOWrapper]:
        """The text from the first row of data on."""
        encoding = self.dialect.encoding
        if self.dialect.skipped:  # with the mark in the first line; the codec that looks for it is slower
            encoding = encoding.removesuffix("-sig")
        with open_unpacked(self.path) as file:
            text = io.TextIOWrapper(file, encoding=encoding, newline="")
            for _ in range(self.dialect.skipped):
                text.readline()
            yield text

    def _find_width(self) -> int:
        """The cells of the widest row, where all that are too many are empty.

        Raises:
            DataError: They are not; the message names the row.
        """
        width, known = self.dialect.width, len(self.columns)
        with self._open_data() as file:
            for number, cells in enumerate(filter(None, split_lines(file, self.dialect.separator)), 1):
                if len(cells) > width:
                    self._refuse_filled(number, cells)
                    width = len(cells)
        return max(width, known)

    def _refuse_filled(self, number: int, cells: list[str]) -> None:
        if any(cells[len(self.columns) :]):
            raise too_many_cells(self.path.name, number, cells, self.columns, self.dialect.header)

    def _check_extra_cells(self, frame: pd.DataFrame) -> None:
        """Refuse a row with more cells than the header, unless those are empty."""
        extra = frame.iloc[:, len(self.columns) :].notna().any(axis=1).to_numpy()
        if extra.any():
            row = int(extra.argmax())
            cells = [str(cell) for cell in frame.iloc[row].dropna()]
            raise too_many_cells(self.path.name, row + 1, cells, self.columns, self.dialect.header)

    def _drop_empty_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows without those at the end that have separators alone."""
        end = len(frame)
        while end and frame.iloc[end - 1].isna().all():
            end -= 1
            if len(frame) - end > 100:
                filled = frame.notna().any(axis=1).to_numpy()
                end = int(filled.nonzero()[0].max(initial=-1)) + 1
                break
        if not end and len(frame):
            raise DataError(f"{self.path} holds no rows.", "Check the file.")
        return frame.iloc[:end]


def _read_head(path: Path) -> tuple[bytes, bool]:
    """The first part of a file, of some lines however long they are, and whether the file has no more."""
    with open_unpacked(path) as file:
        head = file.read(SAMPLE_BYTES)
        while max(head.count(b"\n"), head.count(b"\r")) < SAMPLE_LINES:
            more = file.read(SAMPLE_BYTES)
            if not more:
                return head, True
            head += more
        return head, not file.read(1)
