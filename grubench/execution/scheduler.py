"""Trials on an executor: claimed, started as there is room, published when they are whole, and each trained once.

Another process may run the same comparison on the same folder. A trial belongs to the process that holds its claim;
what the other finishes is taken from the folder, and what it leaves when it dies is trained here.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from grubench.errors import DataError, RunError, UsageError
from grubench.execution import Job
from grubench.runs import locks, run
from grubench.spec.kernel_rules import may_be_refused
from grubench.training.events import Note, TrialEnd, TrialFound, TrialStart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from grubench.data.series import Dataset
    from grubench.errors import GrubenchError
    from grubench.execution import Executor
    from grubench.execution.base import Outcome
    from grubench.runs.locks import Claim
    from grubench.runs.run import Run
    from grubench.runs.store import RunStore
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnEvent


# A trial's claim and checkpoint are named by so much of its spec's digest.
KEY_DIGITS = 16
CHECKPOINTS = ".checkpoints"
# How long to wait for progress at a time, and between looks at what other processes have finished, in seconds.
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class _Running:
    """A trial that runs.

    Attributes:
        spec: The trial.
        claim: The right to it.
        slot: The executor's slot that it runs in.
    """

    spec: Experiment
    claim: Claim
    slot: int


@dataclass(kw_only=True, eq=False)
class Schedule:
    """The trials of a comparison on an executor.

    Attributes:
        root: The folder of the runs.
        executor: What runs them.
        shelf: The runs that are there; None to train again what is.
        dataset: The data of all trials.
        on_event: Called with the progress.
        every: Epochs between checkpoints; 0 for none.
        afresh: Pass over the checkpoints that are there.
        done: The run of each trial that is finished.
        failed: What ended each other.
    """

    root: Path
    executor: Executor
    shelf: RunStore | None
    dataset: Dataset
    on_event: OnEvent
    every: int = 0
    afresh: bool = False
    done: dict[Experiment, Run] = field(default_factory=dict)
    failed: dict[Experiment, GrubenchError] = field(default_factory=dict)
    _running: dict[int, _Running] = field(default_factory=dict)

    def run(self, trials: Sequence[tuple[str, Experiment]]) -> None:
        """Train the trials, by the names of their arms, and fill `done` and `failed`.

        Raises:
            UsageError: What is wrong with the first trial to end, and so with every trial, it seems.
            DataError: The same.
        """
        waiting = deque(enumerate(trials))
        told = False
        try:
            self._check([spec for _, spec in trials])
            while waiting or self._running:
                elsewhere = self._start(waiting)
                if elsewhere and not self._running and not told:
                    told = True
                    trials_are = "1 trial is" if elsewhere == 1 else f"{elsewhere} trials are"
                    text = f"{trials_are} being trained by another process; waiting for its end."
                    self.on_event(Note(text=text))
                for number, outcome in self.executor.wait(LOOK_EVERY_S):
                    self._end(number, outcome)
        finally:
            self.executor.close()
            for one in self._running.values():
                one.claim.release()

    def _check(self, specs: Sequence[Experiment]) -> None:
        """Have the executor look at those that a machine may refuse, before the first of them is trained.

        Raises:
            GrubenchError: Why one cannot run.
        """
        doubtful = dict.fromkeys(spec.with_seed(0) for spec in specs if may_be_refused(spec.training))
        for number, spec in enumerate(doubtful):
            options = self.executor.trial_options(spec, 0)
            self.executor.start(Job(number=number, spec=spec, folder=None, options=options, dataset=None))
            ended: list[tuple[int, Outcome]] = []
            while not ended:
                ended = self.executor.wait(LOOK_EVERY_S)
            for _, outcome in ended:
                if outcome is not None:
                    raise outcome

    def _start(self, waiting: deque[tuple[int, tuple[str, Experiment]]]) -> int:
        """Start what there is room for; how many trials others hold."""
        elsewhere = 0
        for _ in range(len(waiting)):
            if len(self._running) >= self.executor.slots:
                break
            number, (name, spec) = waiting.popleft()
            try:
                claim = locks.take(self.root, spec.digest[:KEY_DIGITS])
            except RunError as error:  # a disk that is full by now
                self.failed[spec] = error
                self.on_event(Note(text=f"{name} seed {spec.seed}: {error}"))
                continue
            if claim is None:
                elsewhere += 1
                waiting.append((number, (name, spec)))
                continue
            finished = self.shelf.find_again(spec) if self.shelf else None
            if finished:
                claim.release()
                self.done[spec] = finished
                self.on_event(TrialFound(arm=name, seed=spec.seed))
                continue
            self._begin(number, name, spec, claim, beside=bool(elsewhere))
        return elsewhere

    def _begin(self, number: int, name: str, spec: Experiment, claim: Claim, *, beside: bool) -> None:
        taken = {one.slot for one in self._running.values()}
        slot = next(slot for slot in count() if slot not in taken)
        self._running[number] = _Running(spec=spec, claim=claim, slot=slot)
        training = spec.training
        self.on_event(
            TrialStart(trial=number, arm=name, seed=spec.seed, epochs=training.epochs, seconds=training.seconds)
        )
        options = replace(self.executor.trial_options(spec, slot), checkpoint=self._checkpoint(spec), every=self.every)
        if beside:
            options = replace(options, shared=options.shared or "beside another process that trains in this folder")
        self._clear(options.checkpoint, everything=self.afresh)
        self.executor.start(Job(number=number, spec=spec, folder=claim.aside, options=options, dataset=self.dataset))

    def _end(self, number: int, outcome: GrubenchError | None) -> None:
        running = self._running[number]
        spec, claim = running.spec, running.claim
        if isinstance(outcome, UsageError | DataError) and not self.done and not self.failed:
            raise outcome
        try:
            if outcome is None:
                middle = f"{spec.data_name}-{spec.model.cell}-s{spec.seed}"
                folder = claim.publish(run.free_name(self.root, middle, spec.digest))
                self.done[spec] = run.load(folder, spec)
                self._clear(self._checkpoint(spec), everything=True)
        except (RunError, UsageError) as error:
            outcome = error
        if outcome is not None:
            self.failed[spec] = outcome
        claim.release()
        del self._running[number]
        self.on_event(TrialEnd(trial=number, error=str(outcome or "")))

    def _checkpoint(self, spec: Experiment) -> Path:
        return self.root / CHECKPOINTS / f"{spec.digest[:KEY_DIGITS]}.npz"

    @staticmethod
    def _clear(checkpoint: Path | None, *, everything: bool) -> None:
        """Remove what processes that are gone left of a checkpoint half written; or the checkpoint too."""
        if checkpoint is None or not checkpoint.parent.is_dir():
            return
        for path in checkpoint.parent.glob(f"{checkpoint.name}{'' if everything else '-'}*"):
            with suppress(OSError):
                path.unlink(missing_ok=True)
