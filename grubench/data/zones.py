"""Time zones: series keep instants in UTC, and show local time with its offset."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.data.calendar import Steps, find_calendar
from grubench.errors import UsageError
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

# An offset at the end of a timestamp; the day at the end of a date is none.
OFFSET = re.compile(r"(?:([zZ])|([+-])(\d\d):?(\d\d)|(?<!-\d\d)([+-])(\d\d))$")
OFFSET_LETTERS = 6
# Steps from here on are counted by the local calendar: days have 23 to 25 hours.
LONG_STEP = np.timedelta64(12, "h")
HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True, kw_only=True, eq=False)
class Zone:
    """The offset of local time from UTC at each instant.

    Attributes:
        name: The zone's name in the IANA database; empty where only offsets are known.
        starts: `(change,)`, datetime64 in UTC, rising: from when on each offset holds; the first holds before, too.
        offsets: `(change,)`, timedelta64 of whole minutes.
    """

    name: str = ""
    starts: NDArray[np.datetime64]
    offsets: NDArray[np.timedelta64]

    @classmethod
    def from_name(cls, name: str) -> Zone:
        """A zone of the IANA database.

        Raises:
            UsageError: There is none of this name.
        """
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            message = f"data.zone: there is no time zone {quote(name)}."
            raise UsageError(message, "Give a name such as Europe/Berlin or UTC.") from error
        return cls(name=name, starts=np.empty(0, "datetime64[us]"), offsets=np.empty(0, "timedelta64[s]"))

    @classmethod
    def from_offsets(cls, time: NDArray[np.datetime64], offsets: NDArray[np.timedelta64]) -> Zone:
        """The zone of timestamps that have offsets; after the last one its offset goes on.

        Args:
            time: `(time,)`, in UTC.
            offsets: `(time,)`, the offset of each.
        """
        order = np.argsort(time, kind="stable")
        time, offsets = time[order], offsets[order]
        changes = np.flatnonzero(np.concatenate([[True], offsets[1:] != offsets[:-1]]))
        return cls(starts=time[changes], offsets=offsets[changes])

    def find_offsets(self, time: NDArray[Any]) -> NDArray[np.timedelta64]:
        """The offset at each instant."""
        if self.name:
            local = _as_index(time).tz_localize("UTC").tz_convert(self.name).tz_localize(None)
            return np.asarray(local.to_numpy() - time).astype("timedelta64[s]")
        place = np.searchsorted(self.starts, time, "right") - 1
        return self.offsets[np.maximum(place, 0)]

    def to_local(self, time: NDArray[Any]) -> NDArray[np.datetime64]:
        """Local time at each instant."""
        return np.asarray(time + self.find_offsets(time)).astype(time.dtype)

    def to_utc(self, local: NDArray[Any]) -> NDArray[np.datetime64]:
        """The instant of each local time: the first where there are two, and a later one where there is none."""
        early = local - self.find_offsets(local - np.timedelta64(1, "D"))
        late = local - self.find_offsets(local + np.timedelta64(1, "D"))
        fits = self.to_local(early) == local
        return np.where(fits | (self.to_local(late) != local), early, late)

    def format(self, time: NDArray[Any]) -> list[str]:
        """Local time with its offset, such as `2026-01-31T10:15+01:00`."""
        offsets = self.find_offsets(time)
        local: NDArray[np.datetime64] = np.asarray(time + offsets, "datetime64[us]")
        minutes = local.astype("datetime64[m]")
        seconds = local.astype("datetime64[s]")
        short = minutes if (minutes == local).all() else seconds if (seconds == local).all() else local
        different, place = np.unique(offsets, return_inverse=True)
        texts = np.array([_write_offset(offset) for offset in different])[place]
        return [f"{moment}{offset}" for moment, offset in zip(np.datetime_as_string(short), texts, strict=True)]


def choose_clock(time: NDArray[Any], zone: Zone | None) -> Zone | None:
    """The zone by whose local time the calendar of timestamps goes; None for steps that UTC counts.

    Hours go by UTC: twice a year local time skips or repeats one. Days, months and hours of business are local, and
    so are steps of several hours that are as long by local time where they are not by UTC, such as shifts.

    Args:
        time: `(time,)`, in UTC, rising.
        zone: The zone of the timestamps.
    """
    if zone is None or len(time) < 2:
        return None
    calendar = find_calendar(time)
    is_regular = isinstance(calendar, Steps) and calendar.is_regular
    if calendar is None or (is_regular and calendar.step <= HOUR):
        return None
    local = zone.to_local(time)
    singles = [(np.diff(moments) == calendar.step).sum() for moments in (local, time)]
    if is_regular and calendar.step < LONG_STEP and singles[0] <= singles[1]:
        return None
    return zone if (np.diff(local) >= np.timedelta64(0)).all() else None


def parse_offsets(texts: Sequence[str]) -> NDArray[np.timedelta64]:
    """The offset at the end of each timestamp, `(time,)`; NaT where there is none."""
    ends = [text[-OFFSET_LETTERS:] for text in texts]
    offsets = {end: _read_offset(end) for end in set(ends)}
    return np.array([offsets[end] for end in ends], "timedelta64[s]")


def _read_offset(text: str) -> np.timedelta64:
    match = OFFSET.search(text)
    if not match:
        return np.timedelta64("NaT", "s")
    if match[1]:
        return np.timedelta64(0, "s")
    sign, hours, minutes = match[2] or match[5], match[3] or match[6], match[4] or "0"
    seconds = 3600 * int(hours) + 60 * int(minutes)
    return np.timedelta64(-seconds if sign == "-" else seconds, "s")


def _write_offset(offset: np.timedelta64) -> str:
    minutes = int(offset / np.timedelta64(1, "m"))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _as_index(time: NDArray[np.datetime64]) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.DatetimeIndex(time)
