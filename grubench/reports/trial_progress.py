"""How far one trial is: its epochs, its losses, the time that it still takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from grubench.reports.pace import Pace, format_duration
from grubench.training.events import EpochEnd, Stage, Step, TrialEvent

if TYPE_CHECKING:
    from rich.progress import TaskID

# Without a terminal a line is written at most this often, so that logs stay short.
LINE_EVERY_S = 10


class TrialProgress:
    """What the display knows of a trial that runs.

    Args:
        label: Its name in the display.
        epochs: The epochs that it is to train.
        seconds: The seconds that it is to train in place of epochs; 0 for epochs.
        task: Its line in the display.

    Attributes:
        completed: How much of it is done, in epochs, or in seconds where it trains for a time.
        work: All of it.
        start_s: The seconds until it trained; None as long as it does not.
    """

    def __init__(self, label: str, epochs: int, seconds: float, task: TaskID) -> None:
        self.label, self.epochs, self.seconds, self.task = label, epochs, seconds, task
        self.work, self.completed = seconds or epochs, 0.0
        self._event: TrialEvent = Stage(text="")
        self._last: EpochEnd | None = None
        self._pace = Pace()
        self._start = self._epoch_start = self._last_line = time.monotonic()
        self._trained_s = 0.0
        self.start_s: float | None = None

    @property
    def elapsed_s(self) -> float:
        """The seconds since it was started."""
        return time.monotonic() - self._start

    @property
    def training_s(self) -> float:
        """The seconds since it trained first; 0 as long as it does not."""
        return 0.0 if self.start_s is None else self.elapsed_s - self.start_s

    def update(self, event: TrialEvent) -> None:
        """Note an event."""
        self._event = event
        if self.start_s is None and isinstance(event, Step | EpochEnd):
            self.start_s = self.elapsed_s
        if isinstance(event, Step):
            self._progress_to(event.epoch - 1 + event.step / event.steps)
            return
        self._epoch_start = time.monotonic()
        if isinstance(event, EpochEnd):
            self._trained_s += event.epoch_s
            self._progress_to(event.epoch)
            self._last = event

    def describe(self, *, steps: bool = False) -> str:
        """Where it stands, in a line.

        Args:
            steps: Also the step of the epoch and the speed.
        """
        event = self._event
        if not isinstance(event, Step | EpochEnd):
            return event.text if isinstance(event, Stage) else ""
        epoch = f"epoch {event.epoch}" if self.seconds else f"epoch {event.epoch}/{self.epochs}"
        step = f" step {event.step}/{event.steps}" if steps and isinstance(event, Step) else ""
        known = self._last and self._last.val_loss
        validation = f" val {known:.4g}" if known is not None else ""
        speed = f" {event.sequences_per_s:,.0f}/s" if steps else ""
        left_s = self._pace.time_left_s(self.work)
        left = f" {format_duration(left_s)} left" if left_s is not None else ""
        return f"{epoch}{step} loss {event.loss:.4g}{validation}{speed}{left}"

    def due(self) -> bool:
        """Whether it is time for another line in a log."""
        now = time.monotonic()
        if now - self._last_line <= LINE_EVERY_S:
            return False
        self._last_line = now
        return True

    def summary(self) -> str:
        """The line at its end: the losses of the last epoch and the time."""
        seconds = f"{self.elapsed_s:.1f} s"
        if self._last is None:
            return seconds
        validation = f", validation {self._last.val_loss:.4g}" if self._last.val_loss is not None else ""
        return f"loss {self._last.loss:.4g}{validation}, {seconds}"

    def _progress_to(self, epochs: float) -> None:
        """Note how many epochs are done, a part of one included."""
        spent_s = self._trained_s + time.monotonic() - self._epoch_start
        self.completed = min(spent_s, self.seconds) if self.seconds else epochs
        self._pace.note(self.completed)
