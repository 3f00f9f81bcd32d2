"""Schedules trials on an executor: each is locked, started when there is a slot, published when whole, trained once.

Another process may run the same comparison in the same folder. A trial belongs to the process that holds its lock;
what the other process finishes is taken from the folder, and what it leaves when it dies is trained here.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from grubench.backends import provenance
from grubench.errors import DataError, RunError, UsageError
from grubench.execution.executor import Job
from grubench.runs import atomic, folder, locks
from grubench.runs.run import load
from grubench.spec.kernel_rules import needs_machine_check
from grubench.training.events import Note, TrialEnd, TrialFound, TrialStart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from grubench.data.series import Dataset
    from grubench.errors import GrubenchError
    from grubench.execution.executor import Executor, Outcome
    from grubench.runs.locks import FolderLock
    from grubench.runs.run import Run
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnEvent
    from grubench.training.options import TrialOptions

# How many digits of its spec's digest name the lock and the checkpoint of a trial.
KEY_DIGITS = 16
# The most seconds to wait for events, and so between looks at what other processes have finished.
WAIT_S = 0.5


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """A trial to train.

    Attributes:
        number: Its place in the plan.
        arm: The name of its arm.
        spec: Its spec.
    """

    number: int
    arm: str
    spec: Experiment


@dataclass(frozen=True, kw_only=True)
class _RunningTrial:
    """A trial that runs.

    Attributes:
        spec: Its spec.
        lock: The lock that makes it ours.
        slot: The executor's slot that it runs in.
    """

    spec: Experiment
    lock: FolderLock
    slot: int


class Scheduler:
    """Runs the trials of a comparison on an executor, once.

    Args:
        root: The folder of the runs.
        executor: What runs them; it is closed at the end.
        find_run: Finds the run of a trial that another process has finished since; None where there is none.
        dataset: The data of all trials.
        on_event: Called with the progress.
        checkpoint_every: Epochs between checkpoints; 0 for none.
        resume: Resume from the checkpoints of trials that were killed.
        call: The name of the call that trains them, as their runs record it.
        started: How many trials the call has started before.
    """

    def __init__(
        self,
        *,
        root: Path,
        executor: Executor,
        find_run: Callable[[Experiment], Run | None],
        dataset: Dataset,
        on_event: OnEvent,
        checkpoint_every: int = 0,
        resume: bool = True,
        call: str = "",
        started: int = 0,
    ) -> None:
        self._root, self._executor, self._find_run, self._dataset = root, executor, find_run, dataset
        self._on_event, self._checkpoint_every, self._resume = on_event, checkpoint_every, resume
        self._command = provenance.format_command()
        self._call, self._started = call or uuid4().hex, started
        self._runs: dict[Experiment, Run] = {}
        self._errors: dict[Experiment, GrubenchError] = {}
        self._running: dict[int, _RunningTrial] = {}

    def run(
        self, trials: Sequence[tuple[str, Experiment]]
    ) -> tuple[dict[Experiment, Run], dict[Experiment, GrubenchError]]:
        """Train the trials.

        Args:
            trials: The name of the arm and the spec of each.

        Returns:
            The run of each trial that is finished, and the error of each that failed.

        Raises:
            UsageError: What is wrong with the first trial to end, and so, it seems, with every trial.
            DataError: The same.
        """
        waiting = deque(_Trial(number=number, arm=arm, spec=spec) for number, (arm, spec) in enumerate(trials))
        noted = False
        try:
            self._check([spec for _, spec in trials])
            while waiting or self._running:
                locked = self._start_trials(waiting)
                if locked and not self._running and not noted:
                    noted = True
                    trials_are = "1 trial is" if locked == 1 else f"{locked} trials are"
                    text = f"{trials_are} being trained by another process; waiting for its end."
                    self._on_event(Note(text=text))
                for number, outcome in self._executor.wait(WAIT_S):
                    self._end(number, outcome)
        finally:
            self._executor.close()
            for running in self._running.values():
                running.lock.release()
        return self._runs, self._errors

    def _check(self, specs: Sequence[Experiment]) -> None:
        """Have the executor check the specs that a machine may refuse, before any trial is trained.

        Raises:
            GrubenchError: Why one cannot run.
        """
        doubtful = dict.fromkeys(spec.with_seed(0) for spec in specs if needs_machine_check(spec.training))
        for number, spec in enumerate(doubtful):
            options = self._executor.trial_options(spec, 0)
            self._executor.start(Job(number=number, spec=spec, folder=None, options=options, dataset=None))
            ended: list[tuple[int, Outcome]] = []
            while not ended:
                ended = self._executor.wait(WAIT_S)
            for _, outcome in ended:
                if outcome is not None:
                    raise outcome

    def _start_trials(self, waiting: deque[_Trial]) -> int:
        """Start trials while there are slots.

        Returns:
            How many of those that it came to are locked by other processes.
        """
        locked = 0
        for _ in range(len(waiting)):
            if len(self._running) >= self._executor.slots:
                break
            trial = waiting.popleft()
            try:
                lock = locks.acquire(self._root, trial.spec.digest[:KEY_DIGITS])
            except RunError as error:  # a disk that is full by now
                self._errors[trial.spec] = error
                self._on_event(Note(text=f"{trial.arm} seed {trial.spec.seed}: {error}"))
                continue
            if lock is None:
                locked += 1
                waiting.append(trial)
            elif not self._take_finished(trial, lock):
                self._start(trial, lock, beside_others=locked > 0)
        return locked

    def _take_finished(self, trial: _Trial, lock: FolderLock) -> bool:
        """Take the run of a trial that another process has finished since, if there is one, and release the lock."""
        finished = self._find_run(trial.spec)
        if finished is None:
            return False
        lock.release()
        self._runs[trial.spec] = finished
        self._on_event(TrialFound(arm=trial.arm, seed=trial.spec.seed))
        return True

    def _start(self, trial: _Trial, lock: FolderLock, *, beside_others: bool) -> None:
        spec, training = trial.spec, trial.spec.training
        used = {running.slot for running in self._running.values()}
        slot = next(slot for slot in count() if slot not in used)
        self._running[trial.number] = _RunningTrial(spec=spec, lock=lock, slot=slot)
        self._on_event(
            TrialStart(
                trial=trial.number, arm=trial.arm, seed=spec.seed, epochs=training.epochs, seconds=training.seconds
            )
        )
        options = self._options(spec, slot, beside_others=beside_others)
        self._started += 1
        self._remove_checkpoint(spec, partial_only=self._resume)
        self._executor.start(
            Job(number=trial.number, spec=spec, folder=lock.partial, options=options, dataset=self._dataset)
        )

    def _options(self, spec: Experiment, slot: int, *, beside_others: bool) -> TrialOptions:
        options = replace(
            self._executor.trial_options(spec, slot),
            checkpoint=self._checkpoint(spec),
            checkpoint_every=self._checkpoint_every,
            command=self._command,
            call=self._call,
            place=self._started,
        )
        if beside_others and not options.shared:
            options = replace(options, shared="beside another process that trains in this folder")
        return options

    def _end(self, number: int, outcome: Outcome) -> None:
        running = self._running[number]
        spec = running.spec
        if isinstance(outcome, UsageError | DataError) and not self._runs and not self._errors:
            raise outcome
        error = outcome or self._publish(running)
        if error is not None:
            self._errors[spec] = error
        running.lock.release()
        del self._running[number]
        failed = (error.message, error.remedy) if error else ("", "")
        self._on_event(TrialEnd(trial=number, error=failed[0], remedy=failed[1]))

    def _publish(self, running: _RunningTrial) -> GrubenchError | None:
        """Give a finished run its name and read it; what went wrong with that, if anything did."""
        spec = running.spec
        try:
            parts = f"{folder.shorten(spec.data_name)}-{folder.shorten(spec.model.cell)}-s{spec.seed}"
            name = folder.free_name(self._root, parts, spec.digest)
            self._runs[spec] = load(running.lock.publish(name), spec)
        except (RunError, UsageError) as error:
            return error
        self._remove_checkpoint(spec, partial_only=False)
        return None

    def _checkpoint(self, spec: Experiment) -> Path:
        return self._root / locks.CHECKPOINTS / f"{spec.digest[:KEY_DIGITS]}.npz"

    def _remove_checkpoint(self, spec: Experiment, *, partial_only: bool) -> None:
        """Remove a trial's checkpoint, or only the half-written ones that processes left when they died."""
        checkpoint = self._checkpoint(spec)
        atomic.remove_partial(checkpoint)
        if not partial_only:
            with suppress(OSError):
                checkpoint.unlink(missing_ok=True)
