"""Cells times seeds: plan the trials, run those that are not done, and collect what they show."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from grubench import environment, executors, runs
from grubench.arms import OF_THE_NAME, arms_of, differing_settings, flattened, label, named, plan
from grubench.errors import GrubenchError, RunError, TrainingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from grubench.experiment import Experiment
    from grubench.runs import Run

    Report = Callable[[dict[str, Any]], None]

SCHEMA = 1


def ignore(event: dict[str, Any]) -> None:
    """Take in progress and show nothing."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that could not be finished."""

    arm: str
    seed: int
    message: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Finished trials of two or more arms on the same windows.

    Attributes:
        arms: The finished runs of each arm, by its label, in the order of their seeds.
        failures: The trials that failed; they are shown as failed and never imputed.
        reused: How many runs had been finished before.
        folder: Where tables and pictures go; None for a comparison of given runs.
        notes: What a reader must know before the table, such as different numbers of epochs.
    """

    arms: dict[str, list[Run]]
    failures: tuple[Failure, ...] = ()
    reused: int = 0
    folder: Path | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def runs(self) -> list[Run]:
        """Every run, arm after arm."""
        return [run for runs in self.arms.values() for run in runs]

    @property
    def spec(self) -> Experiment:
        """The spec of the first run; what the arms share is in it."""
        return self.runs[0].experiment

    def pairs(self, first: str, second: str) -> list[tuple[Run, Run]]:
        """The runs of two arms that have the same seed."""
        others = {run.experiment.seed: run for run in self.arms[second]}
        return [(run, others[run.experiment.seed]) for run in self.arms[first] if run.experiment.seed in others]


def compare(
    spec: Experiment,
    *,
    cells: Sequence[str] = ("gru", "lstm"),
    vary: Mapping[str, Sequence[Any]] | None = None,
    match: str = "units",
    seeds: int = 3,
    output: Path | str = "runs",
    fresh: bool = False,
    in_process: bool = False,
    report: Report = ignore,
) -> Comparison:
    """Train every cell with every seed, or reuse the trials that are already done.

    Args:
        spec: The spec; its cells are replaced by each of `cells`, its seed is the first of the seeds.
        cells: The cells to compare.
        vary: Values of further settings, by dotted key, to cross with the cells.
        match: What is equal between the cells: `units`, or `params` (the LSTM keeps its units).
        seeds: Trials of each cell.
        output: The folder that runs go into.
        fresh: Train again even what is done.
        in_process: Train in this process, for debugging.
        report: Called with dictionaries of progress; `kind` `plan`, `trial` and `end` frame those of a trial.

    Returns:
        The comparison.

    Raises:
        GrubenchError: The first failure, where no trial could be finished.
    """
    if seeds < 1:
        raise UsageError(f"--seeds: {seeds} is too few.", "Give at least 1; 3 or more for a verdict.")
    root = Path(output)
    runs.check_writable(root)
    arms = arms_of(spec, cells, vary, match)
    trials = plan(arms, seeds)
    known = [] if fresh else runs.listed(root)
    if not in_process and not {trial.digest for _, trial in trials} <= {run.metrics.get("digest") for run in known}:
        executors.warm_up()  # beside the reading of the data
    fingerprint = checked_data(spec)
    machine = environment.machine()
    done = {trial: runs.find(known, trial.digest, fingerprint, machine) for _, trial in trials}
    reused = sum(run is not None for run in done.values())
    report({"kind": "plan", "trials": len(trials) - reused, "reused": reused})
    failures = _run_missing(trials, done, root, report, in_process=in_process)
    finished: dict[str, list[Run]] = {name: [] for name in arms}
    for name, trial in trials:
        run = done[trial]
        if run is not None:
            finished[name].append(run)
    return Comparison(
        arms=finished,
        failures=failures,
        reused=reused,
        notes=_differences(list(arms.values())),
        folder=root / _folder_name(root, list(arms.values()), seeds),
    )


def _run_missing(
    trials: Sequence[tuple[str, Experiment]],
    done: dict[Experiment, Run | None],
    root: Path,
    report: Report,
    *,
    in_process: bool,
) -> tuple[Failure, ...]:
    """Train the trials that are not done yet, put their runs into `done`, and return those that failed.

    Raises:
        GrubenchError: The first failure, where no trial could be finished.
    """
    failures: dict[Failure, GrubenchError] = {}
    for name, trial in trials:
        if done[trial] is not None:
            continue
        outcome = _train(name, trial, root, report, in_process=in_process)
        if isinstance(outcome, GrubenchError):
            failure = Failure(arm=name, seed=trial.seed, message=outcome.message, remedy=outcome.remedy)
            failures[failure] = outcome
            report({"kind": "end", "failed": str(outcome)})
        else:
            done[trial] = runs.load(outcome)
    if not any(done.values()):
        raise next(iter(failures.values()))
    return tuple(failures)


def train(
    spec: Experiment,
    *,
    output: Path | str = "runs",
    in_process: bool = False,
    report: Report = ignore,
) -> Run:
    """Train one trial.

    Args:
        spec: The trial.
        output: The folder that the run goes into.
        in_process: Train in this process, for debugging.
        report: Called with dictionaries of progress.

    Returns:
        The finished run.

    Raises:
        GrubenchError: What ended it.
    """
    runs.check_writable(Path(output))
    if not in_process:
        executors.warm_up()
    checked_data(spec)
    report({"kind": "plan", "trials": 1, "reused": 0})
    outcome = _train(label(spec), spec, Path(output), report, in_process=in_process)
    if isinstance(outcome, GrubenchError):
        raise outcome
    return runs.load(outcome)


def checked_data(spec: Experiment) -> str:
    """Read the data and cut the windows once, so that what is wrong with them is told before anything trains.

    Returns:
        The fingerprint of the data.
    """
    from grubench import datasets, windows

    dataset = datasets.load(spec.data, spec.data_name)
    windows.build(dataset, spec)
    return dataset.fingerprint()


def _train(name: str, trial: Experiment, root: Path, report: Report, *, in_process: bool) -> Path | TrainingError:
    """Train one trial and tell its beginning and its end.

    Returns:
        The run folder, or the error of this trial alone.

    Raises:
        GrubenchError: What is wrong with the spec, the data or the disk, and so with every trial.
    """
    report({"kind": "trial", "arm": name, "seed": trial.seed, "epochs": trial.training.epochs})
    outcome = executors.run(trial, root, report, in_process=in_process)
    if isinstance(outcome, GrubenchError) and not isinstance(outcome, TrainingError):
        raise outcome
    if not isinstance(outcome, GrubenchError):
        report({"kind": "end", "failed": ""})
    return outcome


def _folder_name(root: Path, arms: Sequence[Experiment], seeds: int) -> str:
    """The folder of this comparison: the one that it had before, or a new one."""
    import hashlib

    digest = hashlib.sha256(" ".join([*(arm.digest for arm in arms), str(seeds)]).encode()).hexdigest()
    middle = f"compare-{arms[0].data_name}"
    before = sorted(root.glob(f"*-{middle}-{digest[:6]}"))
    return before[-1].name if before else runs.free_name(root, middle, digest)


def load(folder: Path) -> Comparison:
    """A comparison from its folder; its runs lie beside it.

    Raises:
        UsageError: It is not the folder of a comparison, or a run of it is gone.
        RunError: It is damaged, or a newer grubench wrote it.
    """
    path = folder / "comparison.json"
    if not path.is_file():
        raise UsageError(f"{folder} is not a comparison: it has no comparison.json.", "`grubench compare` makes one.")
    tree = runs.read_json(path)
    try:
        if tree["schema"] > SCHEMA:
            raise RunError(f"{folder} was written by a newer grubench.", "Update with: pip install -U grubench")
        names = {str(arm): [PurePath(name).name for name in found] for arm, found in tree["arms"].items()}
        failures = tuple(Failure(**one) for one in tree["failures"])
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: {error}.", "Call `grubench compare` again.") from error
    if not any(names.values()):
        raise RunError(f"{path} names no run.", "Call `grubench compare` again.")
    arms = {arm: [runs.load(folder.parent / name) for name in found] for arm, found in names.items()}
    specs = [run.experiment for found in arms.values() for run in found]
    return Comparison(arms=arms, failures=failures, folder=folder, notes=_differences(specs))


def from_runs(given: Sequence[Run]) -> Comparison:
    """A comparison of finished runs.

    Raises:
        UsageError: Fewer than two runs, or runs on different data, windows or scaling: naming what differs.
    """
    if len(given) < 2:
        raise UsageError("A comparison needs at least two runs.", "`grubench runs` lists the runs there are.")
    first = given[0]
    for run in given[1:]:
        _check_same_ground(first, run)
    names = {spec.with_seed(0): name for name, spec in named(run.experiment for run in given).items()}
    arms: dict[str, list[Run]] = {}
    for run in given:
        arms.setdefault(names[run.experiment.with_seed(0)], []).append(run)
    for name, one in arms.items():
        one.sort(key=lambda run: run.experiment.seed)
        seeds = [run.experiment.seed for run in one]
        if len(set(seeds)) < len(seeds):
            raise UsageError(f"Two of the runs are the same trial: {name}, seed {max(seeds, key=seeds.count)}.", "")
    notes = [*_differences([run.experiment for run in given])]
    notes += [f"The runs were made with different {key}: errors may differ by it." for key in differing_machines(given)]
    return Comparison(arms=arms, notes=tuple(notes))


def _differences(specs: Sequence[Experiment]) -> tuple[str, ...]:
    """A note for each setting, seed and cell apart, that is not the same for all."""
    return tuple(f"The arms differ in {key}." for key in differing_settings(specs) if key not in OF_THE_NAME)


def differing_machines(given: Sequence[Run]) -> list[str]:
    """What of the software and the machine is not the same for all runs; their times cannot be compared then."""
    keys = ("versions", "processor", "cores", "devices", "threads")
    return [key for key in keys if len({repr(run.environment.get(key)) for run in given}) > 1]


def _check_same_ground(first: Run, other: Run) -> None:
    differing = [
        key
        for key in differing_settings([first.experiment, other.experiment])
        if key.startswith("window.") or key in ("data.train_series", "data.test_series")
    ]
    if differing:
        key = differing[0]
        values = [flattened(run.experiment)[key] for run in (first, other)]
        raise UsageError(
            f"{first.name} and {other.name} cannot be compared: {key} is {values[0]!r} and {values[1]!r}.",
            "Errors are comparable only on the same windows of the same data.",
        )
    prints = [run.metrics["data"]["fingerprint"] for run in (first, other)]
    if prints[0] != prints[1]:
        names = [run.experiment.data_name for run in (first, other)]
        raise UsageError(
            f"{first.name} and {other.name} cannot be compared: they saw different data ({names[0]} and {names[1]}).",
            "Errors are comparable only on the same windows of the same data.",
        )
