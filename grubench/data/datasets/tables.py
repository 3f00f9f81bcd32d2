"""Series from a table of the user's own; an error names the file, the column and the row."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets import row_order, timestamps
from grubench.data.datasets.columns import apply_missing_rule, check_not_empty, parse_numbers
from grubench.data.datasets.csv_table import CsvTable
from grubench.data.datasets.excel_table import EXCEL_ENDINGS, ExcelTable
from grubench.data.datasets.frame_table import FrameTable
from grubench.data.datasets.parquet_table import PARQUET_ENDINGS, ParquetTable
from grubench.data.datasets.stamps import Stamps, join_columns, parse_stamps
from grubench.data.datasets.text_columns import code_texts
from grubench.data.input_files import MAX_TABLE_MB, check_file, explain_failure
from grubench.data.series import Series
from grubench.data.suspicions import list_suspicions
from grubench.errors import DataError, SpecError, UsageError
from grubench.spec.sections import Data
from grubench.text import count, is_recordable, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from grubench.data.datasets.number_format import NumberFormat

# A series has its own rows in the tables and files of each run, and takes about a millisecond to set up.
MAX_SERIES = 5_000
FileTable = CsvTable | ParquetTable | ExcelTable
Table = FileTable | FrameTable
# Spreadsheets of other formats.
UNREAD_SHEETS = (".xls", ".xlsb", ".ods", ".numbers")


def read(spec: Data, path: Path, *, max_mb: int = MAX_TABLE_MB, frame: pd.DataFrame | None = None) -> list[Series]:
    """The series of a table: one for each target column, or for each name in `spec.series_column`.

    Args:
        spec: The columns and the rules.
        path: The file.
        max_mb: The largest table that is read, in MB.
        frame: The table, where it is in memory; the path is its name then.

    Raises:
        UsageError: The file or a column does not exist.
        DataError: The file is too large, cannot be parsed, or has values that cannot be trained on.
    """
    table = open_table(path, spec, max_mb=max_mb) if frame is None else _check_names(FrameTable(frame, spec))
    where = path.name
    _check_columns(table.columns, spec, where)
    times = list_time_columns(spec.time, table.columns)
    texts = [*times, *([spec.series_column] if spec.series_column else [])]
    needed = list(dict.fromkeys([*spec.target, *spec.features, *texts]))
    rows = load_columns(table, needed if times else table.dated_columns(needed), texts)
    notes = [] if table.dialect.is_plain else [table.dialect.describe()]
    if times:
        rows, empty = drop_empty_rows(rows)
        notes += [f"{count(empty, 'row')} without a time or a value: left out."] if empty else []
    if len(times) > 1:
        rows[spec.time] = join_columns([rows[name] for name in times], spec.time)
    table.dialect.numbers.check([*spec.target, *spec.features], where)
    every = split_table(rows, spec, where, path.stem, table.dialect.numbers)
    if times:
        row_order.check_one_series(every, spec, where, times, lambda: _load_all(table, needed, texts))
    else:
        notes += row_order.check_order(rows, spec, where, lambda: _load_all(table, needed, texts))
    notes += timestamps.note_irregular(every)
    return [replace(series, notes=(*notes, *series.notes, *list_suspicions(series))) for series in every]


def read_table(path: Path) -> pd.DataFrame:
    """The table in a file, its rows numbered from 0.

    Raises:
        UsageError: There is no such file, or nothing that reads it is installed.
        DataError: The file is too large, or not a table.
    """
    table = open_table(path)
    return load_columns(table, table.columns)


def open_table(path: Path, spec: Data | None = None, *, max_mb: int = MAX_TABLE_MB) -> Table:
    """A table whose columns are known, and which is small enough to be loaded.

    Raises:
        UsageError: There is no such file, or nothing that reads it is installed.
        DataError: The file is too large, or not a table.
    """
    check_file(path, "data.file", max_mb)
    kind = _choose_kind(path)
    return _check_names(explain_failure(path, kind.title, lambda: kind(path, max_mb, spec or Data())))


def _check_names(table: Table) -> Table:
    seen: set[str] = set()
    for name in table.columns:
        if name in seen:
            raise DataError(f"{table.path} has more than one column {quote(name)}.", "Rename one of them.")
        seen.add(name)
    return table


def _choose_kind(path: Path) -> type[FileTable]:
    """What reads a file, by its ending."""
    ending = path.suffix.lower()
    if ending in UNREAD_SHEETS:
        raise UsageError(f"data.file: files that end in {ending} are not read.", "Save the table as .xlsx or .csv.")
    return ParquetTable if ending in PARQUET_ENDINGS else ExcelTable if ending in EXCEL_ENDINGS else CsvTable


def load_columns(table: Table, columns: Sequence[str], text_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of a table; some are read as text, so that a name such as NA is not taken for an empty cell."""
    frame = explain_failure(table.path, table.title, lambda: table.load(columns, text_columns))
    if frame.empty:
        raise DataError(f"{table.path} holds no rows.", "Check the file.")
    return frame


