"""Series from a table of the user's own, CSV or Parquet; an error names the file, the column and the row."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets import timestamps
from grubench.data.series import Series
from grubench.errors import DataError, SpecError, UsageError
from grubench.text import LARGEST_VALUE, advise_install, count, has_control_characters, is_file, list_names, quote

# pandas would take minutes over the columns of a wider table.
MAX_COLUMNS = 100_000
# A Parquet file of a few bytes can unpack to any size.
MAX_CELLS = 10**9
# The years that Python and Matplotlib can show; Parquet's go further.
FIRST, LAST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59:59.999999", "us")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from grubench.spec.sections import Data


def read(spec: Data, path: Path) -> list[Series]:
    """The series of a table: one for each target column, or for each name in `spec.series_column`.

    Raises:
        UsageError: The file or a column does not exist.
        DataError: The file cannot be parsed or has values that cannot be trained on.
    """
    frame = read_table(path, text_column=spec.series_column)
    return split_table(frame, spec, path.name, path.stem)


def read_table(path: Path, text_column: str = "") -> pd.DataFrame:
    """The table in a CSV or Parquet file, its rows numbered from 0.

    Args:
        path: The file.
        text_column: A column to read as text, so that a name such as NA is not taken for an empty cell.

    Raises:
        UsageError: There is no such file, or nothing that reads Parquet is installed.
        DataError: The file is not a table.
    """
    if not is_file(path):
        raise UsageError(f"data.file: there is no file {path}.", "Check the path given with --csv.")
    parquet = path.suffix.lower() in (".parquet", ".pq")
    if parquet and not any(map(importlib.util.find_spec, ("pyarrow", "fastparquet"))):
        raise UsageError(f"data.file: reading {path} needs pyarrow.", advise_install("pyarrow", "parquet"))
    try:
        frame = _load_parquet(path) if parquet else _load_csv(path, text_column)
    except Exception as error:  # a damaged file can fail anywhere in pandas and pyarrow
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        kind = "Parquet" if parquet else "CSV"
        raise DataError(f"{path} cannot be read as {kind}: {reason}.", "Check the file.") from error
    if frame.empty:
        raise DataError(f"{path} holds no rows.", "Check the file.")
    duplicates = frame.columns[frame.columns.duplicated()]
    if len(duplicates):
        raise DataError(f"{path} has more than one column {quote(duplicates[0])}.", "Rename one of them.")
    return frame


def _load_parquet(path: Path) -> pd.DataFrame:
    if importlib.util.find_spec("pyarrow"):
        metadata = importlib.import_module("pyarrow.parquet").read_metadata(path)
        if metadata.num_rows * metadata.num_columns > MAX_CELLS:
            raise ValueError(f"it has {metadata.num_rows:,} rows of {metadata.num_columns:,} columns")
    frame = pd.read_parquet(path).reset_index()
    frame.columns = pd.Index([str(name) for name in frame.columns])
    return frame


def _load_csv(path: Path, text_column: str) -> pd.DataFrame:
    # Without index_col=False a comma at the end of each row would shift the columns by one.
    options: dict[str, Any] = {"skipinitialspace": True, "encoding": "utf-8-sig", "index_col": False}
    with path.open("rb") as file:
        commas = sum(piece.count(b",") for piece in _read_first_line(file))
    if commas >= MAX_COLUMNS:
        raise ValueError(f"it has {commas + 1:,} columns")
    frame: pd.DataFrame = pd.read_csv(path, **options)
    head = pd.read_csv(path, **options, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
    if len(head) == len(frame.columns):
        # pandas renames a second column of the same name to `name.1`; take the file's names, so that it is refused.
        frame.columns = pd.Index([name or old for name, old in zip(head, frame.columns, strict=True)])
    if text_column in frame.columns:
        frame[text_column] = pd.read_csv(path, **options, dtype=str, keep_default_na=False)[text_column]
    return frame


def _read_first_line(file: IO[bytes]) -> Iterator[bytes]:
    """The first line in pieces, because it can have any length."""
    while piece := file.readline(2**20):
        yield piece.partition(b"\r")[0]
        if piece.endswith(b"\n") or b"\r" in piece:
            return


def split_table(frame: pd.DataFrame, spec: Data, where: str, stem: str) -> list[Series]:
    """Split a table into its series.

    Args:
        frame: The table.
        spec: The columns and the rules.
        where: The file's name, for messages.
        stem: The name of the series where the table has only one.
    """
    if not spec.target:
        raise SpecError(f"data.target: no column of {where} is named as the target.", "Name it with --target COLUMN.")
    _check_columns(frame, spec, where)
    if len(spec.target) > 1 and spec.series_column:
        raise SpecError("data.target: several targets do not go with data.series_column.", "Give one target.")
    if spec.series_column:
        names = _series_names(frame[spec.series_column], where)
        return [
            _build_series(rows, spec.target[0], spec, where, str(name))
            for name, rows in frame.groupby(names, sort=False)
        ]
    if len(spec.target) == 1:
        return [_build_series(frame, spec.target[0], spec, where, stem)]
    return [_build_series(frame, target, spec, where, target) for target in spec.target]


def _check_columns(frame: pd.DataFrame, spec: Data, where: str) -> None:
    """Refuse settings that name columns which the table does not have."""
    settings = {
        "data.target": spec.target,
        "data.features": spec.features,
        "data.time": (spec.time,) if spec.time else (),
        "data.series_column": (spec.series_column,) if spec.series_column else (),
    }
    for key, names in settings.items():
        for name in names:
            if name not in frame.columns:
                head = list_names(frame.columns)
                other_separator = len(frame.columns) == 1 and any(mark in head for mark in ";\t|")
                hint = " Write it with commas between the columns." if other_separator else ""
                raise UsageError(f"{key}: {where} has no column {quote(name)}.", f"It has: {head}.{hint}")


def _series_names(column: pd.Series[Any], where: str) -> pd.Series[Any]:
    """The name of the series that each row belongs to, as text."""
    names = column.map(str, na_action="ignore")
    empty = (names.isna() | (names == "")).to_numpy()
    if empty.any():
        raise DataError(
            f"{where}, column {column.name!r}, data row {int(empty.argmax()) + 1} names no series.",
            "Name or remove the row.",
        )
    invalid = [name for name in names.unique() if has_control_characters(name)]
    if invalid:
        raise DataError(f"{where}, column {column.name!r}: {quote(invalid[0])} holds control characters.", "Rename it.")
    return names


def _build_series(frame: pd.DataFrame, target: str, spec: Data, where: str, name: str) -> Series:
    columns = (target, *(feature for feature in spec.features if feature != target))
    time = parse_timestamps(frame[spec.time], where, spec.time_format or None) if spec.time else None
    table = pd.DataFrame({column: parse_numbers(frame[column], where) for column in columns}, index=frame.index)
    time, values = _apply_missing_rule(time, table, spec.missing, where)
    if time is None:
        timestamps.refuse_time_features(spec, where)
        return Series(name=name, values=values, columns=columns, time=np.arange(len(values)), unit=spec.unit)
    return timestamps.arrange(name, time, values, columns, spec)


def parse_numbers(column: pd.Series[Any], where: str) -> NDArray[np.float64]:
    """A column as float64.

    Raises:
        DataError: It has text, an infinite value or one that is too large; the message names the row.
    """
    try:
        if column.dtype.kind in "mMc":  # pandas would take the nanoseconds of timestamps
            raise TypeError
        values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError) as error:  # lists, tables or timestamps in a Parquet file
        raise DataError(
            f"{where}, column {quote(column.name)} holds no numbers, but {column.dtype}.", "Name another column."
        ) from error
    bad = np.isnan(values) & column.notna().to_numpy() | (np.abs(values) > LARGEST_VALUE)
    if bad.any():
        row = int(bad.argmax())
        large = "infinite" if np.isinf(values[row]) else f"too large (the most is {LARGEST_VALUE:g})"
        shown, kind = (quote(column.iloc[row]), "not a number") if np.isnan(values[row]) else (values[row], large)
        raise DataError(
            f"{where}, column {quote(column.name)}, data row {column.index[row] + 1}: {shown} is {kind}.",
            "Fix or remove the row.",
        )
    return values


def parse_timestamps(column: pd.Series[Any], where: str, format: str | None = None) -> NDArray[np.datetime64]:
    """A column as timestamps in UTC, or as they stand where they have no time zone.

    Raises:
        DataError: A value is not a timestamp; the message names the row.
        UsageError: The format is not valid.
    """
    if pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"{where}, column {quote(column.name)} holds numbers, not timestamps.",
            "Leave --time out where rows are in order, or write ISO dates such as 2026-01-31 or 2026-01-31T10:15.",
        )
    try:
        # Always with a format: pandas would guess whether 01-05-13 is in January, May or 2001.
        parsed = pd.to_datetime(column, errors="coerce", format=format or "ISO8601", utc=_has_zone(column))
    except (ValueError, TypeError, OverflowError, re.error) as error:
        if not format:
            raise DataError(
                f"{where}, column {quote(column.name)}: {list_names([error])}.", "Write ISO dates."
            ) from error
        message = f"data.time_format: {quote(format)} is not a valid date format: {list_names([error])}."
        raise UsageError(message, "Write one such as %d-%m-%y.") from error
    if parsed.dt.tz is not None:
        parsed = parsed.dt.tz_localize(None)
    values: NDArray[np.datetime64] = parsed.to_numpy("datetime64[us]")
    bad = np.isnat(values) | (values < FIRST) | (values > LAST)
    if bad.any():
        row = int(bad.argmax())
        expected = f"in the format {format}" if format else "an ISO timestamp, such as 2026-01-31 or 2026-01-31T10:15"
        raise DataError(
            f"{where}, column {quote(column.name)}, data row {column.index[row] + 1}: "
            f"{quote(column.iloc[row])} is not {expected}.",
            "Fix the row, or give another format with --time-format, such as %d/%m/%Y.",
        )
    return values


def _has_zone(column: pd.Series[Any]) -> bool:
    """Whether the first timestamp has an offset from UTC; with daylight saving time a column has two."""
    first = str(column.iloc[0])
    return first.endswith("Z") or "+" in first[10:] or "-" in first[10:]


def _apply_missing_rule(
    time: NDArray[np.datetime64] | None, frame: pd.DataFrame, rule: str, where: str
) -> tuple[NDArray[np.datetime64] | None, NDArray[np.float64]]:
    """Apply the rule for empty cells to the columns, whose index has the row numbers of the file."""
    empty = frame.isna().to_numpy()
    if not empty.any():
        return time, frame.to_numpy()
    row, column = np.argwhere(empty)[0]
    if rule == "error":
        raise DataError(
            f"{where}, column {frame.columns[column]!r}, data row {frame.index[row] + 1} is empty (NaN); "
            f"{count(int(empty.sum()), 'empty cell')} in all.",
            "Use --missing drop or --missing fill, or fix the file.",
        )
    if empty.all(axis=0).any():
        column = int(empty.all(axis=0).argmax())
        raise DataError(f"{where}, column {frame.columns[column]!r} is empty.", "Leave the column out.")
    if rule == "fill":
        # Forward fill only: interpolation would leak later values, of the test part too, into earlier ones.
        order = np.arange(len(frame)) if time is None else np.argsort(time, kind="stable")
        frame, time = frame.iloc[order].ffill(), None if time is None else time[order]
    keep = frame.notna().all(axis=1).to_numpy()
    return (None if time is None else time[keep]), frame[keep].to_numpy()
