"""What each column of a table holds, and which are the times, the series and the target, as far as can be guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from grubench.data.datasets import columns as cells
from grubench.data.datasets.number_format import NumberFormat
from grubench.data.datasets.row_order import (
    MAX_REPEATED,
    TIME_NAMES,
    find_dates,
    find_series_columns,
    holds_times_of_day,
)
from grubench.data.datasets.stamp_formats import find_formats
from grubench.data.datasets.stamps import join_columns, parse_stamps
from grubench.errors import GrubenchError
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from grubench.spec.sections import Data

T = TypeVar("T")
# Steps that differ by a smaller share of the typical one are equal; of a clock's, nearly all are.
EVEN, MIN_EVEN = 0.05, 0.95
# Rows of totals that may stand at the end.
MAX_TOTALS = 3
# Cells by which a column is told that holds numbers or times but for some cells.
FIRST_CELLS = 50

WORD = re.compile(r"[^\d]*[^\W\d_][^\d]*")

# Of columns that each hold a part of a time.
PART_NAMES = (("year", "jahr", "yyyy"), ("month", "monat", "mm"), ("day", "tag", "dd"), ("hour", "stunde", "hr", "hh"))
# Names that people give to columns of targets.
TARGET_NAMES = ("target", "y", "value", "price", "close", "sales", "load", "demand")


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        kind: `time`, `number`, `text` or `empty`.
        missing: Empty cells.
        distinct: Different values.
        lowest: The least value, or some of the texts.
        highest: The greatest value.
        numbers: `(row,)`, NaN where a cell is empty; None where it holds no numbers.
        times: `(row,)`; None where it holds no times.
        trouble: Why it holds no numbers or times, where its first cells are some, and what to do about it.
        is_nearly_numbers: Whether its first cells are numbers.
    """

    name: str
    kind: str
    missing: int
    distinct: int
    lowest: object
    highest: object
    numbers: NDArray[np.float64] | None = None
    times: NDArray[np.datetime64] | None = None
    trouble: str = ""
    is_nearly_numbers: bool = False


@dataclass(frozen=True, kw_only=True)
class UnreadTime:
    """A column of dates that cannot be read yet.

    Attributes:
        name: Its name, or those of the columns of dates and of times of the day.
        series_column: The column that names the series, as far as the dates tell.
        needs_format: Whether all cells are dates, in one of several formats.
    """

    name: str
    series_column: str
    needs_format: bool


def describe_column(column: pd.Series[Any], style: NumberFormat, spec: Data) -> Column:
    """What a column holds: times, numbers or text."""
    name = str(column.name)
    there = column[column.notna() & (column != "")]
    missing = len(column) - len(there)
    if there.empty:
        return Column(name=name, kind="empty", missing=missing, distinct=0, lowest="", highest="")
    stamps = _parse(lambda: parse_stamps(column, name, spec.time_format))
    if stamps is not None and (column.dtype.kind not in "iuf" or name.lower() in TIME_NAMES):
        local = stamps.zone.to_local(stamps.time) if stamps.zone else stamps.time
        return Column(
            name=name,
            kind="time",
            missing=missing,
            distinct=len(np.unique(stamps.time)),
            lowest=local[stamps.time.argmin()],
            highest=local[stamps.time.argmax()],
            times=stamps.time,
        )
    numbers = _parse(lambda: cells.parse_numbers(column, name, style))
    if numbers is not None and np.isfinite(numbers).any():
        different = np.unique(numbers[np.isfinite(numbers)])
        return Column(
            name=name,
            kind="number",
            missing=int(np.isnan(numbers).sum()),
            distinct=len(different),
            lowest=float(different[0]),
            highest=float(different[-1]),
            numbers=numbers,
        )
    texts = there.astype(str).unique()
    first = there.head(FIRST_CELLS)
    trouble = ""
    is_nearly_numbers = _parse(lambda: cells.parse_numbers(first, name, style)) is not None
    if is_nearly_numbers:
        trouble = _explain(lambda: cells.parse_numbers(column, name, style))
    elif find_formats(texts[0].strip()) or _parse(lambda: parse_stamps(first, name, spec.time_format)) is not None:
        trouble = _explain(lambda: parse_stamps(column, name, spec.time_format))
    return Column(
        name=name,
        kind="text",
        missing=missing,
        distinct=len(texts),
        lowest=", ".join(map(quote, sorted(texts)[:3])),
        highest="",
        trouble=trouble,
        is_nearly_numbers=is_nearly_numbers,
    )


def _parse(parse: Callable[[], T]) -> T | None:
    """What a column is parsed to; None where its cells are something else."""
    try:
        return parse()
    except GrubenchError:
        return None


def _explain(parse: Callable[[], object]) -> str:
    """Why a column cannot be parsed."""
    try:
        parse()
    except GrubenchError as error:
        return f"{error.message.partition(', ')[2]} {error.remedy}".strip()
    return ""


def choose_time(frame: pd.DataFrame, every: Sequence[Column], spec: Data) -> Column | None:
    """The column of times, or several that hold a date and a time of the day, or a year and a month."""
    return _add_parts(frame, every, _choose_time(every), spec)


