"""Tables whose rows are not one series in order of time: several series in one, or the newest row first."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.errors import UsageError
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
# How people write dates, where they are not ISO dates; a time may follow.
DATE_FORMATS = (
    *("ISO8601", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y"),
)
CLOCK = re.compile(r"[T ]\d{1,2}:\d{2}.*$")


@dataclass(frozen=True, kw_only=True, eq=False)
class Dates:
    """A column of dates: its name, how they are written, and `(row,)`, NaT where a cell is none."""

    name: str
    format: str
    values: pd.Series[Any]

    @property
    def flags(self) -> str:
        """The flags that name it."""
        form = "" if self.format == "ISO8601" else f" --time-format {shlex.quote(self.format)}"
        return f"--time {shlex.quote(self.name)}{form}"


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
        if 1 < candidates[name] <= len(table) / MIN_SERIES_ROWS and not pd.api.types.is_float_dtype(table[name])
    ]
    for chosen in [*((name,) for name in names), *combinations(names[:MAX_PAIRED], 2)]:
        if table.duplicated([*keys, *chosen]).mean() <= MAX_REPEATED:
            return list(chosen)
    return []


def _is_number(column: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def holds_times_of_day(column: pd.Series[Any]) -> bool:
    """Whether the first cells are times such as 17:24:00."""
    return all(TIME_OF_DAY.match(str(cell)) for cell in column.dropna().head(SAMPLE_ROWS))


def check_order(table: pd.DataFrame, spec: Data, where: str) -> tuple[str, ...]:
    """Look for dates in a table of which no column of times is named.

    Returns:
        A warning where the newest row comes first, or the rows are in no order of their dates.

    Raises:
        UsageError: More than a tenth of the dates repeat, and a column of text tells the series apart.
    """
    table = table.head(MAX_ROWS)
    dates = find_dates(table, (*spec.target, *spec.features, spec.series_column))
    if dates is None:
        return ()
    table = table.assign(**{dates.name: dates.values})
    keys = [dates.name, *filter(None, [spec.series_column])]
    repeated = table.duplicated(keys)
    if repeated.mean() > MAX_REPEATED and spec.duplicates == "first":
        columns = find_series_columns(table, keys, (*spec.target, *spec.features))
        if columns and not any(_is_number(table[name]) or holds_times_of_day(table[name]) for name in columns):
            first = "the first " if len(table) == MAX_ROWS else ""
            _refuse(f"{int(repeated.sum()):,} of {first}{len(table):,} rows of {where} repeat", keys, table, spec)
    steps = np.sign(np.diff(dates.values.dropna().to_numpy("datetime64[us]")).astype(np.int64))
    earlier, later = int((steps < 0).sum()), int((steps > 0).sum())
    if earlier <= MAX_REPEATED * (earlier + later) or (spec.series_column and earlier < later):
        return ()
    order = "the newest row first" if earlier > later else "its rows in no order"
    return (
        f"{where} seems to have {order}, by its column {quote(dates.name)}: rows are taken as they stand, the first as "
        f"the oldest. Name the column with {dates.flags}.",
    )


def find_dates(table: pd.DataFrame, used: Sequence[str]) -> Dates | None:
    """Find the first column of text that holds dates; None where there is none."""
    texts = [name for name in table.columns if name not in used and not _is_number(table[name])]
    for name in texts[:MAX_TEXTS]:
        column = table[name]
        sample = column.dropna().head(SAMPLE_ROWS)
        for form in DATE_FORMATS if len(sample) else ():
            if _parse_dates(sample, form).notna().all():
                return Dates(name=str(name), format=form, values=_parse_dates(column, form))
    return None


def _parse_dates(column: pd.Series[Any], form: str) -> pd.Series[Any]:
    if pd.api.types.is_datetime64_any_dtype(column):
        dates: pd.Series[Any] = column.dt.tz_localize(None)
        return dates
    text = column.astype(str).where(column.notna())
    if form != "ISO8601":
        text = text.str.replace(CLOCK, "", regex=True)
    elif not text.dropna().str.contains(r"^\d{4}-?\d{2}").all():
        return pd.Series(pd.NaT, index=column.index)
    parsed: pd.Series[Any] = pd.to_datetime(text, format=form, errors="coerce", utc=True).dt.tz_localize(None)
    return parsed
