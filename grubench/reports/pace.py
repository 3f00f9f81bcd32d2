"""How long training will take, from what is done of it."""

from __future__ import annotations

import time

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


class Pace:
    """How fast work is done, from the first of it that was seen: what comes before, such as compilation, is no work."""

    def __init__(self) -> None:
        self._start_s: float | None = None
        self._first = self._done = self.elapsed_s = 0.0

    def note(self, done: float) -> None:
        """Note how much is done by now."""
        now = time.monotonic()
        if self._start_s is None:
            self._start_s, self._first = now, done
        self._done, self.elapsed_s = done, now - self._start_s

    def time_left_s(self, work: float) -> float | None:
        """The seconds until all work is done; None as long as that cannot be told.

        Args:
            work: All work, that which is done included.
        """
        seen = self._done - self._first
        return (work - self._done) * self.elapsed_s / seen if seen > 0 else None


def format_duration(seconds: float) -> str:
    """A time in the unit that suits it: `45 s`, `12 min`, `3.5 h`, `2.1 days`."""
    if seconds < 1.5 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 1.5 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    if seconds < 2 * DAY_S:
        return f"{seconds / HOUR_S:.2g} h"
    return f"{seconds / DAY_S:.2g} days"
