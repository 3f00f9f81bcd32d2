"""The jobs of the command line, for a program: compare cells over seeds, or train one trial."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from grubench.comparison.comparable import write_differences
from grubench.comparison.comparison import MARGIN, Comparison, Failure
from grubench.errors import UsageError
from grubench.execution.options import ExecutionOptions
from grubench.execution.session import Results, Session
from grubench.runs import folder
from grubench.spec.arms import build_arms, find_setting_key, name_cells, plan_trials
from grubench.spec.cells import REFERENCE
from grubench.spec.experiment import Experiment
from grubench.spec.sections import MAX_EPOCHS
from grubench.text import count
from grubench.training.events import Note, ignore
from grubench.training.fit_record import MIN_EPOCHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from grubench.runs.run import Run
    from grubench.spec.arms import Arm
    from grubench.spec.fields import Tree
    from grubench.training.events import OnEvent

# Epochs of the pilot trial, which measures how long all trials train under `--match time`.
PILOT_EPOCHS = 3
# Trials that are planned at a time; the runs of more would not be read back in minutes.
MAX_TRIALS = 100_000
# `until_learned` trains for at most this many times the epochs that were asked for.
MAX_LONGER = 16


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """The trials of a comparison, trained.

    Attributes:
        arms: The arms with their specs.
        trials: The name of the arm and the spec of each trial.
        results: What came of them.
    """

    arms: Mapping[Arm, Experiment]
    trials: Sequence[tuple[str, Experiment]]
    results: Results

    def group_runs(self) -> dict[Arm, list[Run]]:
        """The finished runs of each arm, in the order of their seeds."""
        runs: dict[str, list[Run]] = {arm.name: [] for arm in self.arms}
        for name, trial in self.trials:
            if trial in self.results.runs:
                runs[name].append(self.results.runs[trial])
        return {arm: runs[arm.name] for arm in self.arms}

    def list_failures(self) -> tuple[Failure, ...]:
        """The trials that failed, in their order."""
        errors = self.results.errors
        failed = [(name, trial.seed, errors[trial]) for name, trial in self.trials if trial in errors]
        return tuple(
            Failure(arm=name, seed=seed, message=error.message, remedy=error.remedy) for name, seed, error in failed
        )

    def count_learning(self) -> int:
        """How many trials were still learning at their end; of a few epochs it cannot be told that they were not."""
        losses = [run.metrics.loss for run in self.results.runs.values()]
        return sum(loss.is_still_learning or loss.epochs < MIN_EPOCHS for loss in losses)

    def describe_learning(self) -> str:
        """A sentence on that."""
        learning, trials = self.count_learning(), count(len(self.results.runs), "trial")
        return f"Still learning at the end: {f'{learning} of {trials}' if learning else 'no trial'}."


def compare(
    data: Experiment | pd.DataFrame | Path | str,
    *,
    cells: Sequence[str] = ("gru", "lstm"),
    vary: Mapping[str, Sequence[object]] | None = None,
    match: str = "units",
    seeds: int = 3,
    output: Path | str = "runs",
    fresh: bool = False,
    margin: float = MARGIN,
    until_learned: bool = False,
    options: ExecutionOptions | None = None,
    on_event: OnEvent = ignore,
    **settings: object,
) -> Comparison:
    """Train every cell with every seed, or reuse the trials that are finished.

    Args:
        data: The spec, or a table of your own, a DataFrame or a file, with its settings. The cells of the spec are
            replaced by each of `cells`, its seed is the first of the seeds.
        cells: The cells to compare.
        vary: Values of further settings, by dotted key or name, to cross with the cells.
        match: What is equal between the cells: `units`; `params` (the LSTM keeps its units); or `time` (all train for
            `training.seconds`, or else as long as a short pilot trial says that the LSTM needs for its epochs).
        seeds: Trials of each cell.
        output: The folder of the runs.
        fresh: Train again what is finished, and from the first epoch.
        margin: By how much errors may differ and be equivalent, as a share.
        until_learned: Double the epochs, the same for all cells, until no trial is still learning, or they are 16 times
            as many. The trials of the most epochs are compared; the others stay as runs of their own.
        options: Where and how the trials run; by default one at a time, in processes of this machine.
        on_event: Called with the progress, as events of `grubench.training.events`.
        settings: Of a table: settings by name, such as `target="price"`, `time="date"`, `lookback=60`, `epochs=5`.

    Returns:
        The comparison.

    Raises:
        GrubenchError: The first failure, where no trial could be finished.
    """
    if seeds < 1:
        raise UsageError(f"--seeds: {seeds} is too few.", "Give at least 1; 3 or more for a verdict.")
    number = len(cells) * prod(map(len, (vary or {}).values())) * seeds
    if number > MAX_TRIALS:
        raise UsageError(
            f"--seeds: {number:,} trials are too many for one comparison.",
            f"Give fewer seeds or fewer values to vary: at most {MAX_TRIALS:,} trials.",
        )
    options, cells = options or ExecutionOptions(), [cell.lower() for cell in cells]
    spec, frame = _describe_table(data, settings)
    arms = build_arms(spec, cells, vary, match)
    options.check(arms.values(), match)
    if until_learned:
        _check_until_learned(list(arms.values()), match)
    session = Session(spec, Path(output), options, on_event, reuse=not fresh, resume=not fresh, frame=frame)
    spec = session.settle(spec)
    if match == "time" and not spec.training.seconds:
        spec = _limit_time(spec, _run_pilot(spec, cells, session), on_event)

    def train_all(spec: Experiment) -> _Trained:
        arms = build_arms(spec, cells, vary, match)
        trials = plan_trials(arms, seeds)
        return _Trained(arms=arms, trials=trials, results=session.run(trials))

    trained, notes = _train_until_learned(spec, train_all, on_event) if until_learned else (train_all(spec), ())
    runs = trained.group_runs()
    return Comparison(
        arms={arm: runs_of_arm for arm, runs_of_arm in runs.items() if runs_of_arm},
        failures=trained.list_failures(),
        failed_arms=tuple(arm for arm, runs_of_arm in runs.items() if not runs_of_arm),
        reused=trained.results.reused,
        folder=Path(output) / _folder_name(Path(output), list(trained.arms.values()), seeds),
        notes=(*session.notes, *notes, *write_differences(list(trained.arms.values()))),
        margin=margin,
    )


def train(
    data: Experiment | pd.DataFrame | Path | str,
    *,
    output: Path | str = "runs",
    options: ExecutionOptions | None = None,
    on_event: OnEvent = ignore,
    **settings: object,
) -> Run:
    """Train one trial.

    Args:
        data: The trial, or a table of your own, a DataFrame or a file, with its settings.
        output: The folder of the runs.
        options: Where and how it runs; by default in a process of this machine.
        on_event: Called with the progress, as events of `grubench.training.events`.
        settings: Of a table: settings by name, as `compare` takes them.

    Returns:
        The finished run.

    Raises:
        GrubenchError: What ended it.
    """
    options = options or ExecutionOptions()
    spec, frame = _describe_table(data, settings)
    options.check([spec])
    session = Session(spec, Path(output), options, on_event, reuse=False, resume=True, frame=frame)
    spec = session.settle(spec)
    return session.run([(name_cells(spec), spec)]).runs[spec]


def _describe_table(
    data: Experiment | pd.DataFrame | Path | str, settings: Mapping[str, object]
) -> tuple[Experiment, pd.DataFrame | None]:
    """The spec of a table and its settings, and the table where it is in memory.

    Raises:
        SpecError: A setting is unknown or badly valued.
        UsageError: There are settings beside a spec, which has its own.
    """
    if isinstance(data, Experiment):
        if settings:
            raise UsageError(f"{next(iter(settings))}: a spec has its own settings.", "Set it in the spec.")
        return data, None
    frame = None if isinstance(data, str | Path) else data
    tree: Tree = {"data": {"file": str(data) if frame is None else "frame"}}
    for name, value in settings.items():
        section, _, setting = find_setting_key(name, "settings").partition(".")
        tree.setdefault(section, {})[setting] = value
    return Experiment.from_dict(tree), frame


def _check_until_learned(arms: Iterable[Experiment], match: str) -> None:
    """Refuse to double the epochs of trials whose epochs are not what ends them, or are compared.

    Raises:
        UsageError: Naming the setting.
    """
    trainings = [arm.training for arm in arms]
    if match == "time" or any(training.seconds for training in trainings):
        setting = "--match time" if match == "time" else "training.seconds"
        raise UsageError(f"--until-learned doubles epochs, and {setting} trains for a time.", "Leave one of them out.")
    if any(training.patience for training in trainings):
        raise UsageError(
            "--until-learned: training.patience ends each trial after epochs of its own.",
            "Leave one of them out, such as with --patience 0.",
        )
    if len({training.epochs for training in trainings}) > 1:
        raise UsageError("--until-learned doubles the epochs of all trials, and --vary varies them.", "Leave one out.")


def _train_until_learned(
    spec: Experiment, train_all: Callable[[Experiment], _Trained], on_event: OnEvent
) -> tuple[_Trained, tuple[str, ...]]:
    """Train with doubled epochs again and again until no trial is still learning.

    Args:
        spec: The spec.
        train_all: Trains all trials of a spec.
        on_event: Called with the progress.

    Returns:
        The trials of the most epochs, and a note that says how many those are.
    """
    first, doublings, trained = spec.training.epochs, 0, train_all(spec)
    while trained.count_learning() and 2 * spec.training.epochs <= min(MAX_LONGER * first, MAX_EPOCHS):
        spec = replace(spec, training=replace(spec.training, epochs=2 * spec.training.epochs))
        on_event(Note(text=f"{trained.describe_learning()} All are trained for {spec.training.epochs:,} epochs."))
        trained, doublings = train_all(spec), doublings + 1
    times = f"doubled {'once' if doublings == 1 else f'{doublings} times'}" if doublings else "not doubled"
    lengths = f", from {first:,} to {spec.training.epochs:,}" if doublings else ""
    limit = " This is the limit." if trained.count_learning() else ""
    return trained, (f"--until-learned: epochs were {times}{lengths}. {trained.describe_learning()}{limit}",)


def _run_pilot(spec: Experiment, cells: Sequence[str], session: Session) -> Run:
    """The first epochs of the training whose time all trials are given: the LSTM's, else the first cell's."""
    training = replace(spec.training, epochs=min(spec.training.epochs, PILOT_EPOCHS), patience=0)
    pilot = replace(spec, training=training).with_cell(REFERENCE if REFERENCE in cells else cells[0])
    return session.find_run(pilot) or session.run([(f"pilot, {name_cells(pilot)}", pilot)]).runs[pilot]


def _limit_time(spec: Experiment, pilot: Run, on_event: OnEvent) -> Experiment:
    """The spec, to be trained for as long as the pilot's cell needs for the spec's epochs.

    The time is rounded to two significant digits: one short trial cannot say more.
    """
    epoch_s, epochs = pilot.metrics.timing.epoch_s, spec.training.epochs
    seconds = float(f"{epoch_s * epochs:.2g}")
    text = (
        f"{name_cells(pilot.experiment)} needs {epoch_s:.3g} s/epoch: every trial trains for {seconds:g} s, "
        f"the time of {epochs}."
    )
    on_event(Note(text=text))
    return replace(spec, training=replace(spec.training, seconds=seconds))


def _folder_name(root: Path, arms: Sequence[Experiment], seeds: int) -> str:
    """The name of the comparison's folder: the one that it had before, or a new one."""
    digest = hashlib.sha256(" ".join([*(arm.digest for arm in arms), str(seeds)]).encode()).hexdigest()
    middle = f"compare-{folder.shorten(arms[0].data_name)}"
    before = [
        name for name in folder.list_folders(root) if name.endswith(f"-{middle}-{digest[: folder.DIGEST_DIGITS]}")
    ]
    return before[0] if before else folder.free_name(root, middle, digest)
