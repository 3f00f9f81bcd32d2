"""Columns of a table as numbers; an error names the file, the column and the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets.number_format import NumberFormat, parse
from grubench.errors import DataError
from grubench.text import LARGEST_VALUE, count, quote

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Whole numbers beyond it are not exact in float64.
LARGEST_EXACT = 2.0**53


def parse_numbers(column: pd.Series[Any], where: str, style: NumberFormat | None = None) -> NDArray[np.float64]:
    """A column as float64.

    Args:
        column: The column; its index has the row numbers of the file, from 0.
        where: The file's name, for messages.
        style: How numbers are written where the cells are text.

    Raises:
        DataError: It has text, an infinite value or one that is too large; the message names the row.
    """
    try:
        column, values = _convert(column, style or NumberFormat(), where)
    except (TypeError, ValueError, OverflowError) as error:  # lists, tables or timestamps in a Parquet file
        raise DataError(
            f"{where}, column {quote(column.name)} holds no numbers, but {column.dtype}.", "Name another column."
        ) from error
    codes = style.codes if style else ()
    is_code = np.isin(values, codes) if codes else np.zeros(len(values), bool)
    bad = (np.abs(values) > LARGEST_VALUE) & ~is_code
    if column.dtype.kind not in "iuf":
        bad |= np.isnan(values) & column.notna().to_numpy()
    if bad.any():
        row = int(bad.argmax())
        large = "infinite" if np.isinf(values[row]) else f"too large (the most is {LARGEST_VALUE:g})"
        shown, kind = (quote(column.iloc[row]), "not a number") if np.isnan(values[row]) else (values[row], large)
        raise DataError(
            f"{where}, column {quote(column.name)}, data row {column.index[row] + 1}: {shown} is {kind}.",
            f"Fix or remove the row; or say {_advise_na(shown, style)} if it stands for a missing number, "
            "or --decimal and --thousands if it is written in another way.",
        )
    return np.where(is_code, np.nan, values) if is_code.any() else values


def _advise_na(text: object, style: NumberFormat | None) -> str:
    """The flag that takes a text for a missing number, beside those that are known: it replaces them."""
    known = [one for one in (style.na if style else ()) if "," not in one]
    word = str(text).strip("'")
    return f"--na {','.join([*known, word])}" if word.isidentifier() else "--na TEXT"


def _convert(column: pd.Series[Any], style: NumberFormat, where: str) -> tuple[pd.Series[Any], NDArray[np.float64]]:
    """A column without the texts for missing numbers, and its numbers; NaN where a cell is none."""
    if column.dtype.kind in "mMc":  # pandas would take the nanoseconds of timestamps
        raise TypeError
    if column.dtype.kind in "iuf" and isinstance(column.dtype, np.dtype):
        values = column.to_numpy(np.float64)
        _check_whole(column, values, where)
        return column, values
    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        text = np.ones(len(column), bool)
    elif column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
        text = np.fromiter((isinstance(value, str) for value in column), bool, len(column))
    else:
        text = np.zeros(len(column), bool)
    if not text.any():
        return column, pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    texts = column.where(text, "").astype("str").str.strip()
    column = column.mask(text & texts.isin(["", *style.na]).to_numpy())
    text &= column.notna().to_numpy()
    values = np.full(len(column), np.nan)
    values[text] = parse(column[text], style, where)
    values[~text] = pd.to_numeric(column[~text], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return column, values


def _check_whole(column: pd.Series[Any], values: NDArray[np.float64], where: str) -> None:
    """Refuse whole numbers that are different, and equal once they are float64.

    Raises:
        DataError: Naming the column.
    """
    if column.dtype.kind not in "iu" or not len(values) or max(values.max(), -values.min()) < LARGEST_EXACT:
        return
    if column.nunique() > len(np.unique(values)):
        raise DataError(
            f"{where}, column {quote(column.name)} has whole numbers beyond 2^53, of which float64 cannot tell those "
            "next to each other apart.",
            "Take off a constant that all of them share, or leave the column out.",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CompleteRows:
    """The rows of a series without an empty cell.

    Attributes:
        values: `(time, feature)`, the target first.
        time: `(time,)`; None where there are no timestamps.
        filled: `(time,)`, whether the target's cell was empty and took the value of the row before.
        source_row: `(time,)`, the data row of the file, counted from 1.
        empty: Cells that were empty.
        dropped: Rows that were left out.
    """

    values: NDArray[np.float64]
    time: NDArray[np.datetime64] | None
    filled: NDArray[np.bool_]
    source_row: NDArray[np.int64]
    empty: int
    dropped: int


def apply_missing_rule(time: NDArray[np.datetime64] | None, frame: pd.DataFrame, rule: str, where: str) -> CompleteRows:
    """Apply the rule for empty cells to the columns, whose index has the row numbers of the file."""
    empty = frame.isna().to_numpy()
    if not empty.any():
        return CompleteRows(
            values=frame.to_numpy(),
            time=time,
            filled=np.zeros(len(frame), bool),
            source_row=frame.index.to_numpy(np.int64) + 1,
            empty=0,
            dropped=0,
        )
    _check_empty(frame, empty, rule, where)
    order = np.arange(len(frame))
    if rule == "fill":
        # Forward fill only: interpolation would leak later values, of the test part too, into earlier ones.
        order = order if time is None else np.argsort(time, kind="stable")
        frame = frame.iloc[order].ffill()
    keep = frame.notna().all(axis=1).to_numpy()
    return CompleteRows(
        values=frame[keep].to_numpy(),
        time=None if time is None else time[order][keep],
        filled=empty[order, 0][keep],
        source_row=frame.index[keep].to_numpy(np.int64) + 1,
        empty=int(empty.sum()),
        dropped=int((~keep).sum()),
    )


def _check_empty(frame: pd.DataFrame, empty: NDArray[np.bool_], rule: str, where: str) -> None:
    """Refuse empty cells where that is the rule."""
    row, column = np.argwhere(empty)[0]
    if rule == "error":
        raise DataError(
            f"{where}, column {frame.columns[column]!r}, data row {frame.index[row] + 1} is empty (NaN); "
            f"{count(int(empty.sum()), 'empty cell')} in all.",
            "Use --missing drop or --missing fill, or fix the file.",
        )


def check_not_empty(frame: pd.DataFrame, where: str) -> None:
    """Refuse a table of which a column is empty.

    Raises:
        DataError: Naming the column.
    """
    empty = frame.isna().all(axis=0).to_numpy()
    if empty.any():
        raise DataError(f"{where}, column {frame.columns[int(empty.argmax())]!r} is empty.", "Leave the column out.")
