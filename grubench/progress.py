"""The progress of training: a live display in a terminal, plain lines where there is none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

# Without a terminal a line is written at most this often, so that logs stay short.
LINE_EVERY_S = 10


class Display:
    """Shows what trials report. Use as a context; call it with each event.

    Args:
        console: Where to show it; the progress goes to standard error, results to standard output.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = console.is_terminal
        self.trials = self.number = self.epochs = 0
        self.seconds = 0.0
        self._began = self._said = time.monotonic()
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
        self._task = self._progress.add_task("reading the data", total=None, status="and loading Keras")
        return self

    def __exit__(self, *error: object) -> None:
        """Take the display away; what finished stays."""
        self._progress.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        getattr(self, f"_on_{event['kind']}")(event)

    def _on_note(self, event: dict[str, Any]) -> None:
        self._print(event["text"])

    def _on_plan(self, event: dict[str, Any]) -> None:
        self.trials = event["trials"]
        self.number = 0
        if event["reused"]:
            self._print(f"{event['reused']} trials were finished before and are reused (--fresh trains them again).")

    def _on_trial(self, event: dict[str, Any]) -> None:
        self.number += 1
        self.epochs, self.seconds = event["epochs"], event["seconds"]
        count = f"[{self.number}/{self.trials}] " if self.trials > 1 else ""
        self._label = f"{count}{event['arm']} seed {event['seed']}"
        self._began = self._epoch_began = time.monotonic()
        self._trained_s = 0.0
        self.last: dict[str, Any] = {}
        self._progress.reset(self._task, total=self._total, description=self._label, status="starting")
        if not self.live:
            self._print(f"{self._label}: {f'{self.seconds:g} s' if self.seconds else f'{self.epochs} epochs'}")

    def _on_stage(self, event: dict[str, Any]) -> None:
        self._epoch_began = time.monotonic()
        self._progress.update(self._task, status=event["text"])

    def _on_step(self, event: dict[str, Any]) -> None:
        done = event["epoch"] - 1 + event["step"] / event["steps"]
        status = (
            f"epoch {self._epoch(event)} step {event['step']}/{event['steps']} "
            f"loss {event['loss']:.4g} {event['sequences_per_s']:,.0f}/s {self._left(done)}"
        )
        self._progress.update(self._task, completed=self._done(done), status=status)
        self._line(status)

    def _on_epoch(self, event: dict[str, Any]) -> None:
        self._trained_s += event["seconds"]
        self._epoch_began = time.monotonic()
        validation = f" val {event['val_loss']:.4g}" if "val_loss" in event else ""
        status = (
            f"epoch {self._epoch(event)} loss {event['loss']:.4g}{validation} "
            f"{event['sequences_per_s']:,.0f}/s {self._left(event['epoch'])}"
        )
        self._progress.update(self._task, completed=self._done(event["epoch"]), status=status)
        self.last = event
        self._line(status)

    def _on_end(self, event: dict[str, Any]) -> None:
        if event["failed"]:
            self._print(f"{self._label}: {event['failed']}", mark=("✗ ", "red"))
            return
        seconds = time.monotonic() - self._began
        if not self.last:
            self._print(f"{self._label}: {seconds:.1f} s", mark=("✓ ", "green"))
            return
        validation = f", validation {self.last['val_loss']:.4g}" if "val_loss" in self.last else ""
        self._print(f"{self._label}: loss {self.last['loss']:.4g}{validation}, {seconds:.1f} s", mark=("✓ ", "green"))

    def _print(self, line: str, mark: tuple[str, str] = ("", "")) -> None:
        """A line as it is: what stands in brackets is no markup."""
        self.console.print(Text.assemble(mark, line), soft_wrap=not self.live)

    @property
    def _total(self) -> float:
        """What a trial is told to do: seconds, else epochs."""
        return self.seconds or self.epochs

    def _done(self, epochs: float) -> float:
        """How much of it is done after so many epochs."""
        if not self.seconds:
            return epochs
        return min(self._trained_s + time.monotonic() - self._epoch_began, self.seconds)

    def _epoch(self, event: dict[str, Any]) -> str:
        return str(event["epoch"]) if self.seconds else f"{event['epoch']}/{self.epochs}"

    def _left(self, epochs: float) -> str:
        done = self._done(epochs)
        pace = 1 if self.seconds else (time.monotonic() - self._began) / done if done else 0
        seconds = round(pace * (self._total - done))
        return f"{seconds // 60}:{seconds % 60:02} left"

    def _line(self, status: str) -> None:
        now = time.monotonic()
        if not self.live and now - self._said > LINE_EVERY_S:
            self._said = now
            self._print(f"{self._label}: {status}")


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