def drop_empty_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows with a value, numbered as they were, and how many have none."""
    empty = np.ones(len(frame), bool)
    for name in sorted(frame.columns, key=lambda name: frame[name].dtype.kind == "O"):  # the fast ones first
        column = frame[name]
        missing = column.isna() if column.dtype.kind in "biufM" else column.isna() | (column == "")
        empty &= missing.to_numpy(bool)
        if not empty.any():
            return frame, 0
    return (frame, 0) if empty.all() else (frame[~empty], int(empty.sum()))


def list_time_columns(time: str, columns: Sequence[str]) -> list[str]:
    """The columns that hold the timestamps: that of this name, or those that it lists, such as `Date,Time`."""
    if not time or time in columns:
        return [time] if time else []
    return [name.strip() for name in next(csv.reader([time], skipinitialspace=True), [])]


def _load_all(table: Table, needed: Sequence[str], text_columns: Sequence[str]) -> pd.DataFrame:
    """All columns of a table; only those that are needed where the others are too large, or no values."""
    try:
        return load_columns(table, table.columns, text_columns)
    except DataError:
        return load_columns(table, needed, text_columns)


def split_table(
    frame: pd.DataFrame, spec: Data, where: str, stem: str, style: NumberFormat | None = None
) -> list[Series]:
    """Split a table into its series.

    Args:
        frame: The table.
        spec: The columns and the rules.
        where: The file's name, for messages.
        stem: The name of the series where the table has only one.
        style: How its numbers are written where they are text.
    """
    if not spec.target:
        raise SpecError(
            f"data.target: no column of {where} is named as the target.",
            f"Name it with --target COLUMN; `grubench datasets --csv {where}` shows what it holds.",
        )
    _check_columns(frame.columns, spec, where)
    if len(spec.target) > 1 and spec.series_column:
        raise SpecError("data.target: several targets do not go with data.series_column.", "Give one target.")
    stamps = parse_stamps(frame[spec.time], where, spec.time_format, spec.zone) if spec.time else None
    frame, categories = code_texts(frame, spec, where)
    every = _split_rows(frame, spec, where, stem, style=style, stamps=stamps)
    return [replace(series, categories=categories) for series in every]


def _split_rows(
    frame: pd.DataFrame, spec: Data, where: str, stem: str, *, style: NumberFormat | None, stamps: Stamps | None
) -> list[Series]:
    if spec.series_column:
        names = _series_names(frame[spec.series_column], where)
        every = [
            _build_series(rows, spec.target[0], spec, where, str(name), style=style, stamps=stamps)
            for name, rows in frame.groupby(names, sort=False)
        ]
        if not any(map(len, every)):
            raise DataError(f"{where} has no row with a value in every column.", "Leave the empty column out.")
        return every
    if len(spec.target) == 1:
        return [_build_series(frame, spec.target[0], spec, where, stem, style=style, stamps=stamps)]
    return [_build_series(frame, target, spec, where, target, style=style, stamps=stamps) for target in spec.target]


def _check_columns(columns: Sequence[str] | pd.Index[Any], spec: Data, where: str) -> None:
    """Refuse settings that name columns which the table does not have."""
    settings = {
        "data.target": spec.target,
        "data.features": spec.features,
        "data.time": list_time_columns(spec.time, list(columns)),
        "data.series_column": (spec.series_column,) if spec.series_column else (),
    }
    for key, names in settings.items():
        for name in names:
            if name not in columns:
                head = list_names(columns)
                raise UsageError(f"{key}: {where} has no column {quote(name)}.", f"It has: {head}.")


def _series_names(column: pd.Series[Any], where: str) -> pd.Series[Any]:
    """The name of the series that each row belongs to, as text."""
    names = column.map(str, na_action="ignore")
    empty = (names.isna() | (names == "")).to_numpy()
    if empty.any():
        raise DataError(
            f"{where}, column {column.name!r}, data row {int(empty.argmax()) + 1} names no series.",
            "Name or remove the row.",
        )
    different = names.unique()
    if len(different) > MAX_SERIES:
        raise DataError(
            f"{where}, column {column.name!r} names {len(different):,} series, and at most {MAX_SERIES:,} are read.",
            "Name the column of names with --series-column, or leave out series.",
        )
    invalid = [name for name in different if not is_recordable(name)]
    if invalid:
        raise DataError(f"{where}, column {column.name!r}: {quote(invalid[0])} holds control characters.", "Rename it.")
    return names


def _build_series(
    frame: pd.DataFrame,
    target: str,
    spec: Data,
    where: str,
    name: str,
    *,
    style: NumberFormat | None,
    stamps: Stamps | None,
) -> Series:
    columns = (target, *(feature for feature in spec.features if feature != target))
    time = stamps.select(frame.index) if stamps else None
    values = np.column_stack([parse_numbers(frame[column], where, style) for column in columns])
    table = pd.DataFrame(values, index=frame.index, columns=columns, copy=False)
    if not spec.series_column and spec.missing != "error":
        check_not_empty(table, where)
    rows = apply_missing_rule(time, table, spec.missing, where)
    if rows.time is None:
        timestamps.refuse_time_features(spec, where)
        steps = np.arange(len(rows.values))
        series = Series(
            name=name,
            values=rows.values,
            columns=columns,
            time=steps,
            unit=spec.unit,
            filled=rows.filled,
            source_row=rows.source_row,
        )
    else:
        series = timestamps.arrange(
            name, rows.time, rows.values, columns, spec, filled=rows.filled, zone=stamps.zone if stamps else None
        )
        series = replace(series, source_row=rows.source_row[series.source_row - 1])
    notes = (*(stamps.notes if stamps else ()), *series.notes)
    return replace(series, empty=rows.empty, dropped=rows.dropped, notes=notes)
