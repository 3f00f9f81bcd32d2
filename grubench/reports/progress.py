"""The progress of training: a live display in a terminal, plain lines where there is none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from grubench.text import count
from grubench.training.events import (
    ArmStart,
    BenchmarkPlan,
    EpochEnd,
    Note,
    Plan,
    RoundEnd,
    Stage,
    Step,
    TrialEnd,
    TrialEvent,
    TrialFound,
    TrialStart,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from grubench.training.benchmark_records import Shape
    from grubench.training.events import BenchmarkEvent, Event

# Without a terminal a line is written at most this often, so that logs stay short.
LINE_EVERY_S = 10


class Display:
    """Shows the progress of trials, each in a line of its own. Use as a context; call it with each event.

    Args:
        console: Where to show it; the progress goes to standard error, results to standard output.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = console.is_terminal
        self.trials = self.number = 0
        self._running: dict[int, Trial] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[status]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            # Redrawing costs time that the training needs; twice a second is enough to see it live.
            refresh_per_second=2,
            disable=not self.live,
        )
        self._idle = self._progress.add_task("reading the data", total=None, status="and loading Keras")

    def __enter__(self) -> Self:
        """Start showing."""
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the display away; what finished stays."""
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Note(text=text):
                self._print(text)
            case Plan():
                self._show_plan(event)
            case TrialStart():
                self._start(event)
            case TrialFound():
                self.number += 1
                self._print(f"{self._label(event)}: finished by another process", mark=("✓ ", "green"))
            case TrialEnd():
                self._end(event)
            case TrialEvent():
                self._update(self._running[event.trial], event)

    def _show_plan(self, event: Plan) -> None:
        self.trials, self.number = event.trials, 0
        if event.reused:
            count = event.reused
            were = (
                "1 trial was finished before and is" if count == 1 else f"{count} trials were finished before and are"
            )
            self._print(f"{were} reused (--fresh trains anew).")

    def _label(self, event: TrialStart | TrialFound) -> str:
        count = f"[{self.number}/{self.trials}] " if self.trials > 1 else ""
        return f"{count}{event.arm} seed {event.seed}"

    def _start(self, event: TrialStart) -> None:
        self.number += 1
        self._progress.update(self._idle, visible=False)
        label = self._label(event)
        task = self._progress.add_task(label, total=event.seconds or event.epochs, status="starting")
        trial = Trial(label, event.epochs, event.seconds, task)
        self._running[event.trial] = trial
        if not self.live:
            self._print(f"{trial.label}: {f'{trial.seconds:g} s' if trial.seconds else count(trial.epochs, 'epoch')}")

    def _update(self, trial: Trial, event: TrialEvent) -> None:
        status = trial.update(event)
        self._progress.update(trial.task, status=status, completed=trial.completed)
        if not self.live and not isinstance(event, Stage) and trial.due():
            self._print(f"{trial.label}: {status}")

    def _end(self, event: TrialEnd) -> None:
        trial = self._running.pop(event.trial)
        self._progress.remove_task(trial.task)
        if event.error:
            self._print(f"{trial.label}: {event.error}", mark=("✗ ", "red"))
        else:
            self._print(f"{trial.label}: {trial.summary()}", mark=("✓ ", "green"))

    def _print(self, line: str, mark: tuple[str, str] = ("", "")) -> None:
        """A line as it is: what stands in brackets is no markup."""
        self.console.print(Text.assemble(mark, line), soft_wrap=not self.live)


class Trial:
    """What the display knows of a trial that runs.

    Args:
        label: Its name in the display.
        epochs: The epochs that it is to train.
        seconds: The seconds that it is to train in place of epochs; 0 for epochs.
        task: Its line in the display.

    Attributes:
        completed: How much of it is done, in epochs, or in seconds where it trains for a time.
    """

    def __init__(self, label: str, epochs: int, seconds: float, task: TaskID) -> None:
        self.label, self.epochs, self.seconds, self.task = label, epochs, seconds, task
        self.completed = 0.0
        self._last: EpochEnd | None = None
        self._start = self._epoch_start = self._last_line = time.monotonic()
        self._trained_s = 0.0
        self._epochs_before: float | None = None

    def update(self, event: TrialEvent) -> str:
        """Note an event; the status in a line."""
        if isinstance(event, Step):
            position = f"epoch {self._epoch(event)} step {event.step}/{event.steps}"
            self._progress_to(event.epoch - 1 + event.step / event.steps)
            return f"{position} loss {event.loss:.4g} {event.sequences_per_s:,.0f}/s {self._time_left()}"
        self._epoch_start = time.monotonic()
        if isinstance(event, EpochEnd):
            position = f"epoch {self._epoch(event)}"
            self._trained_s += event.epoch_s
            self._progress_to(event.epoch)
            self._last = event
            return f"{position} {_losses(event, ' val')} {event.sequences_per_s:,.0f}/s {self._time_left()}"
        return event.text if isinstance(event, Stage) else ""

    def due(self) -> bool:
        """Whether it is time for another line in a log."""
        now = time.monotonic()
        if now - self._last_line <= LINE_EVERY_S:
            return False
        self._last_line = now
        return True

    def summary(self) -> str:
        """The line at its end: the losses of the last epoch and the time."""
        seconds = f"{time.monotonic() - self._start:.1f} s"
        return f"{_losses(self._last, ', validation')}, {seconds}" if self._last else seconds

    def _epoch(self, event: Step | EpochEnd) -> str:
        """The epoch of an event, and of how many where that is known."""
        if self._epochs_before is None:  # the epochs before may have been trained by another process, that is gone
            self._epochs_before = event.epoch - 1.0
        return str(event.epoch) if self.seconds else f"{event.epoch}/{self.epochs}"

    def _progress_to(self, epochs: float) -> None:
        """Note how many epochs are done, a part of one included."""
        spent_s = self._trained_s + time.monotonic() - self._epoch_start
        self.completed = min(spent_s, self.seconds) if self.seconds else epochs

    def _time_left(self) -> str:
        if self.seconds:
            seconds = round(self.seconds - self.completed)
        else:
            done = self.completed - (self._epochs_before or 0)
            epoch_s = (time.monotonic() - self._start) / done if done else 0
            seconds = round(epoch_s * (self.epochs - self.completed))
        return f"{seconds // 60}:{seconds % 60:02} left"


def _losses(event: EpochEnd, validation: str) -> str:
    """The losses of an epoch, that of the validation after the given word."""
    return f"loss {event.loss:.4g}" + (f"{validation} {event.val_loss:.4g}" if event.val_loss is not None else "")


class BenchmarkDisplay:
    """Shows the progress of a step benchmark. Use as a context; call it with each event."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("measuring what the processor can do", total=None)

    def __enter__(self) -> Self:
        """Start showing."""
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the display away."""
        self._progress.stop()

    def __call__(self, event: BenchmarkEvent) -> None:
        """Show one event."""
        match event:
            case BenchmarkPlan(rounds=rounds):
                self._progress.update(self._task, total=rounds)
            case ArmStart(arm=arm, shape=shape):
                text = f"{_size(shape)}: first step of {arm.cell} on {arm.kernel}"
                self._progress.update(self._task, description=text)
            case RoundEnd(shape=shape):
                self._progress.update(self._task, description=_size(shape), advance=1)


def _size(shape: Shape) -> str:
    return f"{shape.batch} x {shape.length} x {shape.features}, {','.join(map(str, shape.units))} units"
