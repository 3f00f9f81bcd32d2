"""The calendar of timestamps: how far apart they are, which come next, and what a season can be.

Three kinds are told apart. Regular timestamps are a whole number of equal steps apart; those that are not there are
gaps. Calendars have steps of different length that a person would write down all the same: months, business days,
hours of business; what is not there may be a holiday. All others are irregular, and have a typical step only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from grubench.data.month_days import DAY, Months, find_months
from grubench.text import count, join_and

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Calendars are found from the last rows, whose rule is the one that goes on.
RECENT = 10_000
# The part of the timestamps that a rule must fit.
FIT = 0.95
# A step counts as a whole number of typical ones up to this part of a step.
TOLERANCE = 0.01
# Fewer neighbors than this part being one step apart leave a step a guess.
MIN_SINGLE = 1 / 3
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# More different times of a day are no rule.
MAX_TIMES = 1440
# Days to see before hours of business, or days off in a week, are taken for a rule.
MIN_DAYS = 5
MIN_SPAN_DAYS = 14
# Fewer days are a rule of times only where each has all of these.
MIN_FEW_DAYS = 3
MONDAY = 4  # day 0, 1970-01-01, was a Thursday
# The last that Python can show.
LAST_TIMESTAMP = np.datetime64("9999-12-31T23:59:59.999999", "us")
US = np.timedelta64(1, "us")
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
DAYS_OF_YEAR = 365.25


@dataclass(frozen=True, kw_only=True)
class Season:
    """A season that a calendar has: its name, such as `a day`, and its steps."""

    name: str
    steps: int


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Timestamps that are a whole number of steps apart, or irregular ones with their typical step.

    Attributes:
        step: The typical step, whole microseconds.
        is_regular: Whether nearly all are a whole number of these apart.
    """

    step: np.timedelta64
    is_regular: bool

    @property
    def kind(self) -> str:
        """`regular` or `irregular`."""
        return "regular" if self.is_regular else "irregular"

    @property
    def rule(self) -> str:
        """The rule in words."""
        length = write_step(self.step)
        return f"every {length.removeprefix('1 ')}" if self.is_regular else f"irregular, typically {length} apart"

    def follow(self, last: np.datetime64, number: int) -> NDArray[np.datetime64]:
        """The next timestamps after the last."""
        return np.asarray(last + self.step * np.arange(1, number + 1))

    def list_seasons(self) -> tuple[Season, ...]:
        """The seasons that the step divides, the shortest first; none of irregular steps."""
        if not self.is_regular:
            return ()
        step_s = self.step / US / 1e6
        names = ("minute", "hour", "day") if step_s < UNITS["minute"] else ("day", "week")
        ratios: dict[str, float] = {name: UNITS[name] / step_s for name in names}
        if step_s >= UNITS["day"]:
            ratios["year"] = round(DAYS_OF_YEAR * UNITS["day"] / step_s)
        return tuple(
            Season(name=write_unit(name), steps=round(ratio))
            for name, ratio in ratios.items()
            if round(ratio) > 1 and abs(ratio - round(ratio)) <= TOLERANCE
        )


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Timestamps on some days of the week, at the same times of each.

    Attributes:
        weekdays: The days, Monday 0, in rising order.
        times: The times of a day, microseconds after midnight, in rising order.
        step: The typical step.
    """

    weekdays: tuple[int, ...]
    times: tuple[int, ...]
    step: np.timedelta64
    kind: str = "calendar"

    @property
    def rule(self) -> str:
        """The rule in words, such as `business days (Monday to Friday)`."""
        days = _write_weekdays(self.weekdays)
        if len(self.times) == 1:
            return f"business days ({days})" if self.weekdays == tuple(range(5)) else f"every {days}"
        clock = [_write_time(time) for time in self.times]
        even = len({second - first for first, second in pairwise(self.times)}) == 1
        if even and len(clock) > 2:
            text = f"every {write_step(self.step).removeprefix('1 ')} from {clock[0]} to {clock[-1]}"
        else:
            text = f"at {join_and(clock)}" if len(clock) <= 4 else f"{len(clock)} times from {clock[0]} to {clock[-1]}"
        return f"{text}, {days}" if len(self.weekdays) < 7 else f"{text}, every day"

    def follow(self, last: np.datetime64, number: int) -> NDArray[np.datetime64]:
        """The next timestamps after the last."""
        first = int(self.place(np.array([last]))[0]) + 1
        place = np.arange(first, first + number)
        day_number, slot = np.divmod(place, len(self.times))
        week, weekday = np.divmod(day_number, len(self.weekdays))
        days = week * 7 + np.array(self.weekdays)[weekday] - 3  # day 0 was a Thursday
        return np.asarray(days.astype("datetime64[D]") + np.array(self.times)[slot] * US)

    def place(self, time: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The number of each timestamp among all that the rule has; of one between two, the earlier's."""
        days = time.astype("datetime64[D]")
        week, weekday = np.divmod(days.astype(np.int64) + 3, 7)
        day_number = np.searchsorted(self.weekdays, weekday, "right") - 1
        slot = np.searchsorted(self.times, (time - days) / US, "right") - 1
        # On a day off, the last time of the day before is the one before.
        slot = np.where(np.isin(weekday, self.weekdays), slot, len(self.times) - 1)
        return np.asarray((week * len(self.weekdays) + day_number) * len(self.times) + slot)

    def list_seasons(self) -> tuple[Season, ...]:
        """A day and a week, where they have more than one step."""
        day = Season(name="a day", steps=len(self.times))
        week = Season(name="a week", steps=len(self.times) * len(self.weekdays))
        return tuple(season for season in dict.fromkeys((day, week)) if season.steps > 1)


