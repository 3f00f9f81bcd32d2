"""A table in a CSV file, which may be packed as `.gz` or `.zip`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from grubench.data.input_files import CELL_BYTES, check_size, measure_text, open_unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Without index_col=False a comma at the end of each row would shift the columns by one.
OPTIONS: dict[str, Any] = {"skipinitialspace": True, "encoding": "utf-8-sig", "index_col": False}
AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False}


class CsvTable:
    """The columns of a CSV file, and the table in it.

    Args:
        path: The file.
        max_mb: The largest table that is read, in MB: of the text, and of its cells as numbers.

    Raises:
        DataError: It is larger.
    """

    title = "CSV"

    def __init__(self, path: Path, max_mb: int) -> None:
        self.path = path
        size = measure_text(path, max_mb)
        cells = size.rows * size.columns
        check_size(path, cells * CELL_BYTES, max_mb, f"bytes in {cells:,} cells of {CELL_BYTES}")
        self.columns = self._read_columns()

    def load(self, columns: Sequence[str], text_column: str = "") -> pd.DataFrame:
        """Some of the columns, one of them as text.

        All are parsed: with `usecols` pandas would take a row with too many cells without a word.
        """
        frame: pd.DataFrame = self._parse()
        if len(self.columns) == len(frame.columns):
            frame.columns = pd.Index(self.columns)
        if text_column:
            place = self.columns.index(text_column)
            frame[text_column] = self._parse(**AS_TEXT, usecols=[place]).iloc[:, 0]
        return frame[list(columns)]

    def _read_columns(self) -> list[str]:
        """The names in the first row; pandas would rename a second column of the same name, and names what has none."""
        names = [str(name) for name in self._parse(nrows=0).columns]
        head = self._parse(**AS_TEXT, header=None, nrows=1).iloc[0]
        if len(head) != len(names):
            return names
        return [written or name for written, name in zip(head, names, strict=True)]

    def _parse(self, **more: Any) -> pd.DataFrame:
        with open_unpacked(self.path) as file:
            frame: pd.DataFrame = pd.read_csv(file, **OPTIONS, **more)
        return frame
