"""Finished trials set against each other: the value that every view takes, from its folder or from single runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from grubench.backends import provenance
from grubench.comparison.comparable import check_comparable, find_differing_machines, write_differences
from grubench.errors import RunError, UsageError
from grubench.runs import run as runs
from grubench.runs.files import read_record
from grubench.runs.folder import list_files
from grubench.runs.records import ONE_LINE, Line, Whole
from grubench.spec.arms import Arm, name_arms
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.runs.run import Run
    from grubench.spec.experiment import Experiment


SCHEMA = 3
# By how much two arms may differ and be equivalent, as a share.
MARGIN = 0.05
# No file system takes a longer name.
MAX_NAME_BYTES = 255
# A table of more arms says nothing, and two by two they take minutes to compare.
MAX_ARMS = 1000
MAX_RUNS = 100_000


class Failure(Struct, frozen=True, kw_only=True):
    """A trial that could not be finished."""

    arm: str
    seed: Whole
    message: str
    remedy: str = ""


class ArmRecord(Struct, frozen=True, kw_only=True):
    """An arm in comparison.json: the fields of `Arm`, and the names of its runs; none where all its trials failed."""

    name: Line
    cell: Line
    settings: Mapping[Line, Line]
    color: Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")]
    runs: Annotated[tuple[str, ...], Meta(max_length=MAX_RUNS)]

    @classmethod
    def from_arm(cls, arm: Arm, runs: Sequence[Run] = ()) -> ArmRecord:
        """The record of an arm with these runs."""
        names = tuple(run.name for run in runs)
        return cls(name=arm.name, cell=arm.cell, settings=arm.settings, color=arm.color, runs=names)

    def to_arm(self) -> Arm:
        """The arm."""
        return Arm(name=self.name, cell=self.cell, settings=self.settings, color=self.color)


class ComparisonFile(Struct, frozen=True, kw_only=True):
    """What is read of comparison.json: the arms with the names of their runs, the failures, notes and the margin."""

    schema: Annotated[int, Meta(ge=SCHEMA, le=SCHEMA)]
    arms: Annotated[tuple[ArmRecord, ...], Meta(max_length=MAX_ARMS)]
    failures: Annotated[tuple[Failure, ...], Meta(max_length=MAX_RUNS)]
    notes: tuple[Annotated[str, Meta(pattern=ONE_LINE)], ...]
    margin: Annotated[float, Meta(gt=0, lt=1)]
    command: str
    until_decided: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Finished trials of two or more arms on the same windows.

    Attributes:
        arms: The arms that have finished runs, with these in the order of their seeds.
        failures: The trials that failed; they are shown as failed and never imputed.
        reused: How many runs had been finished before.
        failed_arms: The arms whose trials all failed; no table shows them.
        folder: Where tables and pictures go; None for a comparison of given runs.
        notes: What a reader must know before the table, such as different numbers of epochs.
        margin: By how much two arms may differ and be equivalent, as a share.
        until_decided: Whether it was looked at after each seed, and seeds were added until it was decided.
        command: The command line that made it.
    """

    arms: dict[Arm, list[Run]]
    failures: tuple[Failure, ...] = ()
    failed_arms: tuple[Arm, ...] = ()
    reused: int = 0
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    margin: float = MARGIN
    until_decided: bool = False
    command: str = field(default_factory=provenance.format_command)

    @property
    def runs(self) -> list[Run]:
        """Every run, arm after arm."""
        return [run for runs in self.arms.values() for run in runs]

    @property
    def spec(self) -> Experiment:
        """The spec of the first run; what the arms share is in it."""
        return self.runs[0].experiment

    @property
    def specs(self) -> dict[Arm, Experiment]:
        """The spec of each arm, with the seed of its first run."""
        return {arm: runs[0].experiment for arm, runs in self.arms.items()}

    def runs_of(self, name: str) -> list[Run]:
        """The runs of the arm of this name.

        Raises:
            KeyError: No arm of this name has a run.
        """
        return {arm.name: runs for arm, runs in self.arms.items()}[name]

    def pairs(self, first: Arm, second: Arm) -> list[tuple[Run, Run]]:
        """The runs of two arms that have the same seed; none where all trials of one failed."""
        others = {run.experiment.seed: run for run in self.arms.get(second, [])}
        runs = self.arms.get(first, [])
        return [(run, others[run.experiment.seed]) for run in runs if run.experiment.seed in others]


