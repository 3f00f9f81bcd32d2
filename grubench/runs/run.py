"""A finished trial, read from its folder. JSON, TOML and CSV; never pickle."""

from __future__ import annotations

import csv
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from msgspec import Struct, json, structs

from grubench.errors import RunError, SpecError, UsageError
from grubench.runs.files import DAMAGED, MAX_BYTES, read_record, read_text
from grubench.runs.folder import FILES, list_files, list_folders
from grubench.runs.predictions import ForecastRows, read_csv
from grubench.runs.records import (
    LARGEST_NUMBER,
    SCHEMA,
    Environment,
    Evaluation,
    Metrics,
    Scalings,
    Scores,
    SeriesScaling,
)
from grubench.spec.baselines import PERSISTENCE
from grubench.spec.experiment import MAX_TOML_CHARACTERS, Experiment
from grubench.spec.sections import MAX_EPOCHS
from grubench.text import list_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

R = TypeVar("R", bound=Struct)
# Records that a reader keeps in order to share them.
MAX_SHARED = 1024
# A row of history.csv has five numbers.
MAX_HISTORY_ROW_BYTES = 256

# The scores that tables and pictures need: of the test part and each series, and of each step of the horizon.
NEEDED = ("rmse_scaled", "rmse", "directional_accuracy", "skill")
NEEDED_BY_STEP = ("rmse_scaled", "rmse")


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A finished trial, read from its folder.

    Attributes:
        folder: Where it lies.
        experiment: The whole spec.
        metrics: The scores, times and sizes (metrics.json).
        environment: Where and how it ran (environment.json).
    """

    folder: Path
    experiment: Experiment
    metrics: Metrics
    environment: Environment

    def __repr__(self) -> str:
        """The folder: the metrics would fill pages."""
        return f"Run({str(self.folder)!r})"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def history(self) -> dict[str, list[float]]:
        """The columns of history.csv: epoch, loss, val_loss (where there was validation), seconds, speed.

        Raises:
            RunError: It cannot be read, or has other epochs than metrics.json.
        """
        path, epochs = self.folder / "history.csv", self.metrics.loss.epochs
        text = read_text(path, min(MAX_BYTES, MAX_HISTORY_ROW_BYTES * (epochs + 1)))
        rows_seen = text.count("\n") - 1
        if rows_seen != epochs or epochs > MAX_EPOCHS:
            raise RunError(
                f"{path} cannot be read: it has {rows_seen:,} rows, and metrics.json says {epochs:,} epochs.", DAMAGED
            )
        try:
            rows = csv.reader(text.splitlines(), strict=True)
            columns: dict[str, list[float]] = {key: [] for key in next(rows)}
            for row in rows:
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(float(value))
        except (csv.Error, ValueError) as error:
            raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error
        missing = [key for key in ("epoch", "loss", "seconds") if not columns.get(key)]
        if missing:
            raise RunError(f"{path} cannot be read: it has no {missing[0]}.", DAMAGED)
        if not all(abs(value) < LARGEST_NUMBER for column in columns.values() for value in column):
            raise RunError(f"{path} cannot be read: a value is not a finite number.", DAMAGED)
        return columns

    def predictions(self) -> dict[str, ForecastRows]:
        """The forecasts of the test part, by series (predictions.csv).

        Raises:
            RunError: They cannot be read.
        """
        window = self.experiment.window
        steps = window.lookback if window.every_step else window.horizon
        return read_csv(self.folder / "predictions.csv", steps * self.metrics.data.windows.test)

    def scalings(self) -> Mapping[str, SeriesScaling]:
        """The scaling of each series, by name.

        Raises:
            RunError: It cannot be read.
        """
        path = self.folder / "scaling.json"
        series = read_record(path, Scalings).series
        if not series or any(
            not scaling.offset or len(scaling.offset) != len(scaling.factor) for scaling in series.values()
        ):
            raise RunError(f"{path} has no offset and factor for each input.", DAMAGED)
        return series

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """The texts of each column of text that the model was trained on.

        Raises:
            RunError: They cannot be read.
        """
        return read_record(self.folder / "scaling.json", Scalings).categories


class RunReader:
    """Reads run folders; equal records of data, baselines and machine are kept in memory once."""

    def __init__(self) -> None:
        self._parts: dict[tuple[type, bytes], Struct] = {}

    def read(self, folder: Path, spec: Experiment | None = None) -> Run:
        """Read a run folder.

        Args:
            folder: The folder.
            spec: Its spec where it is known already: where the digests agree, experiment.toml is not read.

        Raises:
            UsageError: It is not a run folder.
            RunError: It is damaged, or a newer or older grubench wrote it.
        """
        present = list_files(folder)
        absent = [name for name in FILES if name not in present]
        if absent:
            remedy = "`grubench runs` lists the runs there are."
            if "comparison.json" in present:
                remedy = f"It is a comparison: `grubench report {folder}` shows it."
            raise UsageError(f"{folder} is not a run: it has no {absent[0]}.", remedy)
        metrics = read_record(folder / "metrics.json", Metrics, SCHEMA)
        _check_scores(metrics, folder / "metrics.json")
        if spec is None or metrics.digest != spec.digest:
            spec = _spec(folder)
        environment = read_record(folder / "environment.json", Environment)
        baselines = {name: self._share(baseline) for name, baseline in metrics.baselines.items()}
        metrics = structs.replace(metrics, data=self._share(metrics.data), baselines=baselines)
        return Run(folder=folder, experiment=spec, metrics=metrics, environment=self._share_machine(environment))

    def _share_machine(self, environment: Environment) -> Environment:
        """A record of the environment whose parts are shared; only its place differs between the trials of a call."""
        shared = self._share(structs.replace(environment, place=0))
        return structs.replace(shared, place=environment.place)

    def _share(self, part: R) -> R:
        """A part, or the equal one that was read before."""
        if len(self._parts) >= MAX_SHARED:
            self._parts.clear()
        shared = self._parts.setdefault((type(part), json.encode(part)), part)
        return cast("R", shared)


def load(folder: Path, spec: Experiment | None = None) -> Run:
    """Read one run folder, as `RunReader.read` does.

    Raises:
        UsageError: It is not a run folder.
        RunError: It is damaged, or a newer or older grubench wrote it.
    """
    return RunReader().read(folder, spec)


def _spec(folder: Path) -> Experiment:
    try:
        return Experiment.from_toml(read_text(folder / "experiment.toml", MAX_TOML_CHARACTERS))
    except SpecError as error:
        raise RunError(f"{folder / 'experiment.toml'} cannot be read: {error}", DAMAGED) from error


def _check_scores(metrics: Metrics, path: Path) -> None:
    """Every forecaster has the scores that the tables show, of the same series and steps: they stand side by side."""
    test = metrics.test
    if not test.series or not test.horizon:
        raise RunError(f"{path} is damaged: test has no series or no step.", DAMAGED)
    if PERSISTENCE.name not in metrics.baselines:
        raise RunError(f"{path} is damaged: baselines.{PERSISTENCE.name} is missing.", DAMAGED)
    _check_evaluation("test", test, path)
    for name, baseline in metrics.baselines.items():
        if baseline.series.keys() != test.series.keys() or len(baseline.horizon) != len(test.horizon):
            raise RunError(
                f"{path} is damaged: {list_names([name])} has scores of other series or steps than test.", DAMAGED
            )
        _check_evaluation(f"baselines.{name}", baseline, path)


def _check_evaluation(key: str, evaluation: Evaluation, path: Path) -> None:
    """Refuse scores without those that tables and pictures need."""
    _check_needed(f"{key}.overall", evaluation.overall, NEEDED, path)
    _check_error(f"{key}.overall", evaluation.overall, path)
    for name, scores in evaluation.series.items():
        _check_needed(f"{key}.series.{name}", scores, NEEDED, path)
        _check_error(f"{key}.series.{name}", scores, path)
    for step, scores in enumerate(evaluation.horizon):
        _check_needed(f"{key}.horizon[{step}]", scores, NEEDED_BY_STEP, path)
        if scores["rmse_scaled"] is not None:  # as at a step of which no target is known
            _check_error(f"{key}.horizon[{step}]", scores, path)


def _check_needed(key: str, scores: Scores, needed: tuple[str, ...], path: Path) -> None:
    missing = [name for name in needed if name not in scores]
    if missing:
        raise RunError(f"{path} is damaged: {list_names([key])}.{missing[0]} is missing.", DAMAGED)


def _check_error(key: str, scores: Scores, path: Path) -> None:
    error = scores["rmse_scaled"]
    if error is None or error < 0:
        raise RunError(
            f"{path} is damaged: {list_names([key])}.rmse_scaled is {error} and not a number from 0.", DAMAGED
        )


def list_runs(root: Path) -> list[Run]:
    """All runs below a folder, newest first; what is not a complete run is ignored."""
    runs = []
    reader = RunReader()
    for name in list_folders(root):
        with suppress(UsageError, RunError):
            runs.append(reader.read(root / name))
    return runs
