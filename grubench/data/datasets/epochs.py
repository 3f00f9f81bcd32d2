"""Timestamps that are numbers: years, dates without signs, and seconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.errors import DataError
from grubench.text import quote

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What `--time-format` calls the units of numbers since 1970 and Excel's of days, and their parts of a second.
EXCEL = "excel"
UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", EXCEL: "days of Excel"}
PARTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# The day of 1970-01-01 in Excel.
EXCEL_EPOCH = 25_569
# Numbers since 1970 are told by their size: from 1973 to 2286, in any unit.
EARLIEST_S, LATEST_S = 10**8, 10**10
# The digits of a date without signs between its parts.
DATES = {4: "%Y", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
REMEDY = (
    "Say what they are with --time-format: %Y, %Y%m%d, %Y%m or the like; s, ms, us or ns since 1970; or excel for its "
    "days since 1900. Or leave --time out where rows are in order."
)


def find_number_format(column: pd.Series[Any], name: object, where: str) -> str:
    """What a column of numbers says: a date format, or the unit of numbers since 1970.

    Args:
        column: The numbers, or their texts.
        name: The column's name, for messages.
        where: The file's name, for messages.

    Raises:
        DataError: It cannot be told.
    """
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = np.isnan(numbers)
    if bad.any():
        row = int(bad.argmax())
        place = f"{where}, column {quote(name)}, data row {column.index[row] + 1}"
        message = f"{place}: {quote(column.iloc[row])} is not a number, and others are."
        raise DataError(message, "Fix the row, or say --time-format.")
    low, high = numbers.min(), numbers.max()
    pattern = DATES.get(len(str(int(low)))) if np.isfinite(high) and (numbers % 1 == 0).all() else None
    if pattern and _is_year(low) and _is_year(high):
        texts = pd.Series(numbers.astype(np.int64)).astype("str")
        if pd.to_datetime(texts, format=pattern, errors="coerce").notna().all():
            return pattern
    for unit, part in PARTS.items():
        if low >= EARLIEST_S * part and high < LATEST_S * part:
            return unit
    raise DataError(f"{where}, column {quote(name)} holds numbers, not timestamps.", REMEDY)


def _is_year(number: float) -> bool:
    """Whether a number begins with the digits of a year that data are of."""
    return 1500 <= int(str(int(number))[:4]) <= 2500


def parse_epoch(column: pd.Series[Any], unit: str) -> NDArray[np.datetime64]:
    """Numbers since 1970 as timestamps in UTC, `(row,)`, or Excel's as they stand; NaT where there is none."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if unit == EXCEL:  # to the millisecond: a second has five digits of a day
        numbers, unit = np.rint((numbers - EXCEL_EPOCH) * 86_400_000), "ms"
    scaled = np.rint(numbers / PARTS[unit] * 1e6)
    valid = np.abs(scaled) < 2**62
    time = np.full(len(scaled), np.datetime64("NaT"), "datetime64[us]")
    time[valid] = scaled[valid].astype(np.int64).astype("datetime64[us]")
    return time
