"""The progress of training: a live display in a terminal, plain lines where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from grubench.reports.pace import Pace, WholeTrials, format_duration
from grubench.reports.trial_progress import TrialProgress
from grubench.text import count
from grubench.training.events import (
    ArmStart,
    BenchmarkPlan,
    Note,
    Plan,
    RoundEnd,
    Stage,
    TrialEnd,
    TrialEvent,
    TrialFound,
    TrialStart,
)

if TYPE_CHECKING:
    from rich.console import Console

    from grubench.training.benchmark_records import Shape
    from grubench.training.events import BenchmarkEvent, Event

# Most lines of a trial have so many letters: the bars keep their length.
STATUS_WIDTH = 48
# Training that takes longer than this is said to, with what would make it shorter, once so much of it has been seen.
LONG_S = 300
FIRM_AFTER_S = 5


class Display:
    """Shows the progress of trials, each in a line of its own. Use as a context; call it with each event.

    Args:
        console: Where to show it; the progress goes to standard error, results to standard output.

    Attributes:
        notes: The notes that it has shown.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = console.is_terminal
        self._plan = Plan(trials=0, reused=0, work=0)
        self._number = 0
        self.notes: list[str] = []
        self._running: dict[int, TrialProgress] = {}
        self._ended_work = 0.0
        self._pace, self._whole = Pace(), WholeTrials()
        self._told = False
        self._remedies: set[str] = set()
        name = Column(no_wrap=True, overflow="ellipsis", max_width=max(12, console.width - STATUS_WIDTH - 12))
        bar = Column(ratio=1, min_width=4)
        status = Column(no_wrap=True, min_width=STATUS_WIDTH)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(bar_width=None, table_column=bar),
            TextColumn("{task.fields[status]}", markup=False, table_column=status),
            console=console,
            expand=True,
            transient=True,
            # Redrawing costs time that the training needs; twice a second is enough to see it live.
            refresh_per_second=2,
            disable=not self.live,
        )
        self._idle = self._progress.add_task("reading the data", total=None, status="and loading Keras")
        self._all = self._progress.add_task("all trials", visible=False, status="")

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
                self.notes.append(text)
                self._print(text)
            case Plan():
                self._show_plan(event)
            case TrialStart():
                self._start(event)
            case TrialFound():
                self._number += 1
                self._ended_work += self._plan.work / self._plan.trials
                self._print(f"{self._label(event)}: finished by another process", mark=("✓ ", "green"))
            case TrialEnd():
                self._end(event)
            case TrialEvent():
                self._update(self._running[event.trial], event)

    def _show_plan(self, event: Plan) -> None:
        self._plan, self._number = event, event.reused
        self._ended_work, self._pace, self._told = 0.0, Pace(), False
        self._whole = WholeTrials()
        self._progress.update(self._all, total=event.work, completed=0, visible=event.trials > 1, status="")
        if event.reused:
            count = event.reused
            were = (
                "1 trial was finished before and is" if count == 1 else f"{count} trials were finished before and are"
            )
            self._print(f"{were} reused (--fresh trains anew).")

    def _label(self, event: TrialStart | TrialFound) -> str:
        trials = self._plan.trials + self._plan.reused
        number = f"[{self._number}/{trials}] " if trials > 1 else ""
        return f"{number}{event.arm} seed {event.seed}"

    def _start(self, event: TrialStart) -> None:
        self._number += 1
        self._progress.update(self._idle, visible=False)
        label = self._label(event)
        task = self._progress.add_task(label, total=event.seconds or event.epochs, status="starting")
        trial = TrialProgress(label, event.epochs, event.seconds, task)
        self._running[event.trial] = trial
        if not self.live:
            self._print(f"{trial.label}: {f'{trial.seconds:g} s' if trial.seconds else count(trial.epochs, 'epoch')}")

    def _update(self, trial: TrialProgress, event: TrialEvent) -> None:
        trial.update(event)
        if trial.start_s is not None:
            self._whole.start_s = trial.start_s
        self._progress.update(trial.task, status=trial.describe(), completed=trial.completed)
        if isinstance(event, Stage):
            return
        self._pace.note(self._work_done())
        left = self._describe_left()
        if not self.live and trial.due():
            self._print(f"{trial.label}: {trial.describe(steps=True)}{f'; all trials: {left}' if left else ''}")
        self._progress.update(self._all, completed=self._work_done(), status=left)
        self._tell_duration(trial)

    def _work_done(self) -> float:
        return self._ended_work + sum(trial.completed for trial in self._running.values())

    def _time_left_s(self) -> float | None:
        """The seconds until all trials are done: by those that are finished, before by the epochs alone."""
        running = list(self._running.values())
        left = self._plan.work - self._ended_work - sum(trial.work for trial in running)
        trials = self._plan.trials + self._plan.reused - self._number
        waiting = [left / trials] * trials if trials else []
        left_s = self._whole.time_left_s(waiting, [(trial.work, trial.training_s) for trial in running])
        return self._pace.time_left_s(self._plan.work) if left_s is None else left_s

    def _describe_left(self) -> str:
        """How long all trials still take, where there are several."""
        left_s = self._time_left_s()
        return "" if self._plan.trials < 2 or left_s is None else f"{format_duration(left_s)} left"

    def _tell_duration(self, trial: TrialProgress) -> None:
        """Say once how long all will take where that is long, and what would make it shorter."""
        left_s = self._time_left_s()
        if self._told or left_s is None or self._pace.elapsed_s < FIRM_AFTER_S:
            return
        self._told = True
        if left_s < LONG_S:
            return
        several = self._plan.trials > 1
        trials = f"all {self._plan.trials} trials" if several else "this trial"
        length = "--seconds" if trial.seconds else "--epochs"
        fewer = f"fewer {length}{' or --seeds' if several else ''}"
        faster = "" if trial.seconds else ", a larger --batch-size or --stride"
        self._print(f"About {format_duration(left_s)} for {trials}. Shorter: {fewer}{faster}.")

    def _end(self, event: TrialEnd) -> None:
        trial = self._running.pop(event.trial)
        self._ended_work += trial.work
        if trial.start_s is not None and not event.error:
            self._whole.note(trial.training_s, trial.work)
        self._progress.remove_task(trial.task)
        if event.error:
            self._print(f"{trial.label}: {event.error}", mark=("✗ ", "red"))
            if event.remedy and event.remedy not in self._remedies:
                self._remedies.add(event.remedy)
                self._print(event.remedy)
        else:
            self._print(f"{trial.label}: {trial.summary()}", mark=("✓ ", "green"))

    def _print(self, line: str, mark: tuple[str, str] = ("", "")) -> None:
        """A line as it is: what stands in brackets is no markup."""
        self.console.print(Text.assemble(mark, line), soft_wrap=not self.live)


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