@dataclass(frozen=True, kw_only=True)
class MonthSteps:
    """Timestamps on the same days of months, such as each month's end.

    Attributes:
        months: The rule of the days.
        time: The time of the day, microseconds after midnight.
        step: The typical step.
    """

    months: Months
    time: int
    step: np.timedelta64
    kind: str = "calendar"

    @property
    def rule(self) -> str:
        """The rule in words."""
        return self.months.rule

    def follow(self, last: np.datetime64, number: int) -> NDArray[np.datetime64]:
        """The next timestamps after the last."""
        day = (last - self.time * US).astype("datetime64[D]")
        return np.asarray(self.months.follow(day, number) + self.time * US)

    def list_seasons(self) -> tuple[Season, ...]:
        """A year, where it has more than one step."""
        steps = self.months.steps_of_year
        return (Season(name="a year", steps=steps),) if steps > 1 else ()


Calendar = Steps | Slots | MonthSteps


def find_calendar(time: NDArray[np.datetime64] | NDArray[np.int64]) -> Calendar | None:
    """Find the calendar of timestamps; None for fewer than two different ones, and for step numbers.

    Args:
        time: `(time,)`, in rising order; equal ones count once.
    """
    if time.dtype.kind != "M" or not len(time) or time[0] == time[-1]:
        return None
    recent = time[-RECENT:].astype("datetime64[us]")
    recent = recent[np.concatenate([[True], recent[1:] > recent[:-1]])]
    if len(recent) < 2:
        return None
    differences = np.diff(recent)
    median = np.partition(differences, (len(differences) - 1) // 2)[(len(differences) - 1) // 2]
    if median < DAY and (differences == median).all():
        return Steps(step=median, is_regular=True)
    return _find_month_steps(recent, median) or _find_slots(recent, median) or _find_steps(differences, median)


def _find_month_steps(time: NDArray[np.datetime64], median: np.timedelta64) -> MonthSteps | None:
    days = time.astype("datetime64[D]")
    clock = np.unique(time - days)
    if len(clock) > 1 or median < 7 * DAY:
        return None
    months = find_months(days)
    return MonthSteps(months=months, time=int(clock[0] / US), step=median) if months else None


def _find_slots(time: NDArray[np.datetime64], median: np.timedelta64) -> Slots | None:
    """Days of the week and times of a day, where some of either are left out."""
    days = time.astype("datetime64[D]")
    if median >= 7 * DAY:
        return None
    clock = ((time - days) / US).astype(np.int64)
    is_short = (days[-1] - days[0]) / DAY < MIN_DAYS
    times = _find_times_of_all(clock, len(np.unique(days))) if is_short else _find_frequent(clock)
    weekdays = _find_frequent((np.unique(days).astype(np.int64) + 3) % 7)
    if not 0 < len(times) <= MAX_TIMES:
        return None
    if (days[-1] - days[0]) / DAY < MIN_SPAN_DAYS:
        weekdays = _find_days_of_short_span(days)
    around = np.diff([*times, times[0] + int(DAY / US)])
    if len(weekdays) in (1, 7) and len(set(around.tolist())) == 1:
        return None
    slots = Slots(weekdays=weekdays, times=times, step=median)
    place = slots.place(time)
    fits = slots.follow(time[0], int(place[-1] - place[0])) if place[-1] - place[0] < 100 * len(time) else time[:0]
    single = np.mean(np.diff(place) == 1)
    return slots if np.isin(time[1:], fits).mean() >= FIT and single >= 2 / 3 else None


def _find_days_of_short_span(days: NDArray[np.datetime64]) -> tuple[int, ...]:
    """The days of the week of less than two weeks: Monday to Friday where these are all or no weekend was, else all."""
    passed = np.arange(days[0], days[-1] + 1)
    left_out = set(((np.setdiff1d(passed, days).astype(np.int64) + 3) % 7).tolist())
    is_working_week = passed[0].astype(np.int64) % 7 == MONDAY and len(passed) == 5
    return tuple(range(5)) if left_out == {5, 6} or is_working_week else tuple(range(7))


def _find_times_of_all(clock: NDArray[np.int64], days: int) -> tuple[int, ...]:
    """The times of a day that few days have in common, the first and the last of which may be cut; else none."""
    times, counts = np.unique(clock, return_counts=True)
    return tuple(times.tolist()) if len(times) > 1 and days >= MIN_FEW_DAYS and counts.min() >= days - 1 else ()


def _find_frequent(values: NDArray[np.int64]) -> tuple[int, ...]:
    """The values that occur at least half as often as the most frequent."""
    different, counts = np.unique(values, return_counts=True)
    return tuple(different[counts * 2 >= counts.max()].tolist())


def _find_steps(differences: NDArray[np.timedelta64], median: np.timedelta64) -> Steps:
    """Regular steps of the most frequent length, where nearly all are a whole number of them; else irregular ones."""
    lengths, counts = np.unique(differences, return_counts=True)
    for step in dict.fromkeys((lengths[counts.argmax()], median)):
        ratio = differences / step
        is_whole = (np.abs(ratio - np.rint(ratio)) <= TOLERANCE) & (ratio > 0.5)
        is_single = np.abs(ratio - 1) <= TOLERANCE
        if is_whole.mean() >= FIT and is_single.mean() >= MIN_SINGLE:
            is_exact = np.mean(differences[is_single] == step) >= MIN_SINGLE
            return Steps(step=step if is_exact else _round_step(step), is_regular=True)
    return Steps(step=median, is_regular=False)


def _round_step(step: np.timedelta64) -> np.timedelta64:
    """A step whose timestamps come a little early or late, in whole seconds where that is near enough."""
    whole = np.timedelta64(round(step / US / 1e6) * 1_000_000, "us")
    return whole if abs(whole - step) <= TOLERANCE * step else step


def write_step(step: np.timedelta64) -> str:
    """A length of time in words: `1 hour`, `15 minutes`, `59.96 s`."""
    seconds = step / US / 1e6
    for name in ("week", "day", "hour", "minute", "second"):
        number = seconds / UNITS[name]
        if number == int(number) and not (name in ("week", "second") and number > 1):
            return count(int(number), name)
    return f"{seconds:.4g} s"


def write_unit(name: str) -> str:
    """A unit of time with its article."""
    return f"{'an' if name == 'hour' else 'a'} {name}"


def _write_weekdays(weekdays: tuple[int, ...]) -> str:
    for first in weekdays:
        if len(weekdays) > 2 and {(first + place) % 7 for place in range(len(weekdays))} == set(weekdays):
            return f"{WEEKDAYS[first]} to {WEEKDAYS[(first + len(weekdays) - 1) % 7]}"
    return join_and(WEEKDAYS[day] for day in weekdays)


def _write_time(time: int) -> str:
    seconds, minutes = time // 1_000_000 % 60, time // 60_000_000
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
