"""What timestamps do to a series: sorting, duplicated and missing timestamps, inputs made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grubench.data.calendar import Slots, find_calendar
from grubench.data.series import Series
from grubench.data.zones import choose_clock
from grubench.errors import DataError, SpecError
from grubench.text import list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from grubench.data.calendar import Calendar
    from grubench.data.zones import Zone
    from grubench.spec.sections import Data

# More missing timestamps than this come from a wrong one, and would fill the memory.
MAX_FILLED = 20_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class _TimedRows:
    """Rows with timestamps, `(time,)` each, and `(time, feature)` for the values; `Series` says what they are."""

    time: NDArray[np.datetime64]
    values: NDArray[np.float64]
    filled: NDArray[np.bool_]
    source_row: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> _TimedRows:
        """Some of the rows, or some of them several times."""
        return _TimedRows(**{key: column[rows] for key, column in vars(self).items()})


def arrange(
    name: str,
    time: NDArray[np.datetime64],
    values: NDArray[np.float64],
    columns: tuple[str, ...],
    spec: Data,
    *,
    filled: NDArray[np.bool_] | None = None,
    zone: Zone | None = None,
) -> Series:
    """Sort a series by its timestamps, and apply the spec's rules for duplicates and gaps.

    Rows with equal timestamps stay in the order of the file. Duplicates and gaps are counted before the
    rules change anything. Gaps are counted in regular timestamps only: of a calendar such as business days nobody
    knows whether a missing day is a holiday, until the gaps are to be filled.

    Args:
        name: The series' name.
        time: `(time,)`, datetime64.
        values: `(time, feature)`, the target first, without the inputs made from the timestamps.
        columns: The names of the features.
        spec: The rules, and the inputs to make from the timestamps.
        filled: `(time,)`, whether the target's value is a copy of an earlier one; none where it is left out.
        zone: The zone of the timestamps, which are then in UTC.

    Raises:
        DataError: There are duplicates or gaps and the rule is to refuse them, or irregular timestamps have no gaps
            to fill.
    """
    timestamps = time.astype("datetime64[us]")
    filled = np.zeros(len(time), bool) if filled is None else filled
    rows = _TimedRows(time=timestamps, values=values, filled=filled, source_row=np.arange(1, len(time) + 1))
    if (timestamps[1:] < timestamps[:-1]).any():
        rows = rows.take(np.argsort(timestamps, kind="stable"))
    repeated = np.concatenate([[False], rows.time[1:] == rows.time[:-1]])
    duplicated = int(repeated.sum())
    rows = _apply_duplicate_rule(name, rows, repeated, spec.duplicates)
    clock = choose_clock(rows.time, zone)
    rows = replace(rows, time=clock.to_local(rows.time)) if clock else rows
    rows, missing = _apply_gap_rule(name, rows, spec.gaps)
    rows = replace(rows, time=clock.to_utc(rows.time)) if clock else rows
    values = rows.values
    if spec.time_features:
        local = zone.to_local(rows.time) if zone else rows.time
        values = np.column_stack([values, compute_time_features(local, spec.time_features)])
    return Series(
        name=name,
        values=values,
        columns=(*columns, *spec.time_features),
        time=_drop_zero_microseconds(rows.time),
        unit=spec.unit,
        duplicated=duplicated,
        missing=missing,
        filled=rows.filled,
        source_row=rows.source_row,
        zone=zone,
    )


def compute_time_features(timestamps: NDArray[np.datetime64], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Inputs made from timestamps: hour 0-23, weekday 0-6 (Monday 0), month 1-12, dayofyear 1-366.

    Args:
        timestamps: `(time,)`, datetime64.
        names: The inputs to make.

    Returns:
        `(time, feature)`, in the order of the names.
    """
    days = timestamps.astype("datetime64[D]")
    month = timestamps.astype("datetime64[M]")
    formulas: dict[str, Callable[[], NDArray[np.int64]]] = {
        "hour": lambda: (timestamps.astype("datetime64[h]") - days).astype(np.int64),
        # 1970-01-01, day 0, was a Thursday.
        "weekday": lambda: (days.astype(np.int64) + 3) % 7,
        "month": lambda: month.astype(np.int64) % 12 + 1,
        "dayofyear": lambda: (days - timestamps.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1,
    }
    return np.column_stack([formulas[name]() for name in names]).astype(np.float64)


def refuse_time_features(spec: Data, where: str) -> None:
    """Refuse inputs made from timestamps for data that has none."""
    if spec.time_features:
        raise SpecError(
            f"data.time_features: {where} has no timestamps to make {', '.join(spec.time_features)} from.",
            "Name the time column with --time, or leave the features out.",
        )


def note_irregular(every: Sequence[Series]) -> tuple[str, ...]:
    """A note where the timestamps of the longest series are irregular."""
    longest = max(every, key=len)
    calendar = find_calendar(longest.calendar_time)
    if calendar is None or calendar.kind != "irregular":
        return ()
    which = f" of series {longest.name}" if len(every) > 1 else ""
    return (f"The timestamps{which} are {calendar.rule}: rows are taken as neighbors, and no gaps are counted.",)


def _drop_zero_microseconds(timestamps: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """The timestamps in seconds where all are whole seconds, so that they are shown without zeros."""
    whole = timestamps.astype("datetime64[s]")
    return whole if (whole == timestamps).all() else timestamps


def _count_steps(timestamps: NDArray[np.datetime64], step: np.timedelta64) -> NDArray[np.int64]:
    """The number of steps from each timestamp to the next, rounded; 0 for equal ones."""
    differences = np.diff(timestamps)
    if (differences == step).all():  # mostly; and divisions take long
        return np.ones(len(differences), np.int64)
    return np.asarray(np.rint(differences / step).astype(np.int64))


def _apply_gap_rule(name: str, rows: _TimedRows, rule: str) -> tuple[_TimedRows, int]:
    """The rows with their gaps filled where that is the rule, and how many timestamps were missing."""
    calendar = find_calendar(rows.time)
    # Of days of the week nobody knows whether a missing one is a holiday; months have none.
    if calendar is None or (rule != "fill" and (calendar.kind == "irregular" or isinstance(calendar, Slots))):
        return rows, 0
    if calendar.kind == "irregular":
        raise DataError(
            f"data.gaps: the timestamps of series {list_names([name])} are {calendar.rule}: no timestamp is missing "
            "that could be filled.",
            "Use --gaps keep.",
        )
    counts = _count_steps(rows.time, calendar.step)
    missing = int(counts[counts > 1].sum() - (counts > 1).sum())
    if missing and rule == "error":
        raise DataError(
            f"data.gaps: series {list_names([name])} has {missing} missing timestamps.",
            "Use --gaps keep or --gaps fill, or fix the file.",
        )
    if missing > MAX_FILLED and rule == "fill":
        raise DataError(
            f"data.gaps: series {list_names([name])} has {missing:,} missing timestamps, too many to fill.",
            "Look for a wrong timestamp, years before or after the others; or use --gaps keep.",
        )
    if calendar.kind == "calendar" and rule == "fill":
        return _fill_calendar(rows, calendar, int(counts.sum()))
    return (_fill_gaps(rows, calendar.step) if missing and rule == "fill" else rows), missing


def _apply_duplicate_rule(name: str, rows: _TimedRows, repeated: NDArray[np.bool_], rule: str) -> _TimedRows:
    if not repeated.any() or rule == "keep":
        return rows
    if rule == "error":
        first = rows.time[repeated][0]
        raise DataError(
            f"data.duplicates: series {name} has {int(repeated.sum())} duplicated timestamps, the first {first}.",
            "Use --duplicates first, last, mean or keep, or fix the file.",
        )
    if rule == "last":
        return rows.take(np.concatenate([~repeated[1:], [True]]))
    first_rows = rows.take(~repeated)
    if rule == "mean":
        group = np.cumsum(~repeated) - 1
        means = pd.DataFrame(rows.values).groupby(group).mean().to_numpy()
        filled = np.logical_or.reduceat(rows.filled, np.flatnonzero(~repeated))
        return replace(first_rows, values=means, filled=filled)
    return first_rows


def _fill_gaps(rows: _TimedRows, step: np.timedelta64) -> _TimedRows:
    """Insert the missing timestamps, each with the values before it: later values may be of the test part."""
    counts = np.append(np.maximum(_count_steps(rows.time, step), 1), 1)
    # Of duplicates that are kept, each is repeated once, and only the last is followed by inserted rows.
    row = np.repeat(np.arange(len(rows.time)), counts)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    repeated = rows.take(row)
    return replace(repeated, time=repeated.time + offset * step, filled=repeated.filled | (offset > 0))


def _fill_calendar(rows: _TimedRows, calendar: Calendar, at_most: int) -> tuple[_TimedRows, int]:
    """Insert what a calendar has between the first and the last row, such as holidays, with the values before it."""
    expected = calendar.follow(rows.time[0], at_most)
    added = np.setdiff1d(expected[expected < rows.time[-1]], rows.time)
    row = np.concatenate([np.arange(len(rows.time)), np.searchsorted(rows.time, added, "right") - 1])
    is_added = np.arange(len(row)) >= len(rows.time)
    repeated = rows.take(row)
    time = np.concatenate([rows.time, added])
    filled = replace(repeated, time=time, filled=repeated.filled | is_added)
    return filled.take(np.argsort(time, kind="stable")), len(added)