def load(folder: Path) -> Comparison:
    """A comparison from its folder; its runs lie beside it.

    Raises:
        UsageError: It is not the folder of a comparison, or a run of it is gone.
        RunError: It is damaged, or a newer grubench wrote it.
    """
    path = folder / "comparison.json"
    if not folder.is_dir() or "comparison.json" not in list_files(folder):
        raise UsageError(f"{folder} is not a comparison: it has no comparison.json.", "`grubench compare` makes one.")
    file = read_record(path, ComparisonFile, SCHEMA)
    _check_run_names(file, path)
    reader = runs.RunReader()
    arms = {
        record.to_arm(): [reader.read(_find_beside(folder, name)) for name in record.runs]
        for record in file.arms
        if record.runs
    }
    if not arms:
        raise RunError(f"{path} names no run.", "Call `grubench compare` again.")
    if len({record.name for record in file.arms}) < len(file.arms):
        raise RunError(f"{path} is damaged: two of its arms have the same name.", "Call `grubench compare` again.")
    _check_specs(arms, path)
    check_comparable(arms)
    return Comparison(
        arms=arms,
        failures=file.failures,
        failed_arms=tuple(record.to_arm() for record in file.arms if not record.runs),
        folder=folder,
        notes=file.notes,
        margin=file.margin,
        until_decided=file.until_decided,
        command=file.command,
    )


def _check_run_names(file: ComparisonFile, path: Path) -> None:
    """Refuse a run that is named twice, and too many, before any is read."""
    names = Counter(name for arm in file.arms for name in arm.runs)
    problems = [f"it names the run {quote(name)} twice" for name, times in names.most_common(1) if times > 1]
    if names.total() > MAX_RUNS:
        problems.append(f"it names {names.total():,} runs, and the most is {MAX_RUNS:,}")
    if problems:
        raise RunError(f"{path} is damaged: {problems[0]}.", "Call `grubench compare` again.")


def _check_specs(arms: Mapping[Arm, Sequence[Run]], path: Path) -> None:
    """Each arm has runs of one spec, seed apart, and no two arms have the same."""
    arm_of: dict[Experiment, Arm] = {}
    for arm, runs_of_arm in arms.items():
        specs = {run.experiment.with_seed(0) for run in runs_of_arm}
        if len(specs) > 1:
            problem = f"the runs of {quote(arm.name)} have different settings"
            raise RunError(f"{path} is damaged: {problem}.", "Call `grubench compare` again.")
        other = arm_of.setdefault(specs.pop(), arm)
        if other != arm:
            problem = f"the runs of {quote(other.name)} and {quote(arm.name)} have the same settings"
            raise RunError(f"{path} is damaged: {problem}.", "Call `grubench compare` again.")


def _find_beside(folder: Path, name: str) -> Path:
    """The run's folder of this name beside a comparison, and nowhere else: a path or a link may lead anywhere."""
    place = folder.absolute().parent / name
    simple = name not in ("", ".", "..") and PurePath(name).name == name and "\\" not in name
    if not simple or len(name.encode()) > MAX_NAME_BYTES or place.is_symlink():
        raise RunError(f"{folder / 'comparison.json'}: {quote(name)} is no run beside it.", "Give its runs' own names.")
    return place


def from_runs(finished: Sequence[Run], margin: float = MARGIN) -> Comparison:
    """Compare finished runs.

    Args:
        finished: The runs.
        margin: By how much two arms may differ and be equivalent, as a share.

    Raises:
        UsageError: Fewer than two runs, or runs on different data, windows or scaling: naming what differs.
    """
    if len(finished) < 2:
        raise UsageError("A comparison needs at least two runs.", "`grubench runs` lists the runs there are.")
    arms = _group_by_arm(finished)
    if len(arms) > MAX_ARMS:
        raise UsageError(f"{len(arms):,} arms are too many to compare; the most is {MAX_ARMS:,}.", "Name fewer runs.")
    differing = find_differing_machines(finished)
    machines = [f"The runs were made with different {key}: errors may differ by it." for key in differing]
    notes = dict.fromkeys(note for run in finished for note in run.metrics.data.notes)
    differences = write_differences([run.experiment for run in finished])
    return Comparison(arms=arms, notes=(*notes, *differences, *machines), margin=margin)


def _group_by_arm(every: Sequence[Run]) -> dict[Arm, list[Run]]:
    """Name the arms of runs by their specs, and give each its runs in the order of their seeds.

    Raises:
        UsageError: The runs cannot be compared, or two of them are the same trial.
    """
    arm_of = {spec: arm for arm, spec in name_arms(dict.fromkeys(run.experiment.with_seed(0) for run in every)).items()}
    arms: dict[Arm, list[Run]] = {}
    for run in every:
        arms.setdefault(arm_of[run.experiment.with_seed(0)], []).append(run)
    check_comparable(arms)
    return arms
