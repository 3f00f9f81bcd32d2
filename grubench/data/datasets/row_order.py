"""Tables whose rows are not one series in order of time: several series in one, or the newest row first."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets.stamp_formats import find_formats, parse_texts
from grubench.data.datasets.stamps import parse_stamps
from grubench.errors import GrubenchError, UsageError
from grubench.text import list_names, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from grubench.data.series import Series
    from grubench.spec.sections import Data

# Times of which a larger part repeats are those of several series, each of which has some rows.
MAX_REPEATED = 0.1
MIN_SERIES_ROWS = 3
# Columns that are tried two by two.
MAX_PAIRED = 8
# Rows that a column of dates is known by.
SAMPLE_ROWS = 50
TIME_OF_DAY = re.compile(r"\s*\d{1,2}:\d{2}")
# Columns of text that are looked at, and rows in which dates are looked for repetition and order.
MAX_TEXTS = 20
MAX_ROWS = 20_000
SHOWN_NAMES = 5
# Names that people give to columns of times, and to columns of parts of a time.
TIME_NAMES = ("time", "date", "datetime", "timestamp", "ts", "datum", "zeit", "ds", "day", "month", "year")
PART_NAMES = (
    *("year", "jahr", "yyyy", "quarter", "month", "monat", "mm", "week", "day", "tag", "dd", "weekday"),
    *("hour", "stunde", "hr", "hh", "minute", "second", "slot", "period", "interval", "clock", "time"),
)
# As many different numbers count the hours of a day, or parts of them.
TIMES_OF_DAY = (24, 48, 96, 144, 288, 1440)
# The part of the times at which a series that a number names is there.
MIN_PRESENT = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Dates:
    """A column of dates: its name, and `(row,)`, NaT where a cell is none."""

    name: str
    values: pd.Series[Any]


def check_one_series(
    every: Sequence[Series], spec: Data, where: str, times: Sequence[str], load_table: Callable[[], pd.DataFrame]
) -> None:
    """Refuse series of which more than a tenth of the timestamps repeat, unless a rule for these rows is chosen.

    Args:
        every: The series, each with the rule for duplicates applied.
        spec: The columns and the rules.
        where: The file's name, for messages.
        times: The columns of times.
        load_table: Gives the whole table, in which the column that tells the series apart is looked for.

    Raises:
        UsageError: Naming the likely column.
    """
    repeated = sum(series.duplicated for series in every)
    rows = repeated + sum(map(len, every))
    if spec.duplicates != "first" or repeated <= MAX_REPEATED * rows:
        return
    keys = [*times, *filter(None, [spec.series_column])]
    _refuse(f"{repeated:,} of {rows:,} rows of {where} repeat", keys, load_table(), spec)


def _refuse(start: str, keys: list[str], table: pd.DataFrame, spec: Data) -> None:
    columns = find_series_columns(table, keys, (*spec.target, *spec.features))
    within = f" within a series of {quote(spec.series_column)}" if spec.series_column else ""
    problem = f"data.series_column: {start} a time of {quote(keys[0])}{within}"
    one_series = "If it is one series, choose among its rows with --duplicates last, mean or keep."
    if not columns:
        raise UsageError(f"{problem}, and no other column tells them apart.", one_series)
    if holds_times_of_day(table[columns[-1]]):
        flag = shlex.quote(f"{keys[0]},{columns[-1]}")
        raise UsageError(f"{problem}; the time of the day is in {quote(columns[-1])}.", f"Call with --time {flag}.")
    if len(columns) == 1 and not spec.series_column:
        names = table[columns[0]].dropna().unique()
        shown = f"{list_names(names[:SHOWN_NAMES])}{', ...' if len(names) > SHOWN_NAMES else ''}"
        time_flag = "" if spec.time else f"--time {shlex.quote(keys[0])} "
        flags = f"{time_flag}--series-column {shlex.quote(columns[0])}"
        raise UsageError(
            f"{problem}: the table seems to hold several series, one for each of {len(names)} values of "
            f"{quote(columns[0])} ({shown}).",
            f"Call with {flags}. {one_series}",
        )
    together = " and ".join(map(repr, dict.fromkeys([*filter(None, [spec.series_column]), *columns])))
    raise UsageError(
        f"{problem}: the table seems to hold a series for each pair of values of {together}.",
        f"Join these columns in one, and name it with --series-column. {one_series}",
    )


def find_series_columns(table: pd.DataFrame, keys: Sequence[str], used: Sequence[str]) -> list[str]:
    """Find the column that tells apart rows with equal keys, the one with the fewest values; else the pair of columns.

    Args:
        table: The table.
        keys: The column of times, and the column of series where there is one.
        used: Columns that are the target or inputs.

    Returns:
        One name, two, or none.
    """
    candidates = {name: table[name].nunique() for name in table.columns if name not in (*keys, *used)}
    names = [
        name
        for name in sorted(candidates, key=lambda name: (_is_number(table[name]), candidates[name]))
        if 1 < candidates[name] <= len(table) / MIN_SERIES_ROWS and _may_name(table[name])
    ]
    for chosen in [*((name,) for name in names), *combinations(names[:MAX_PAIRED], 2)]:
        if table.duplicated([*keys, *chosen]).mean() <= MAX_REPEATED:
            return list(chosen)
    return []


def _may_name(column: pd.Series[Any]) -> bool:
    """Whether a column holds texts or whole numbers."""
    return not pd.api.types.is_float_dtype(column) or bool((column.dropna() % 1 == 0).all())


def _is_number(column: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def holds_times_of_day(column: pd.Series[Any]) -> bool:
    """Whether the first cells are times such as 17:24:00."""
    return all(TIME_OF_DAY.match(str(cell)) for cell in column.dropna().head(SAMPLE_ROWS))


def check_order(table: pd.DataFrame, spec: Data, where: str, load_table: Callable[[], pd.DataFrame]) -> tuple[str, ...]:
    """Look for dates in a table of which no column of times is named.

    Args:
        table: The columns that are needed, and those that may hold dates.
        spec: The columns and the rules.
        where: The file's name, for messages.
        load_table: Gives the whole table, in which the column that tells series apart is looked for.

    Returns:
        A warning where the newest row comes first, or the rows are in no order of their dates.

    Raises:
        UsageError: More than a tenth of the dates repeat, and a column tells the series apart.
    """
    table = table.head(MAX_ROWS)
    dates = find_dates(table, (*spec.target, *spec.features, spec.series_column), where)
    if dates is None:
        return ()
    times = dates.values.dropna()
    keys = [dates.name, *filter(None, [spec.series_column])]
    repeated = table.loc[times.index].assign(**{dates.name: times}).duplicated(keys)
    if repeated.mean() > MAX_REPEATED and spec.duplicates == "first":
        whole = load_table().loc[times.index].assign(**{dates.name: times})
        if _holds_panel(whole, keys, find_series_columns(whole, keys, (*spec.target, *spec.features))):
            first = "the first " if len(table) == MAX_ROWS else ""
            _refuse(f"{int(repeated.sum()):,} of {first}{len(times):,} rows of {where} repeat", keys, whole, spec)
    steps = np.sign(np.diff(times.to_numpy("datetime64[us]")).astype(np.int64))
    earlier, later = int((steps < 0).sum()), int((steps > 0).sum())
    if earlier <= MAX_REPEATED * (earlier + later) or (spec.series_column and earlier < later):
        return ()
    order = "the newest row first" if earlier > later else "its rows in no order"
    return (
        f"{where} seems to have {order}, by its column {quote(dates.name)}: rows are taken as they stand, the first as "
        f"the oldest. Name the column with --time {shlex.quote(dates.name)}.",
    )


def _holds_panel(table: pd.DataFrame, keys: list[str], columns: list[str]) -> bool:
    """Whether columns that tell rows of one time apart name series, and are neither a part of the time nor a count.

    Texts name series. Numbers do where most of them are there at most times: those of trades or counts are not.
    """
    parts = [name for name in columns if name.lower() in PART_NAMES or _counts_times_of_day(table[name])]
    if not columns or parts or any(holds_times_of_day(table[name]) for name in columns):
        return False
    if not any(_is_number(table[name]) for name in columns):
        return True
    cells = len(table.drop_duplicates(columns)) * len(table.drop_duplicates(keys))
    return len(table) >= MIN_PRESENT * cells


def _counts_times_of_day(column: pd.Series[Any]) -> bool:
    """Whether it counts the hours of a day, or parts of an hour, from 0 or 1."""
    if not _is_number(column):
        return False
    different = np.sort(column.dropna().unique())
    return len(different) in TIMES_OF_DAY and different[0] in (0, 1) and bool((np.diff(different) == 1).all())


def find_dates(table: pd.DataFrame, used: Sequence[str], where: str) -> Dates | None:
    """Find the first column that holds dates, of text or of numbers that are called times; None where there is none."""
    names = [
        name
        for name in table.columns
        if name not in used and (not _is_number(table[name]) or str(name).lower() in TIME_NAMES)
    ]
    for name in names[:MAX_TEXTS]:
        values = _read_dates(table[name], where)
        if values is not None:
            return Dates(name=str(name), values=values)
    return None


def _read_dates(column: pd.Series[Any], where: str) -> pd.Series[Any] | None:
    """The dates of a column, NaT where a cell is none; None where its first cells are no dates."""
    there = column[column.notna() & (column != "")]
    if there.empty:
        return None
    sample = there.head(SAMPLE_ROWS)
    times = _parse_dates(sample, where)
    if times is None:
        return None
    every = _parse_dates(there, where)
    return (times if every is None else every).reindex(column.index)


def _parse_dates(column: pd.Series[Any], where: str) -> pd.Series[Any] | None:
    """Cells as dates, in the first format that fits where several do; None where some are none."""
    try:
        return pd.Series(parse_stamps(column, where).time, index=column.index)
    except GrubenchError:
        pass
    for form in find_formats(str(column.iloc[0]).strip()):
        times = parse_texts(column.astype(str).str.strip(), form)
        if times.notna().all():
            return times.dt.tz_localize(None) if times.dt.tz is not None else times
    return None
