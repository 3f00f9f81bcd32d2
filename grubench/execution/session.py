"""The trials of one call in one folder of runs: what is finished is reused, the rest is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from grubench.backends import capacity, machine
from grubench.data.input_files import check_file
from grubench.execution.preload import Preloader
from grubench.execution.scheduler import Scheduler
from grubench.runs import atomic, locks
from grubench.runs.store import RunStore
from grubench.text import count
from grubench.training.events import Note, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from grubench.data.series import Dataset
    from grubench.data.windows import Windows
    from grubench.errors import GrubenchError
    from grubench.execution.executor import Executor
    from grubench.execution.options import ExecutionOptions
    from grubench.runs.run import Run
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnEvent


@dataclass(frozen=True, kw_only=True)
class Results:
    """What came of trials.

    Attributes:
        runs: The run of each trial that is finished.
        errors: What ended each of the others.
        reused: How many of the runs were finished before.
    """

    runs: dict[Experiment, Run]
    errors: dict[Experiment, GrubenchError]
    reused: int


NOTHING = Results(runs={}, errors={}, reused=0)


class Session:
    """Runs trials that share their data and their folder of runs. Nothing is read before it is needed, nor twice.

    Args:
        spec: The spec whose data and windows all trials have.
        root: The folder of the runs.
        options: Where and how trials run.
        on_event: Called with the progress.
        reuse: Reuse finished runs.
        resume: Resume from the checkpoints of trials that were killed.
        frame: The table of the data, where it is in memory.

    Attributes:
        notes: What was guessed when the data were read, and what looks wrong; known when trials have run.

    Raises:
        RunError: The folder cannot be written.
    """

    def __init__(
        self,
        spec: Experiment,
        root: Path,
        options: ExecutionOptions,
        on_event: OnEvent,
        *,
        reuse: bool,
        resume: bool,
        frame: pd.DataFrame | None = None,
    ) -> None:
        atomic.check_writable(root)
        locks.remove_partial(root)
        self._spec, self._root, self._options, self._on_event = spec, root, options, on_event
        self._resume, self._frame = resume, frame
        self._call, self._started = uuid4().hex, 0
        self._preloader = Preloader()
        self._dataset: Dataset | None = None
        self._training_windows = self._season = 0
        self.notes: tuple[str, ...] = ()
        self._store = RunStore(root, cache(machine.describe_machine)) if reuse else None

    def settle(self, spec: Experiment) -> Experiment:
        """The spec with the season of its data, where that is to be found: a trial's spec and its digest have a number.

        Raises:
            DataError: The data cannot be used.
        """
        if spec.data.period != "auto":
            return spec
        self._read_dataset()
        return replace(spec, data=replace(spec.data, period=self._season))

    def run(self, trials: Sequence[tuple[str, Experiment]], before: Results = NOTHING) -> Results:
        """Train the trials that are not finished.

        Args:
            trials: The name of the arm and the spec of each.
            before: What came of others; it is part of the results.

        Raises:
            UsageError: Ray was asked for and is not installed or cannot be reached; or see `Scheduler.run`.
            DataError: The data cannot be used.
            GrubenchError: The first failure, where no trial is finished.
        """
        runs = self._find_runs(spec for _, spec in trials)
        reused = len(runs)
        missing = [(name, spec) for name, spec in trials if spec not in runs]
        work = sum(spec.training.seconds or spec.training.epochs for _, spec in missing)
        self._on_event(Plan(trials=len(missing), reused=reused, work=work))
        errors: dict[Experiment, GrubenchError] = {}
        if missing:
            self._check_memory(spec for _, spec in missing)
            scheduler = Scheduler(
                root=self._root,
                executor=make_executor(self._options, len(missing), self._spec, self._on_event),
                find_run=self._find_run_again,
                dataset=self._read_dataset(),
                on_event=self._on_event,
                checkpoint_every=self._options.checkpoint_every,
                resume=self._resume,
                call=self._call,
                started=self._started,
            )
            self._started += len(missing)
            trained, errors = scheduler.run(missing)
            runs |= trained
        runs, errors = {**before.runs, **runs}, {**before.errors, **errors}
        if not runs:
            raise _summarize(list(errors.values()))
        return Results(runs=runs, errors=errors, reused=before.reused + reused)

    def find_run(self, spec: Experiment) -> Run | None:
        """The finished run of a trial, if there is one to reuse.

        Raises:
            DataError: The data cannot be used.
        """
        return self._find_runs([spec]).get(spec)

    def _find_runs(self, specs: Iterable[Experiment]) -> dict[Experiment, Run]:
        """The finished runs of trials; Keras starts to load meanwhile for those that seem to be missing."""
        specs = list(specs)
        if self._spec.data.file and self._frame is None:  # told before Keras starts to load
            check_file(Path(self._spec.data.file), "data.file", self._options.max_table_mb)
        if self._options.executor == "processes":
            self._preloader.preload([spec for spec in specs if not self._may_have(spec)])
        self._read_dataset()  # wrong data are reported before anything is trained
        found = {spec: self._store.find(spec, self._fingerprint) for spec in specs} if self._store else {}
        return {spec: run for spec, run in found.items() if run is not None}

    def _find_run_again(self, spec: Experiment) -> Run | None:
        """The run of a trial that another process may have finished since."""
        return self._store.find_again(spec, self._fingerprint) if self._store else None

    def _check_memory(self, specs: Iterable[Experiment]) -> None:
        """Refuse trials that cannot fit this machine; Ray's nodes are other machines."""
        if self._options.executor == "ray":
            return
        inputs = self._read_dataset().series[0].values.shape[1]
        for spec in {(spec.model, spec.training): spec for spec in specs}.values():
            batch, length = min(spec.training.batch_size, self._training_windows), spec.window.lookback
            need = capacity.estimate(spec, spec.model.stack, inputs=inputs, batch=batch, length=length)
            sizes = f"batches of {count(batch, 'window')} of {count(length, 'step')}"
            capacity.check_memory(spec.model.stack, need, sizes, "--units, --layers, --batch-size or --lookback")

    def _may_have(self, spec: Experiment) -> bool:
        return self._store is not None and self._store.may_have(spec)

    def _read_dataset(self) -> Dataset:
        """The data, read once, from which windows can be cut as the spec says."""
        if self._dataset is None:
            from grubench.data import categories, datasets, windows

            max_mb, data = self._options.max_table_mb, self._spec.data
            dataset = datasets.load(data, self._spec.data_name, max_mb=max_mb, frame=self._frame)
            dataset = categories.encode(dataset, self._spec)
            cut = windows.build(dataset, self._spec)
            self._training_windows = cut.count("train")
            self.notes = (*cut.notes, *self._find_season(dataset, cut))
            for note in self.notes:
                self._on_event(Note(text=note))
            self._dataset = dataset
        return self._dataset

    def _find_season(self, dataset: Dataset, cut: Windows) -> tuple[str, ...]:
        """Find the season where that is asked for, and say so of a file of the user's own."""
        if self._spec.data.period != "auto":
            return ()
        from grubench.data.season import find_season

        trained = [series for series in dataset.series if series.name in cut.starts["train"]]
        season = find_season(trained, [cut.training(series) for series in trained])
        self._season = season.steps
        return (season.reason,) if self._spec.data.file or season.steps else ()

    @cached_property
    def _fingerprint(self) -> str:
        """The digest of all data, by which a store finds runs."""
        return self._read_dataset().fingerprint()


def _summarize(errors: Sequence[GrubenchError]) -> GrubenchError:
    """The error of trials that all failed: the first one's, after how many there are."""
    first = errors[0]
    if len(errors) == 1:
        return first
    return type(first)(f"All {len(errors)} trials failed, the first by: {first.message}", first.remedy)


def make_executor(options: ExecutionOptions, trials: int, spec: Experiment, on_event: OnEvent) -> Executor:
    """The executor for so many trials of a spec.

    Raises:
        UsageError: Ray was asked for and is not installed, or cannot be reached.
    """
    if options.executor == "in-process":
        from grubench.execution.in_process import InProcess

        return InProcess(on_event)
    if options.executor == "ray":
        from grubench.execution.ray import RayCluster

        return RayCluster(options.ray_address, spec.training.threads or 1, options.retries, on_event)
    from grubench.execution.processes import Processes

    return Processes(min(options.jobs, trials), on_event)
