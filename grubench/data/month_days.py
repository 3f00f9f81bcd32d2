"""Days of months: which of them timestamps are on, and which come next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.text import join_and

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = np.timedelta64(1, "D")
# The part of the timestamps that a rule must fit.
FIT = 0.95
# Fewer neighbors than this part being one step apart leave a step a guess.
MIN_SINGLE = 1 / 3
# As a day of the month: its last, whatever its length.
LAST = 31
# More days of a month than these are no rule.
MAX_DAYS = 3
STEPS = {1: "month", 3: "quarter", 6: "half-year", 12: "year"}
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
FIRST_BUSINESS, LAST_BUSINESS = (0,), (-1,)


@dataclass(frozen=True, kw_only=True)
class Months:
    """A rule for days of months.

    Attributes:
        every: Months from one step to the next.
        phase: The months that have a step, as the remainder of their number by `every`; January is 0.
        days: Days of the month in rising order, in shorter months the last; or the first or last business day.
    """

    every: int
    phase: int
    days: tuple[int, ...]

    @property
    def steps_of_year(self) -> int:
        """The steps of a year; 0 where these differ from year to year."""
        return 12 * len(self.days) // self.every if 12 % self.every == 0 else 0

    @property
    def rule(self) -> str:
        """The rule in words, such as `the last day of each month`."""
        step = f"each {STEPS[self.every]}" if self.every in STEPS else self._write_long_step()
        starts = self.phase == 0 or self.every == 1
        ends = self.phase == self.every - 1
        if self.days == (1,) and starts:
            return f"the first day of {step}"
        if self.days == (LAST,) and ends:
            return f"the last day of {step}"
        if self.days in (FIRST_BUSINESS, LAST_BUSINESS):
            place = "first" if self.days == FIRST_BUSINESS else "last"
            inside = (starts if place == "first" else ends) and self.every in STEPS
            return f"the {place} business day of {step if inside else self._write_months()}"
        days = "the last day" if self.days == (LAST,) else f"day {join_and(map(_write_day, self.days))}"
        return f"{days} of {self._write_months()}"

    def _write_long_step(self) -> str:
        return f"every {self.every // 12} years" if self.every % 12 == 0 else f"every {self.every} months"

    def _write_months(self) -> str:
        if self.every == 1:
            return "each month"
        months = [MONTHS[month] for month in range(self.phase, 12, self.every)]
        return join_and(months) if 12 % self.every == 0 else self._write_long_step()

    def follow(self, last: np.datetime64, number: int) -> NDArray[np.datetime64]:
        """The next days after one."""
        month = last.astype("datetime64[M]").astype(np.int64)
        first = month - (month - self.phase) % self.every
        months = first + self.every * np.arange(-(-number // len(self.days)) + 2)
        days = np.unique(np.concatenate([place_day(months, day) for day in self.days]))
        return np.asarray(days[days > last][:number])


def place_day(months: NDArray[np.int64], day: int) -> NDArray[np.datetime64]:
    """The date of a day in each of these months, counted from January 1970; in shorter months the last."""
    start = months.astype("datetime64[M]").astype("datetime64[D]")
    end = (months + 1).astype("datetime64[M]").astype("datetime64[D]") - DAY
    if (day,) == FIRST_BUSINESS:
        return np.busday_offset(start, 0, roll="forward")
    if (day,) == LAST_BUSINESS:
        return np.busday_offset(end, 0, roll="backward")
    return np.minimum(start + (day - 1) * DAY, end)


def find_months(days: NDArray[np.datetime64]) -> Months | None:
    """The rule for days of months that dates follow; None where they follow none.

    Args:
        days: `(time,)`, in rising order, each once.
    """
    months = days.astype("datetime64[M]").astype(np.int64)
    chosen = _find_days(days, months)
    if not chosen:
        return None
    different = np.unique(months)
    steps, counts = np.unique(np.diff(different), return_counts=True)
    if not len(steps) or (len(chosen) == 1 and len(different) < len(months)):
        return None
    every = int(steps[counts.argmax()])
    phases, members = np.unique(different % every, return_counts=True)
    phase = int(phases[members.argmax()])
    if members.max() < FIT * len(different) or counts.max() < MIN_SINGLE * counts.sum():
        return None
    return None if len(chosen) > 1 and every > 1 else Months(every=every, phase=phase, days=chosen)


def _find_days(days: NDArray[np.datetime64], months: NDArray[np.int64]) -> tuple[int, ...]:
    """The days of the month that nearly all dates are on; none where there is no such rule."""
    number = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    values, counts = np.unique(number, return_counts=True)
    frequent, latest = int(values[counts.argmax()]), int(values[-1])
    for day in (frequent, LAST, latest, *FIRST_BUSINESS, *LAST_BUSINESS):
        if np.mean(place_day(months, day) == days) >= FIT:
            return (day,)
    number = np.where(place_day(months, LAST) == days, LAST, number)
    values, counts = np.unique(number, return_counts=True)
    common = values[counts * 2 >= counts.max()]
    return tuple(common.tolist()) if len(common) <= MAX_DAYS and np.isin(number, common).mean() >= FIT else ()


def _write_day(day: int) -> str:
    return "31 (or the last)" if day == LAST else str(day)
