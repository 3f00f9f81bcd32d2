"""The jobs of the command line, for a program: compare cells over seeds, or train one trial."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from grubench.comparison.comparable import write_differences
from grubench.comparison.comparison import MARGIN, Comparison
from grubench.comparison.power import MIN_SEEDS
from grubench.errors import UsageError
from grubench.execution.options import ExecutionOptions
from grubench.execution.session import Session
from grubench.runs import folder
from grubench.spec.arm_settings import find_setting_key
from grubench.spec.arms import build_arms, name_cells
from grubench.spec.cells import REFERENCE
from grubench.spec.experiment import Experiment
from grubench.stopping import (
    Trained,
    check_until_decided,
    check_until_learned,
    train_until_decided,
    train_until_learned,
)
from grubench.text import join_and
from grubench.training.events import Note, ignore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from grubench.runs.run import Run
    from grubench.spec.fields import Tree
    from grubench.training.events import OnEvent

# Epochs of the pilot trial, which measures how long all trials train under `--match time`.
PILOT_EPOCHS = 3
# Trials that are planned at a time; the runs of more would not be read back in minutes.
MAX_TRIALS = 100_000
# The most seeds of `until_decided`.
MOST_SEEDS = 40


def compare(
    data: Experiment | pd.DataFrame | Path | str,
    *,
    cells: Sequence[str] = ("gru", "lstm"),
    arms: Sequence[str] = (),
    vary: Mapping[str, Sequence[object]] | None = None,
    match: str = "units",
    seeds: int = 3,
    output: Path | str = "runs",
    fresh: bool = False,
    margin: float = MARGIN,
    until_learned: bool = False,
    until_decided: bool = False,
    most: int = MOST_SEEDS,
    options: ExecutionOptions | None = None,
    on_event: OnEvent = ignore,
    **settings: object,
) -> Comparison:
    """Train every cell with every seed, or reuse the trials that are finished.

    Args:
        data: The spec, or a table of your own, a DataFrame or a file, with its settings. The cells of the spec are
            replaced by each of `cells`, its seed is the first of the seeds.
        cells: The cells to compare.
        arms: Arms that are written out, such as `gru:64 dropout=0.2`, in place of the cells.
        vary: Values of further settings, by dotted key or name, to cross with the cells.
        match: What is equal between the cells: `units`; `params` (the LSTM keeps its units); or `time` (all train for
            `training.seconds`, or else as long as a short pilot trial says that the LSTM needs for its epochs).
        seeds: Trials of each cell.
        output: The folder of the runs.
        fresh: Train again what is finished, and from the first epoch.
        margin: By how much errors may differ and be equivalent, as a share.
        until_learned: Double the epochs, the same for all cells, until no trial is still learning, or they are 16 times
            as many. The trials of the most epochs are compared; the others stay as runs of their own.
        until_decided: Add seeds in turn to all arms until each pair is different or equivalent, by tests that hold at
            every look.
        most: The most seeds that `until_decided` trains.
        options: Where and how the trials run; by default one at a time, in processes of this machine.
        on_event: Called with the progress, as events of `grubench.training.events`.
        settings: Of a table: settings by name, such as `target="price"`, `time="date"`, `lookback=60`, `epochs=5`.

    Returns:
        The comparison.

    Raises:
        GrubenchError: The first failure, where no trial could be finished.
    """
    _check_number(
        seeds, len(arms or cells) * prod(map(len, (vary or {}).values())) * (most if until_decided else seeds)
    )
    options, cells = options or ExecutionOptions(), [cell.lower() for cell in cells]
    spec, frame = _describe_table(data, settings)
    build = partial(build_arms, cells=cells, vary=vary, match=match, written=arms)
    first = list(build(spec).values())
    options.check(first, match)
    if until_learned:
        check_until_learned(first, match)
    if until_decided:
        check_until_decided(len(first), seeds, most)
    session = Session(spec, Path(output), options, on_event, reuse=not fresh, resume=not fresh, frame=frame)
    spec = session.settle(spec)
    if match == "time" and not spec.training.seconds:
        spec = _limit_time(spec, _run_pilot(spec, cells, session), on_event)

    def train_all(spec: Experiment) -> Trained:
        return Trained(arms=build(spec)).add(seeds, session)

    trained, notes = train_until_learned(spec, train_all, on_event) if until_learned else (train_all(spec), ())
    root, specs, in_words = Path(output), list(trained.arms.values()), str(seeds)
    if until_decided:
        step = -(-options.jobs // len(specs))
        trained, looks = train_until_decided(trained, most, session, on_event, margin=margin, step=step)
        in_words = f"until decided, {most}"
    else:
        looks = _note_looks(root, specs, seeds)
    return replace(
        trained.compare(margin, until_decided=until_decided),
        folder=root / _folder_name(root, specs, in_words),
        notes=(*session.notes, *notes, *looks, *write_differences(specs)),
    )


def _check_number(seeds: int, trials: int) -> None:
    """Refuse too few seeds and too many trials.

    Raises:
        UsageError: Saying which.
    """
    if seeds < 1:
        raise UsageError(f"--seeds: {seeds} is too few.", "Give at least 1; 3 or more for a verdict.")
    if trials > MAX_TRIALS:
        raise UsageError(
            f"--seeds: {trials:,} trials are too many for one comparison.",
            f"Give fewer seeds or fewer values to vary: at most {MAX_TRIALS:,} trials.",
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


def _note_looks(root: Path, arms: Sequence[Experiment], seeds: int) -> tuple[str, ...]:
    """A warning where the same comparison was looked at with fewer seeds: to add seeds until it differs misleads."""
    middle = _middle_name(arms)
    known = {name.partition(f"-{middle}-")[2] for name in folder.list_folders(root)}
    looked = [fewer for fewer in range(MIN_SEEDS, seeds) if _digest(arms, str(fewer))[: folder.DIGEST_DIGITS] in known]
    if not looked:
        return ()
    times = join_and([str(fewer) for fewer in looked])
    return (
        f"These arms were compared before with {times} seeds: adding seeds after a look makes false claims more likely "
        "than 5 %. --until-decided adds them by tests that allow for it.",
    )


def _folder_name(root: Path, arms: Sequence[Experiment], seeds: str) -> str:
    """The name of the comparison's folder: the one that it had before, or a new one."""
    digest, middle = _digest(arms, seeds), _middle_name(arms)
    before = [
        name for name in folder.list_folders(root) if name.endswith(f"-{middle}-{digest[: folder.DIGEST_DIGITS]}")
    ]
    return before[0] if before else folder.free_name(root, middle, digest)


def _middle_name(arms: Sequence[Experiment]) -> str:
    """What stands between the time and the digest in the name of a comparison's folder."""
    return f"compare-{folder.shorten(arms[0].data_name)}"


def _digest(arms: Sequence[Experiment], seeds: str) -> str:
    """The digest of a comparison: of its arms, and of its seeds in words."""
    return hashlib.sha256(" ".join([*(arm.digest for arm in arms), seeds]).encode()).hexdigest()
