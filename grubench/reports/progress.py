"""The progress of training: a live display in a terminal, plain lines where there is none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from grubench.text import count_epochs

if TYPE_CHECKING:
    from rich.console import Console

# Without a terminal a line is written at most this often, so that logs stay short.
LINE_EVERY_S = 10


class Display:
    """Shows what trials report, each in a line of its own. Use as a context; call it with each event.

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

    def __enter__(self) -> Self:
        """Start showing."""
        self._progress.start()
        self._idle = self._progress.add_task("reading the data", total=None, status="and loading Keras")
        return self

    def __exit__(self, *error: object) -> None:
        """Take the display away; what finished stays."""
        self._progress.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        kind = event["kind"]
        if kind == "note":
            self._print(event["text"])
        elif kind == "plan":
            self._plan(event)
        elif kind == "trial":
            self._begin(event)
        elif kind == "found":
            self.number += 1
            self._print(f"{self._label(event)}: finished by another process", mark=("✓ ", "green"))
        elif kind == "end":
            self._end(event)
        else:
            self._told(self._running[event["trial"]], event)

    def _plan(self, event: dict[str, Any]) -> None:
        self.trials, self.number = event["trials"], 0
        if event["reused"]:
            count = event["reused"]
            were = (
                "1 trial was finished before and is" if count == 1 else f"{count} trials were finished before and are"
            )
            self._print(f"{were} reused (--fresh trains anew).")

    def _label(self, event: dict[str, Any]) -> str:
        count = f"[{self.number}/{self.trials}] " if self.trials > 1 else ""
        return f"{count}{event['arm']} seed {event['seed']}"

    def _begin(self, event: dict[str, Any]) -> None:
        self.number += 1
        self._progress.update(self._idle, visible=False)
        trial = Trial(self._label(event), event["epochs"], event["seconds"])
        trial.task = self._progress.add_task(trial.label, total=trial.total, status="starting")
        self._running[event["trial"]] = trial
        if not self.live:
            self._print(f"{trial.label}: {f'{trial.seconds:g} s' if trial.seconds else count_epochs(trial.epochs)}")

    def _told(self, trial: Trial, event: dict[str, Any]) -> None:
        status, completed = trial.take(event)
        self._progress.update(trial.task, status=status, completed=completed)
        if not self.live and event["kind"] != "stage" and trial.due():
            self._print(f"{trial.label}: {status}")

    def _end(self, event: dict[str, Any]) -> None:
        trial = self._running.pop(event["trial"])
        self._progress.remove_task(trial.task)
        if event["failed"]:
            self._print(f"{trial.label}: {event['failed']}", mark=("✗ ", "red"))
        else:
            self._print(f"{trial.label}: {trial.summary()}", mark=("✓ ", "green"))

    def _print(self, line: str, mark: tuple[str, str] = ("", "")) -> None:
        """A line as it is: what stands in brackets is no markup."""
        self.console.print(Text.assemble(mark, line), soft_wrap=not self.live)


class Trial:
    """What the display knows of a trial that runs.

    Args:
        label: How it is called.
        epochs: The epochs that it is told to do.
        seconds: The seconds, in place of epochs; 0 for epochs.
    """

    task: Any = None

    def __init__(self, label: str, epochs: int, seconds: float) -> None:
        self.label, self.epochs, self.seconds = label, epochs, seconds
        self.last: dict[str, Any] = {}
        self._began = self._epoch_began = self._said = time.monotonic()
        self._trained_s = self._completed = 0.0
        self._before: float | None = None

    @property
    def total(self) -> float:
        """What it is told to do: seconds, else epochs."""
        return self.seconds or self.epochs

    def take(self, event: dict[str, Any]) -> tuple[str, float]:
        """Take in what it tells; a line of it, and how much of the trial is done."""
        if event["kind"] == "stage":
            self._epoch_began = time.monotonic()
            return event["text"], self._completed
        if self._before is None:  # it may have begun in another process, that is gone
            self._before = event["epoch"] - 1.0
        epoch = str(event["epoch"]) if self.seconds else f"{event['epoch']}/{self.epochs}"
        if event["kind"] == "step":
            self._completed = self._done(event["epoch"] - 1 + event["step"] / event["steps"])
            where = f"epoch {epoch} step {event['step']}/{event['steps']}"
        else:
            self._trained_s += event["seconds"]
            self._epoch_began = time.monotonic()
            self._completed = self._done(event["epoch"])
            self.last = event
            where = f"epoch {epoch}"
        validation = f" val {event['val_loss']:.4g}" if "val_loss" in event else ""
        status = f"{where} loss {event['loss']:.4g}{validation} {event['sequences_per_s']:,.0f}/s {self._left()}"
        return status, self._completed

    def due(self) -> bool:
        """Whether it is time for another line in a log."""
        now = time.monotonic()
        if now - self._said <= LINE_EVERY_S:
            return False
        self._said = now
        return True

    def summary(self) -> str:
        """What is said of it at its end."""
        seconds = f"{time.monotonic() - self._began:.1f} s"
        if not self.last:
            return seconds
        validation = f", validation {self.last['val_loss']:.4g}" if "val_loss" in self.last else ""
        return f"loss {self.last['loss']:.4g}{validation}, {seconds}"

    def _done(self, epochs: float) -> float:
        """How much of it is done after so many epochs."""
        if not self.seconds:
            return epochs
        return min(self._trained_s + time.monotonic() - self._epoch_began, self.seconds)

    def _left(self) -> str:
        done = self._completed - (0 if self.seconds else self._before or 0)
        pace = 1 if self.seconds else (time.monotonic() - self._began) / done if done else 0
        seconds = round(pace * (self.total - self._completed))
        return f"{seconds // 60}:{seconds % 60:02} left"


class Rounds:
    """Shows how far a benchmark is. Use as a context; call it with each event."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self) -> Self:
        """Start showing."""
        self._progress.start()
        self._task = self._progress.add_task("measuring what the processor can do", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        """Take the display away."""
        self._progress.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        if event["kind"] == "plan":
            self._progress.update(self._task, total=event["rounds"])
            return
        shape = event["shape"]
        size = f"{shape.batch} x {shape.length} x {shape.features}, {','.join(map(str, shape.units))} units"
        if event["kind"] == "arm":
            arm = event["arm"]
            self._progress.update(self._task, description=f"{size}: first step of {arm.cell} on {arm.kernel}")
        else:
            self._progress.update(self._task, description=size, advance=1)
