"""Cells times seeds: plan the trials, run those that are not done, and collect what they show."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import convert

from grubench import execution
from grubench.backends import machine as environment
from grubench.comparison.comparison import Comparison, Failure, differences
from grubench.errors import UsageError
from grubench.execution.options import ExecutionOptions
from grubench.execution.scheduler import Schedule
from grubench.runs import locks
from grubench.runs import run as runs
from grubench.runs.records import Machine
from grubench.runs.store import RunStore
from grubench.spec.arms import arms_of, label, plan
from grubench.spec.cells import REFERENCE
from grubench.spec.kernel_rules import fused_reasons
from grubench.training.events import Note, Plan, ignore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from grubench.data.series import Dataset
    from grubench.errors import GrubenchError
    from grubench.runs.run import Run
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnEvent

    Trials = Sequence[tuple[str, Experiment]]

# Epochs of the trial that tells how long the training takes whose time all are given.
PILOT_EPOCHS = 3


def compare(
    spec: Experiment,
    *,
    cells: Sequence[str] = ("gru", "lstm"),
    vary: Mapping[str, Sequence[Any]] | None = None,
    match: str = "units",
    seeds: int = 3,
    output: Path | str = "runs",
    fresh: bool = False,
    options: ExecutionOptions | None = None,
    on_event: OnEvent = ignore,
) -> Comparison:
    """Train every cell with every seed, or reuse the trials that are already done.

    Args:
        spec: The spec; its cells are replaced by each of `cells`, its seed is the first of the seeds.
        cells: The cells to compare.
        vary: Values of further settings, by dotted key or name, to cross with the cells.
        match: What is equal between the cells: `units`; `params` (the LSTM keeps its units); or `time` (all train as
            long as the LSTM needs for its epochs, told by a short pilot trial, or for `training.seconds`).
        seeds: Trials of each cell.
        output: The folder that runs go into.
        fresh: Train again even what is done.
        options: Where and how the trials run; one at a time in processes of this machine where not given.
        on_event: Called with the progress, as events of `grubench.training.events`.

    Returns:
        The comparison.

    Raises:
        GrubenchError: The first failure, where no trial could be finished.
    """
    if seeds < 1:
        raise UsageError(f"--seeds: {seeds} is too few.", "Give at least 1; 3 or more for a verdict.")
    options = options or ExecutionOptions()
    arms = arms_of(spec, cells, vary, match)
    options.check(arms.values(), match)
    ground = _Ground(spec, Path(output), on_event, reuse=not fresh, afresh=fresh, options=options)
    if match == "time" and not spec.training.seconds:
        pilot = _pilot(spec, cells)
        ground.prepare([("", pilot)])
        arms = arms_of(_timed(spec, ground.pilot(pilot), on_event), cells, vary, match)
    trials = plan(arms, seeds)
    ground.prepare(trials)
    done, failures = ground.run(trials)
    return Comparison(
        arms={name: [done[one] for arm, one in trials if arm == name and one in done] for name in arms},
        failures=failures,
        reused=ground.reused,
        notes=differences(list(arms.values())),
        folder=ground.root / _folder_name(ground.root, list(arms.values()), seeds),
    )


def train(
    spec: Experiment,
    *,
    output: Path | str = "runs",
    options: ExecutionOptions | None = None,
    on_event: OnEvent = ignore,
) -> Run:
    """Train one trial.

    Args:
        spec: The trial.
        output: The folder that the run goes into.
        options: Where and how it runs; in a process of this machine where not given.
        on_event: Called with the progress, as events of `grubench.training.events`.

    Returns:
        The finished run.

    Raises:
        GrubenchError: What ended it.
    """
    options = options or ExecutionOptions()
    options.check([spec])
    ground = _Ground(spec, Path(output), on_event, reuse=False, afresh=False, options=options)
    trials = [(label(spec), spec)]
    ground.prepare(trials)
    return ground.run(trials)[0][spec]


class _Ground:
    """What trials have in common: the data, the folder, the runs that are there already.

    Args:
        spec: What decides the data and the windows.
        root: The folder of the runs.
        on_event: Called with the progress.
        reuse: Take the runs that are there.
        afresh: Pass over the checkpoints that are there.
        options: Where and how trials run.

    Raises:
        RunError: The folder cannot be written.
        UsageError: Ray was asked for and is not there.
        DataError: The data cannot be used.
    """

    def __init__(
        self, spec: Experiment, root: Path, on_event: OnEvent, *, reuse: bool, afresh: bool, options: ExecutionOptions
    ) -> None:
        locks.check_writable(root)
        locks.sweep(root)
        self.spec, self.root, self.on_event, self.options = spec, root, on_event, options
        self.afresh = afresh
        self._shelf = RunStore(root, cache(_machine)) if reuse else None
        self._dataset: Dataset | None = None
        self.reused = 0

    def prepare(self, trials: Trials) -> None:
        """Read the data and cut the windows once, so that what is wrong with them is told before anything trains.

        Keras is loaded beside it where a trial will need it.
        """
        new = [one for _, one in trials if not (self._shelf and self._shelf.may_have(one))]
        if self.options.executor == "processes" and new:
            for backend in dict.fromkeys(one.training.backend for one in new):
                execution.warm_up(backend)
            _compile_ahead(one for _, one in trials)
        if self._dataset is None:
            from grubench.data import datasets, windows

            self._dataset = datasets.load(self.spec.data, self.spec.data_name)
            windows.build(self._dataset, self.spec)
            if self._shelf:
                self._shelf.fingerprint = self._dataset.fingerprint()

    def run(self, trials: Trials) -> tuple[dict[Experiment, Run], tuple[Failure, ...]]:
        """Train the trials that are not done yet.

        Returns:
            The finished run of each trial that has one, and the trials that failed.

        Raises:
            GrubenchError: What is wrong with every trial; or the first failure, where no trial could be finished.
        """
        found = {one: self._find(one) for _, one in trials}
        done = {one: run for one, run in found.items() if run is not None}
        left = [(name, one) for name, one in trials if one not in done]
        self.reused = len(done)
        self.on_event(Plan(trials=len(left), reused=self.reused))
        failed: dict[Experiment, GrubenchError] = {}
        if left:
            assert self._dataset is not None
            schedule = Schedule(
                root=self.root,
                executor=self.options.make_executor(len(left), self.spec, self.on_event),
                shelf=self._shelf,
                dataset=self._dataset,
                on_event=self.on_event,
                every=self.options.checkpoint_every,
                afresh=self.afresh,
            )
            schedule.run(left)
            done |= schedule.done
            failed = schedule.failed
        if not done:
            raise next(iter(failed.values()))
        failures = [
            Failure(arm=name, seed=one.seed, message=failed[one].message, remedy=failed[one].remedy)
            for name, one in trials
            if one in failed
        ]
        return done, tuple(failures)

    def pilot(self, spec: Experiment) -> Run:
        """A short trial that is trained, or was before, to see how long it takes."""
        return self._find(spec) or self.run([(f"pilot, {label(spec)}", spec)])[0][spec]

    def _find(self, spec: Experiment) -> Run | None:
        return self._shelf.find(spec) if self._shelf else None


def _machine(backend: str) -> Machine:
    found: Machine = convert(environment.machine(backend), Machine)
    return found


def _compile_ahead(specs: Iterable[Experiment]) -> None:
    """Have the fused kernels that trials will need compiled for their processes, beside the loading of Keras."""
    from grubench.kernels.cells import kernel_name

    cells = {
        kernel_name(layer.cell, reset_after=spec.model.reset_after)
        for spec in specs
        for layer in spec.model.stack
        if not fused_reasons(spec.model, spec.training, layer)
    }
    if not cells or environment.visible_cards():
        return
    from grubench.kernels import compiler

    processor = compiler.processor()
    if processor is not None:
        for cell in cells:
            threading.Thread(target=compiler.ready, args=(cell, processor), daemon=True).start()


def _pilot(spec: Experiment, cells: Sequence[str]) -> Experiment:
    """The first epochs of the training whose time all are given: the LSTM's, else the first cell's."""
    training = replace(spec.training, epochs=min(spec.training.epochs, PILOT_EPOCHS), patience=0)
    return replace(spec, training=training).with_cell(REFERENCE if REFERENCE in cells else cells[0])


def _timed(spec: Experiment, pilot: Run, on_event: OnEvent) -> Experiment:
    """The spec, to be trained for as long as the pilot's cell needs for the spec's epochs.

    Two significant digits: more would say what one short trial cannot know.
    """
    epoch_s, epochs = pilot.metrics.timing.epoch_s, spec.training.epochs
    seconds = float(f"{epoch_s * epochs:.2g}")
    text = (
        f"{label(pilot.experiment)} needs {epoch_s:.3g} s an epoch: every trial trains for {seconds:g} s, its {epochs}."
    )
    on_event(Note(text=text))
    return replace(spec, training=replace(spec.training, seconds=seconds))


def _folder_name(root: Path, arms: Sequence[Experiment], seeds: int) -> str:
    """The folder of this comparison: the one that it had before, or a new one."""
    digest = hashlib.sha256(" ".join([*(arm.digest for arm in arms), str(seeds)]).encode()).hexdigest()
    middle = f"compare-{arms[0].data_name}"
    before = [name for name in runs.names(root) if name.endswith(f"-{middle}-{digest[: runs.DIGEST_DIGITS]}")]
    return before[0] if before else runs.free_name(root, middle, digest)
