"""How long training will take, from what is done of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class WholeTrials:
    """What whole trials take by the clock: starting, reading, training, forecasting and saving.

    Attributes:
        start_s: How long the last one took that came to train: the first loads and compiles what others need no more.
    """

    def __init__(self) -> None:
        self._seconds = self._work = self.start_s = 0.0

    def note(self, seconds: float, work: float) -> None:
        """Note for how long a trial that is finished trained, forecast and saved."""
        self._seconds, self._work = self._seconds + seconds, self._work + work

    def time_left_s(self, waiting: Sequence[float], running: Sequence[tuple[float, float]]) -> float | None:
        """The seconds until all trials are done; None as long as none is finished.

        Args:
            waiting: The work of each trial that is not started.
            running: Of each trial that runs, its work and for how many seconds it has trained.
        """
        if not self._work:
            return None
        pace = self._seconds / self._work
        of_running = sum(max(0.0, pace * work - seconds) for work, seconds in running)
        of_waiting = pace * sum(waiting) + self.start_s * len(waiting)
        return (of_running + of_waiting) / max(1, len(running))


def format_duration(seconds: float) -> str:
    """A time in the unit that suits it: `45 s`, `12 min`, `3.5 h`, `2.1 days`."""
    if seconds < 1.5 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 1.5 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    if seconds < 2 * DAY_S:
        return f"{seconds / HOUR_S:.2g} h"
    return f"{seconds / DAY_S:.2g} days"
