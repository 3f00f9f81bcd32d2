"""Cells times seeds: plan the trials, run those that are not done, and collect what they show."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grubench import environment, executors, runs
from grubench.errors import GrubenchError, TrainingError, UsageError
from grubench.experiment import CELLS, SECTIONS, Experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from grubench.runs import Run

    Report = Callable[[dict[str, Any]], None]

SCHEMA = 1


def ignore(event: dict[str, Any]) -> None:
    """Take in progress and show nothing."""


SETTINGS_NOT_SHARED = ("seed", "model.layers")


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


def label(spec: Experiment) -> str:
    """The name of an arm: the cell, or the stack where cells are mixed."""
    cells = {layer.cell for layer in spec.model.stack}
    return cells.pop().upper() if len(cells) == 1 else " + ".join(layer.cell.upper() for layer in spec.model.stack)


def arms_of(spec: Experiment, cells: Sequence[str]) -> list[Experiment]:
    """The spec with each cell in turn; a mixed stack takes part as itself, after them.

    Raises:
        UsageError: A cell is unknown or given twice.
    """
    for cell in cells:
        if cell not in CELLS:
            raise UsageError(f"--cells: there is no cell {cell!r}.", f"There are: {', '.join(CELLS)}.")
    if len(set(cells)) < len(cells) or not cells:
        raise UsageError(f"--cells: {','.join(cells) or 'nothing'} given.", "Give each cell once, such as gru,lstm.")
    mixed = len({layer.cell for layer in spec.model.stack}) > 1
    return [spec.with_cell(cell) for cell in cells] + [spec] * mixed


def plan(arms: Sequence[Experiment], seeds: int) -> list[Experiment]:
    """Every arm with every seed, in alternation; which arm goes first alternates too.

    A machine that drifts then hits all arms alike.
    """
    order: list[Experiment] = []
    for number in range(seeds):
        turn = arms if number % 2 == 0 else list(reversed(arms))
        order += [arm.with_seed(arm.seed + number) for arm in turn]
    return order


def compare(
    spec: Experiment,
    *,
    cells: Sequence[str] = ("gru", "lstm"),
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
    arms = arms_of(spec, cells)
    trials = plan(arms, seeds)
    known = [] if fresh else runs.listed(root)
    if not in_process and not {trial.digest for trial in trials} <= {run.metrics.get("digest") for run in known}:
        executors.warm_up()  # beside the reading of the data
    fingerprint = checked_data(spec)
    machine = environment.machine()
    done = {trial: runs.find(known, trial.digest, fingerprint, machine) for trial in trials}
    reused = sum(run is not None for run in done.values())
    report({"kind": "plan", "trials": len(trials) - reused, "reused": reused})
    failures = []
    for trial in trials:
        if done[trial] is not None:
            continue
        outcome = _train(trial, root, report, in_process=in_process)
        if isinstance(outcome, GrubenchError):
            failures.append((trial, outcome))
        else:
            done[trial] = runs.load(outcome)
    if not any(done.values()):
        raise failures[0][1]
    return Comparison(
        arms={label(arm): _of_arm(arm, done) for arm in arms},
        failures=tuple(
            Failure(arm=label(one), seed=one.seed, message=error.message, remedy=error.remedy)
            for one, error in failures
        ),
        reused=reused,
        folder=root / _folder_name(root, arms, seeds),
    )


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
    outcome = _train(spec, Path(output), report, in_process=in_process)
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


def _train(trial: Experiment, root: Path, report: Report, *, in_process: bool) -> Path | GrubenchError:
    report({"kind": "trial", "arm": label(trial), "seed": trial.seed, "epochs": trial.training.epochs})
    outcome = executors.run(trial, root, report, in_process=in_process)
    error = outcome if isinstance(outcome, GrubenchError) else None
    report({"kind": "end", "arm": label(trial), "seed": trial.seed, "failed": str(error) if error else ""})
    if error and not isinstance(error, TrainingError):
        raise error  # what is wrong with the spec, the data or the disk is wrong for every trial
    return outcome


def _of_arm(arm: Experiment, done: dict[Experiment, Run | None]) -> list[Run]:
    found = [run for trial, run in done.items() if run is not None and trial.with_seed(arm.seed) == arm]
    return sorted(found, key=lambda run: run.experiment.seed)


def _folder_name(root: Path, arms: Sequence[Experiment], seeds: int) -> str:
    """The folder of this comparison: the one that it had before, or a new one."""
    import hashlib

    digest = hashlib.sha256(" ".join([*(arm.digest for arm in arms), str(seeds)]).encode()).hexdigest()
    middle = f"compare-{arms[0].data_name}"
    before = sorted(root.glob(f"*-{middle}-{digest[:6]}"))
    return before[-1].name if before else runs.free_name(root, middle, digest)


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
    differing = differing_settings([run.experiment for run in given])
    widths = {tuple(layer.units for layer in run.experiment.model.stack) for run in given}
    arms: dict[str, list[Run]] = {}
    for run in given:
        arms.setdefault(_arm_label(run.experiment, differing, units=len(widths) > 1), []).append(run)
    for name, one in arms.items():
        one.sort(key=lambda run: run.experiment.seed)
        seeds = [run.experiment.seed for run in one]
        if len(set(seeds)) < len(seeds):
            raise UsageError(f"Two of the runs are the same trial: {name}, seed {max(seeds, key=seeds.count)}.", "")
    notes = [f"The runs differ in {key}." for key in differing if key not in SETTINGS_NOT_SHARED]
    notes += [f"The runs were made with different {key}: errors may differ by it." for key in differing_machines(given)]
    return Comparison(arms=arms, notes=tuple(notes))


def differing_machines(given: Sequence[Run]) -> list[str]:
    """What of the software and the machine is not the same for all runs; their times cannot be compared then."""
    keys = ("versions", "processor", "cores", "devices", "threads")
    return [key for key in keys if len({repr(run.environment.get(key)) for run in given}) > 1]


def differing_settings(specs: Sequence[Experiment]) -> list[str]:
    """The dotted keys of the settings that are not the same in all specs."""
    flat = [flattened(spec) for spec in specs]
    return [key for key in flat[0] if len({repr(one[key]) for one in flat}) > 1]


def flattened(spec: Experiment) -> dict[str, Any]:
    """The spec as dotted keys."""
    tree = spec.to_dict()
    flat = {f"{name}.{key}": value for name in SECTIONS for key, value in tree[name].items()}
    return {"seed": spec.seed} | flat


def _arm_label(spec: Experiment, differing: Sequence[str], *, units: bool) -> str:
    """The cell, or the stack where units differ too, and whatever else differs between the runs."""
    flat = flattened(spec)
    extra = [f"{key.partition('.')[2]}={flat[key]}" for key in differing if key not in SETTINGS_NOT_SHARED]
    return " ".join([",".join(spec.model.layers) if units else label(spec), *extra])


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
