"""Values that a scaling cannot take: they leave float32, or leave nothing of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.data.scaling import ROUNDING
from grubench.errors import DataError
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.data.series import Series

# The squares of larger scaled values, which a loss takes, leave float32.
LARGEST_SCALED = float(np.sqrt(np.finfo(np.float32).max))
# Float32 cannot tell values apart that differ by a smaller share of the range.
FLOAT32_STEP = float(np.finfo(np.float32).eps)
SMALLEST_FLOAT32 = float(np.finfo(np.float32).tiny)
# Rounding to float32 that is a larger share of the standard deviation than this is told.
LOST_SHARE = 0.01
# The share of rows at either end that can be far from the others.
TAIL = 0.05
# In columns of ordinary size, what is this much smaller than the range stands for zero.
ORDINARY_RANGE = 1e3


def check_float32(series: Series, scaled: NDArray[np.float64]) -> None:
    """Refuse scaled values, `(time, feature)`, that leave float32.

    Raises:
        DataError: Naming the column and the row.
    """
    if not (scaled.min() >= -LARGEST_SCALED and scaled.max() <= LARGEST_SCALED):
        bad = ~(np.abs(scaled) <= LARGEST_SCALED)
        row, column = (int(place) for place in np.argwhere(bad)[0])
        raise DataError(
            f"{locate(series, row, column)}: {series.values[row, column]:g} leaves float32, in which networks compute "
            f"(scaled it is {scaled[row, column]:.2g}).",
            "Fix or remove the row; if it stands for a missing value, name it with --na.",
        )


def check_spread(fitted: Sequence[tuple[Series, NDArray[np.float64]]]) -> None:
    """Refuse values so far from the others that these would be one and the same once scaled.

    Args:
        fitted: The series that share a scaling, each with the rows that it is fitted on, from its first.

    Raises:
        DataError: Naming the column and the row.
    """
    rows = np.concatenate([values for _, values in fitted])
    for column in range(rows.shape[1]):
        row = find_far_row(rows[:, column])
        if row is None:
            continue
        for series, values in fitted:
            if row < len(values):
                raise DataError(
                    f"{locate(series, row, column)}: {values[row, column]:g} is so far from the other values that "
                    "float32, in which networks compute, could not tell those apart once they are scaled.",
                    "Fix or remove the row; if it stands for a missing value, name it with --na.",
                )
            row -= len(values)


def note_unscaled(every: Sequence[Series]) -> tuple[str, ...]:
    """A note for each column whose values float32 can hardly tell apart where nothing scales them."""
    notes = {}
    for series in every:
        steps = np.maximum(FLOAT32_STEP * np.abs(series.values).max(axis=0), SMALLEST_FLOAT32)
        deviations = series.values.std(axis=0)
        deviations = np.where(deviations > 0, deviations, np.ptp(series.values, axis=0))  # tiny squares are 0
        for column in np.flatnonzero((deviations > 0) & (steps > LOST_SHARE * deviations)):
            name = series.columns[column]
            notes[name] = (
                f"Column {quote(name)}: its values near {np.median(series.values[:, column]):.4g} deviate by "
                f"{deviations[column]:.2g}, which float32, in which networks compute, hardly tells apart: without "
                "scaling they learn little from it. Use --scaling minmax."
            )
    return tuple(notes.values())


def find_far_row(values: NDArray[np.float64]) -> int | None:
    """The row of the value farthest from the median, `(time,)`, where scaling would make most others equal."""
    ordered = np.sort(values)
    total = ordered[-1] - ordered[0]
    if not total > 0:
        return None
    place = int(np.diff(ordered).argmax()) + 1
    most = max(ordered[:place], ordered[place:], key=len)
    tail = int(TAIL * len(ordered))
    middle = ordered[tail : len(ordered) - tail]
    for near in (most, middle):
        spread = near[-1] - near[0]
        if ROUNDING * min(total, ORDINARY_RANGE) < spread < FLOAT32_STEP * total:
            return int(np.abs(values - np.median(values)).argmax())
    return None


def locate(series: Series, row: int, column: int) -> str:
    """The place of a value: the series, the column, and the row of the file, with its time where it has one."""
    time = f" ({series.time[row]})" if series.has_timestamps else ""
    return (
        f"Series {quote(series.name)}, column {quote(series.columns[column])}, data row {series.source_row[row]}{time}"
    )
