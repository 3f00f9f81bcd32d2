"""What in a column of numbers looks wrong to a person: codes for missing values, constants, the target's own future."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.text import count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.data.series import Series

# A code for missing values stands in this many rows at least, unless it is so many times as far away.
MIN_CODE_ROWS, VERY_FAR = 2, 1000
# Larger whole numbers are written with an exponent.
LARGEST_PLAIN = 1e15
# So many steps ahead a column is looked at for the target's values; a day of hours, and a month of days.
MAX_SHIFT = 48
# The part of the rows in which a column has the target's value of later, where it is that value.
SAME = 0.99
# Fewer rows are no evidence; so many of the first are looked at before all are.
MIN_ROWS, FIRST_ROWS = 30, 1000


@dataclass(frozen=True, kw_only=True)
class MissingCode:
    """An extreme value that stands for a missing one, it seems.

    Attributes:
        value: The value.
        rows: In how many rows it is.
    """

    value: float
    rows: int


def find_missing_codes(values: NDArray[np.float64]) -> tuple[MissingCode, ...]:
    """Find the codes for missing values, such as -9999: a repeated extreme, far from all other values.

    It is farther from the value next to it than all other values are from each other, and its digits are nines (-999,
    9999.9), or it is a negative number among others that are not. A single one is a thousand times as far away.

    Args:
        values: `(row,)`; NaN where a cell is empty.
    """
    finite = np.isfinite(values)
    there = values if finite.all() else values[finite]
    if not len(there):
        return ()
    lowest, highest = there.min(), there.max()
    inner = there[:FIRST_ROWS]
    inner = inner[(inner > lowest) & (inner < highest)]
    middle = lowest / 2 + highest / 2
    if lowest == highest or (len(inner) and inner.min() <= middle <= inner.max()):  # no extreme is far from the others
        return ()
    second, last_but_one = there[there > lowest].min(), there[there < highest].max()
    codes = []
    for value, nearest, farthest in ((lowest, second, highest), (highest, last_but_one, lowest)):
        if nearest == farthest:  # there are two different values
            continue
        times_as_far = abs(nearest - value) / abs(farthest - nearest)
        looks_so = _has_only_nines(float(value)) or value < 0 <= nearest
        rows = int((there == value).sum()) if times_as_far > 1 else 0
        if times_as_far > VERY_FAR or (times_as_far > 1 and rows >= MIN_CODE_ROWS and looks_so):
            codes.append(MissingCode(value=float(value), rows=rows))
    return tuple(codes)


def _has_only_nines(value: float) -> bool:
    digits = f"{abs(value):g}".replace(".", "")
    return len(digits) > 1 and set(digits) == {"9"}


def is_constant(values: NDArray[np.float64]) -> bool:
    """Whether all values that are there are the same."""
    if len(set(values[:FIRST_ROWS].tolist())) > 2:
        return False
    there = values[np.isfinite(values)]
    return len(there) > 1 and bool((there == there[0]).all())


def find_shift(column: NDArray[np.float64], target: NDArray[np.float64]) -> int | None:
    """How many steps ahead a column has the target's values; None where it does not.

    A column that is the target of later tells the network what it is to forecast, and will not be known then.

    Args:
        column: `(row,)`, in the order of time; NaN where a cell is empty.
        target: `(row,)`.
    """
    shifts = range(1, min(MAX_SHIFT, len(target) - MIN_ROWS) + 1)
    return next(
        (
            shift
            for shift in shifts
            if _is_same(column[:-shift][:FIRST_ROWS], target[shift:][:FIRST_ROWS])
            and _is_same(column[:-shift], target[shift:])
        ),
        None,
    )


def _is_same(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    there = np.isfinite(first) & np.isfinite(second)
    same = np.isclose(first[there], second[there], rtol=1e-9, atol=0.0)
    return bool(there.sum() >= MIN_ROWS and same.mean() >= SAME and not is_constant(second[there]))


def list_suspicions(series: Series) -> list[str]:
    """What looks wrong in the columns of a series, a sentence each."""
    target, *features = series.columns
    found = []
    for place, name in enumerate(series.columns):
        values = series.values[:, place]
        found += [explain_code(name, code) for code in find_missing_codes(values)]
    for place, name in enumerate(features, 1):
        values = series.values[:, place]
        shift = find_shift(values, series.target)
        if is_constant(values):
            found.append(f"{name} is constant: as an input it says nothing.")
        elif shift:
            found.append(explain_shift(name, target, shift))
    return found


def write_code(code: MissingCode) -> str:
    """A code as --na takes it."""
    return f"{code.value:.0f}" if code.value.is_integer() and abs(code.value) < LARGEST_PLAIN else repr(code.value)


def explain_code(column: str, code: MissingCode) -> str:
    """What a code for missing values means, and what to do."""
    value = write_code(code)
    return (
        f"{column} is {value} in {count(code.rows, 'row')}, far from its other values: a code for missing ones? "
        f"Then say --na {value}."
    )


def explain_shift(column: str, target: str, shift: int) -> str:
    """What a column that has the target's future means."""
    return (
        f"{column} is {target} of {count(shift, 'step')} later: as one of --features it tells the network what it is "
        "to forecast."
    )
