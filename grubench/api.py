"""The jobs of the command line, for a program: compare cells over seeds, or train one trial."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from grubench.comparison.comparable import write_differences
from grubench.comparison.comparison import Comparison, Failure
from grubench.errors import UsageError
from grubench.execution.options import ExecutionOptions
from grubench.execution.session import Results, Session
from grubench.runs import folder
from grubench.spec.arms import build_arms, find_setting_key, name_cells, plan_trials
from grubench.spec.cells import REFERENCE
from grubench.spec.experiment import Experiment
from grubench.training.events import Note, ignore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from grubench.runs.run import Run
    from grubench.spec.arms import Arm
    from grubench.spec.fields import Tree
    from grubench.training.events import OnEvent

# Epochs of the pilot trial, which measures how long all trials train under `--match time`.
PILOT_EPOCHS = 3
# Trials that are planned at a time; the runs of more would not be read back in minutes.
MAX_TRIALS = 100_000


def compare(
    data: Experiment | pd.DataFrame | Path | str,
    *,
    cells: Sequence[str] = ("gru", "lstm"),
    vary: Mapping[str, Sequence[object]] | None = None,
    match: str = "units",
    seeds: int = 3,
    output: Path | str = "runs",
    fresh: bool = False,
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
    options = options or ExecutionOptions()
    spec, frame = _describe_table(data, settings)
    arms = build_arms(spec, cells, vary, match)
    options.check(arms.values(), match)
    session = Session(spec, Path(output), options, on_event, reuse=not fresh, resume=not fresh, frame=frame)
    spec = session.settle(spec)
    if match == "time" and not spec.training.seconds:
        spec = _limit_time(spec, _run_pilot(spec, cells, session), on_event)
    arms = build_arms(spec, cells, vary, match)
    trials = plan_trials(arms, seeds)
    results = session.run(trials)
    runs = _group_runs(arms, trials, results)
    return Comparison(
        arms={arm: runs_of_arm for arm, runs_of_arm in runs.items() if runs_of_arm},
        failures=_failures(trials, results),
        failed_arms=tuple(arm for arm, runs_of_arm in runs.items() if not runs_of_arm),
        reused=results.reused,
        folder=Path(output) / _folder_name(Path(output), list(arms.values()), seeds),
        notes=(*session.notes, *write_differences(list(arms.values()))),
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


def _group_runs(
    arms: Iterable[Arm], trials: Sequence[tuple[str, Experiment]], results: Results
) -> dict[Arm, list[Run]]:
    """The finished runs of each arm, in the order of their seeds."""
    runs: dict[str, list[Run]] = {arm.name: [] for arm in arms}
    for name, trial in trials:
        if trial in results.runs:
            runs[name].append(results.runs[trial])
    return {arm: runs[arm.name] for arm in arms}


def _failures(trials: Sequence[tuple[str, Experiment]], results: Results) -> tuple[Failure, ...]:
    errors = [(name, trial.seed, results.errors[trial]) for name, trial in trials if trial in results.errors]
    return tuple(
        Failure(arm=name, seed=seed, message=error.message, remedy=error.remedy) for name, seed, error in errors
    )


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
