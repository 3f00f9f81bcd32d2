"""From a comparison to the rows that every view shows, and the text of a cell."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import asdict

from grubench.comparison.timing import find_timed_apart
from grubench.reports.columns import COST_COLUMNS, Column, list_test_columns
from grubench.reports.header import APART, MARK
from grubench.reports.numbers import format_mean
from grubench.spec.baselines import LINEAR, SEASONAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.runs.records import Evaluation, Scores
    from grubench.runs.run import Run
    from grubench.spec.arms import Arm
    from grubench.spec.experiment import Experiment

C = TypeVar("C", bound=Column)
# More targets of different units have no lines of their own in a comparison.
MAX_TARGETS = 6


@dataclass(frozen=True, kw_only=True)
class Row:
    """One forecaster of a table: an arm, a baseline or a series.

    Attributes:
        name: Its whole name.
        cell: The cell of an arm, else the name, which may have two lines.
        settings: What tells an arm from others, by key.
        seeds: The seeds of an arm's runs; none for what is not trained.
        values: Its values by the key of their column, one for each seed.
        shared: Whether its trials shared a machine while they were timed.
        timed_apart: Whether they were timed in another call than those that they stand beside.
    """

    name: str
    cell: str
    settings: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    values: Mapping[str, Sequence[float | None]]
    shared: bool = False
    timed_apart: bool = False


def read_values(run: Run) -> dict[str, float | None]:
    """Read every number of a run that tables show or exports hold, by its key."""
    costs = {column.key: column.read(run) for column in COST_COLUMNS}
    return {**run.metrics.test.overall, **costs, **asdict(run.metrics.size)}


def make_rows(comparison: Comparison) -> list[Row]:
    """Make a row for each arm and each baseline."""
    apart = find_timed_apart(comparison)
    arms = [_make_arm_row(arm, runs, timed_apart=arm in apart) for arm, runs in comparison.arms.items()]
    baselines = comparison.runs[0].metrics.baselines.items()
    rows = [_make_score_row(name, baseline.overall) for name, baseline in baselines]
    return arms + rows + _make_missing_rows(comparison.spec, dict(baselines))


def make_target_rows(comparison: Comparison) -> list[Row]:
    """Make a row for each target and forecaster where a few targets have different units; none elsewhere.

    No mean can be taken over different units.
    """
    first = comparison.runs[0].metrics
    names = list(first.test.series)
    if first.data.one_unit or len(names) > MAX_TARGETS:
        return []
    tests = {arm.short_name: [run.metrics.test for run in runs] for arm, runs in comparison.arms.items()}
    tests |= {name: [baseline] for name, baseline in first.baselines.items()}
    rows = []
    for name in names:
        for forecaster, of_seeds in tests.items():
            values = {key: [test.series[name].get(key) for test in of_seeds] for key in first.test.series[name]}
            rows.append(Row(name=f"{name}, {forecaster}", cell=f"{name}, {forecaster}", values=values))
    return rows


def make_series_rows(test: Evaluation, baselines: Mapping[str, Evaluation], spec: Experiment) -> list[Row]:
    """Make a row for each series (where there are several), for their mean, and for the baselines' means."""
    several = len(test.series) > 1
    series = [_make_score_row(name, scores) for name, scores in test.series.items()] if several else []
    name_of_all = f"mean of {len(test.series)} series" if several else next(iter(test.series))
    means = {name_of_all: test, **baselines}
    rows = [_make_score_row(name, evaluation.overall) for name, evaluation in means.items()]
    return series + rows + _make_missing_rows(spec, baselines)


def _make_missing_rows(spec: Experiment, baselines: Mapping[str, Evaluation]) -> list[Row]:
    """A row without values for each baseline that cannot forecast these windows, with the reason."""
    season, lookback, every_step = spec.data.season, spec.window.lookback, spec.window.every_step
    reasons = {}
    if season > 1 and (season > lookback or every_step):
        reasons[SEASONAL.name] = "not at every step" if every_step else f"needs --lookback {season}"
    if LINEAR.name not in baselines:
        reasons[LINEAR.name] = "not at every step" if every_step else "not fitted to new data"
    return [Row(name=f"{name} ({reason})", cell=f"{name}\n({reason})", values={}) for name, reason in reasons.items()]


def _make_arm_row(arm: Arm, runs: Sequence[Run], *, timed_apart: bool) -> Row:
    per_seed = [read_values(run) for run in runs]
    return Row(
        name=arm.name,
        cell=arm.cell,
        settings=arm.settings,
        seeds=tuple(run.experiment.seed for run in runs),
        values={key: [values[key] for values in per_seed] for key in per_seed[0]},
        shared=any(run.environment.shared for run in runs),
        timed_apart=timed_apart,
    )


def _make_score_row(name: str, scores: Scores) -> Row:
    return Row(name=name, cell=name, values={key: [score] for key, score in scores.items()})


def write_tables(rows: Sequence[Row]) -> list[tuple[list[Column], list[list[str]]]]:
    """Write a comparison's two tables, of test errors and of training: the columns and the lines of each."""
    tables: list[tuple[list[Column], list[list[str]]]] = []
    trained = [row for row in rows if row.seeds]
    for of_table, columns in ((rows, list_test_columns()), (trained, COST_COLUMNS)):
        shown: list[Column] = select_columns(of_table, list[Column](columns))
        tables.append((shown, [[row.name, *(format_cell(row, column) for column in shown)] for row in of_table]))
    return tables


def list_numbers(row: Row, column: Column) -> list[float]:
    """The finite values of a row in a column."""
    return [value for value in row.values.get(column.key, []) if value is not None and math.isfinite(value)]


def select_columns(rows: Sequence[Row], columns: Sequence[C]) -> list[C]:
    """The columns in which any row has a number, and every score that was measured."""
    return [
        column
        for column in columns
        if any(list_numbers(row, column) or (column.is_score and column.key in row.values) for row in rows)
    ]


def format_cell(row: Row, column: Column, joint: str = " ± ") -> str:
    """The mean over the seeds and, behind `joint`, their standard deviation; marked where times were disturbed."""
    marks = (MARK if row.shared else "") + (APART if row.timed_apart else "")
    return format_mean(list_numbers(row, column), joint, marks if column.is_timed else "")
