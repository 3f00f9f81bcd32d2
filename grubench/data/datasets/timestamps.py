"""What a clock does to data: sorting by time, duplicated and missing stamps, features of the stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.series import Series
from grubench.errors import DataError, SpecError
from grubench.text import list_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from grubench.spec.sections import Data

# More stamps to fill in than this come of a wrong stamp, and would fill the memory.
MOST_FILLED = 20_000_000


def arrange(
    name: str, time: NDArray[np.datetime64], values: NDArray[np.float64], columns: tuple[str, ...], spec: Data
) -> Series:
    """One series in the order of its stamps, with the spec's rules for duplicates and gaps applied.

    Rows are sorted by time, equal stamps staying in the order of the file. Duplicates and gaps are
    counted before the rules change anything. The regular step is the commonest difference of
    neighbouring stamps; calendars with no fixed step (months, trading days) have gaps by that count,
    which is why the default is to keep the rows as neighbours.

    Args:
        name: The series' name.
        time: `(time,)`, datetime64.
        values: `(time, feature)`, the target first, without the features of the stamps.
        columns: The names of the features.
        spec: The rules, and the features of the stamps to add.

    Raises:
        DataError: There are duplicates or gaps and the rule is to refuse them.
    """
    stamps = time.astype("datetime64[us]")
    order = np.argsort(stamps, kind="stable")
    stamps, values = stamps[order], values[order]
    repeated = np.concatenate([[False], stamps[1:] == stamps[:-1]])
    duplicated = int(repeated.sum())
    stamps, values = _apply_duplicate_rule(name, stamps, values, repeated, spec.duplicates)
    step, missing = _count_gaps(stamps)
    if missing and spec.gaps == "error":
        raise DataError(
            f"data.gaps: series {name} misses {missing} timestamps.",
            "Use --gaps keep or --gaps fill, or mend the file.",
        )
    if missing and spec.gaps == "fill":
        if missing > MOST_FILLED:
            raise DataError(
                f"data.gaps: series {list_names([name])} misses {missing:,} timestamps, too many to fill.",
                "Look for a wrong stamp: it may lie years before or after the others; or use --gaps keep.",
            )
        stamps, values = _fill_gaps(stamps, values, step)
    if spec.time_features:
        values = np.column_stack([values, time_features(stamps, spec.time_features)])
    return Series(
        name=name,
        values=values,
        columns=(*columns, *spec.time_features),
        time=_shorten(stamps),
        unit=spec.unit,
        duplicated=duplicated,
        missing=missing,
    )


def time_features(stamps: NDArray[np.datetime64], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Features of timestamps, `(time, feature)`: hour 0-23, weekday 0-6 (Monday 0), month 1-12, dayofyear 1-366."""
    days = stamps.astype("datetime64[D]")
    month = stamps.astype("datetime64[M]")
    makers: dict[str, Callable[[], Any]] = {
        "hour": lambda: (stamps.astype("datetime64[h]") - days).astype(np.int64),
        # 1970-01-01, day 0, was a Thursday.
        "weekday": lambda: (days.astype(np.int64) + 3) % 7,
        "month": lambda: month.astype(np.int64) % 12 + 1,
        "dayofyear": lambda: (days - stamps.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1,
    }
    return np.column_stack([makers[name]() for name in names]).astype(np.float64)


def refuse_time_features(spec: Data, where: str) -> None:
    """Refuse features of timestamps for data that has none."""
    if spec.time_features:
        raise SpecError(
            f"data.time_features: {where} has no timestamps to make {', '.join(spec.time_features)} from.",
            "Name the time column with --time, or leave the features out.",
        )


def find_step(stamps: NDArray[Any]) -> np.timedelta64:
    """The commonest difference of neighbouring stamps, in their unit; 0 for fewer than two different stamps."""
    differences = np.diff(stamps)
    differences = differences[differences > np.timedelta64(0)]
    if not len(differences):
        return np.timedelta64(0, "us")
    values, counts = np.unique(differences, return_counts=True)
    step: np.timedelta64 = values[counts.argmax()]
    return step


def _shorten(stamps: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """The stamps in whole seconds where they are whole, so that they read well."""
    whole = stamps.astype("datetime64[s]")
    return whole if (whole == stamps).all() else stamps


def _steps_between(stamps: NDArray[np.datetime64], step: np.timedelta64) -> NDArray[np.int64]:
    """The number of steps from each stamp to the next, rounded; 0 for equal stamps."""
    return np.asarray(np.rint(np.diff(stamps) / step).astype(np.int64))


def _count_gaps(stamps: NDArray[np.datetime64]) -> tuple[np.timedelta64, int]:
    step = find_step(stamps)
    if not step:
        return step, 0
    return step, int(np.maximum(_steps_between(stamps, step) - 1, 0).sum())


def _apply_duplicate_rule(
    name: str, stamps: NDArray[np.datetime64], values: NDArray[np.float64], repeated: NDArray[np.bool_], rule: str
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    if not repeated.any() or rule == "keep":
        return stamps, values
    if rule == "error":
        at = stamps[repeated][0]
        raise DataError(
            f"data.duplicates: series {name} has {int(repeated.sum())} duplicated timestamps, the first {at}.",
            "Use --duplicates first, last, mean or keep, or mend the file.",
        )
    if rule == "last":
        keep = np.concatenate([~repeated[1:], [True]])
        return stamps[keep], values[keep]
    if rule == "mean":
        group = np.cumsum(~repeated) - 1
        return stamps[~repeated], pd.DataFrame(values).groupby(group).mean().to_numpy()
    return stamps[~repeated], values[~repeated]


def _fill_gaps(
    stamps: NDArray[np.datetime64], values: NDArray[np.float64], step: np.timedelta64
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Insert the absent stamps of the grid, each with the values before it: later ones may be of the test part."""
    counts = np.append(np.maximum(_steps_between(stamps, step), 1), 1)
    # Where stamps are duplicated and kept, a row stands for itself and has nothing behind it.
    row = np.repeat(np.arange(len(stamps)), counts)
    behind = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return stamps[row] + behind * step, values[row]