def _choose_time(every: Sequence[Column]) -> Column | None:
    """The column of times with the most different ones; of several with as many, the one that is named so."""
    times = [column for column in every if column.kind == "time"]
    return max(times, key=lambda column: (column.distinct, column.name.lower() in TIME_NAMES), default=None)


def _add_parts(frame: pd.DataFrame, every: Sequence[Column], time: Column | None, spec: Data) -> Column | None:
    """Columns that hold the parts of a time together, where one alone repeats; else the column itself."""
    if time is not None and not _repeats(time):
        return time
    for names in _list_parts(frame, every, time):
        joined = join_columns([frame[name] for name in names], ",".join(names))
        both = describe_column(joined, NumberFormat(), spec)
        if both.kind == "time" and not _repeats(both):
            return both
    return time


def _list_parts(frame: pd.DataFrame, every: Sequence[Column], time: Column | None) -> Iterator[list[str]]:
    """Columns that may hold the parts of a time."""
    dates = [time.name] if time else [column.name for column in every if column.trouble]
    for date, column in product(dates, every):
        is_hour = column.kind == "number" and column.name.lower() in PART_NAMES[-1]
        if is_hour or (column.kind == "text" and holds_times_of_day(frame[column.name])):
            yield [date, column.name]
    parts = [next((column.name for column in every if column.name.lower() in names), "") for names in PART_NAMES]
    if all(parts[:2]):
        yield [part for place, part in enumerate(parts) if all(parts[: place + 1])]


def _repeats(time: Column) -> bool:
    assert time.times is not None
    return len(time.times) - time.distinct > MAX_REPEATED * len(time.times)


def find_series_column(frame: pd.DataFrame, time: Column | None) -> str:
    """The column that names the series of a table in which times repeat; empty where there is one series."""
    if time is None or not _repeats(time):
        return ""
    columns = find_series_columns(frame.assign(**{time.name: time.times}), [time.name], ())
    return columns[0] if len(columns) == 1 else ""


def find_totals(frame: pd.DataFrame, every: Sequence[Column], spec: Data) -> pd.Series[Any] | None:
    """The last cells of a column of times that are words, such as Total; None where there are none.

    Args:
        frame: The table.
        every: What its columns hold.
        spec: Flags that say how the file is written.
    """
    for column in every:
        if column.kind != "text":
            continue
        last = frame[column.name].iloc[-MAX_TOTALS - 1 :]
        are_words = [isinstance(cell, str) and bool(WORD.fullmatch(cell)) for cell in last]
        length = next((place for place, is_word in enumerate(reversed(are_words)) if not is_word), 0)
        if not 0 < length <= MAX_TOTALS:
            continue
        rest = frame[column.name].iloc[:-length]
        is_time = describe_column(rest, NumberFormat(), spec).kind == "time"
        if is_time or find_dates(rest.to_frame(), (), column.name) is not None:
            return frame[column.name].iloc[-length:]
    return None


def find_unread_time(frame: pd.DataFrame, every: Sequence[Column]) -> UnreadTime | None:
    """The column of dates that cannot be read yet; None where there is none."""
    names = [column.name for column in every if column.kind == "text" and column.trouble]
    dates = find_dates(frame[names], (), "")
    if dates is None:
        return None
    needs_format = bool(dates.values.notna().all())
    times, distinct = dates.values.to_numpy("datetime64[us]"), dates.values.nunique()
    time = Column(name=dates.name, kind="time", missing=0, distinct=distinct, lowest="", highest="", times=times)
    series_column = find_series_column(frame, time)
    if series_column and holds_times_of_day(frame[series_column]):
        return UnreadTime(name=f"{dates.name},{series_column}", series_column="", needs_format=needs_format)
    return UnreadTime(name=dates.name, series_column=series_column, needs_format=needs_format)


def choose_target(every: Sequence[Column], time: Column | None, series_column: str) -> Column | None:
    """The column to forecast: one that is named so, else the first of numbers that are neither constant nor a clock.

    A column of numbers but for a cell or two may be it: what is wrong with it is told.
    """
    used = {*(time.name.split(",") if time else []), time.name if time else "", series_column}
    numbers = [
        column
        for column in every
        if (column.kind == "number" or column.is_nearly_numbers) and column.distinct > 1 and column.name not in used
    ]
    numbers = [column for column in numbers if not rises_evenly(column)]
    named = [column for column in numbers if column.name.lower() in TARGET_NAMES]
    return next(iter([*named, *numbers]), None)


def rises_evenly(column: Column) -> bool:
    """Whether its numbers rise in steps that are nearly equal, but for gaps: as those of the rows do, or a clock."""
    numbers = np.empty(0) if column.numbers is None else column.numbers[np.isfinite(column.numbers)]
    if len(numbers) < 3:
        return False
    steps = np.diff(numbers)
    step = np.median(steps)
    return bool((steps > 0).all() and (np.abs(steps - step) <= EVEN * step).mean() >= MIN_EVEN)
