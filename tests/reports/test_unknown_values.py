"""Targets that are not known: pictures leave them out, and tables say what was measured."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import compare_runs
from msgspec import structs
from rich.console import Console

from grubench.comparison.comparison import Comparison
from grubench.reports import export, numbers, plots, score_table, terminal, vega
from grubench.runs.predictions import ForecastRows
from grubench.runs.records import Evaluation, Scores
from grubench.runs.run import Run


def without_values(run: Run) -> Run:
    """A run of which every other actual value is not known."""

    def hide(rows: ForecastRows) -> ForecastRows:
        return replace(rows, actual=np.where(np.arange(len(rows.actual)) % 2, np.nan, rows.actual))

    known = run.predictions()
    kind = type("HalfKnown", (Run,), {"predictions": lambda _: {name: hide(rows) for name, rows in known.items()}})
    return kind(folder=run.folder, experiment=run.experiment, metrics=run.metrics, environment=run.environment)


def test_pictures_leave_unknown_values_out(trained: dict[str, Run], tmp_path: Path) -> None:
    found = compare_runs({"GRU": [without_values(trained["gru"])], "LSTM": [trained["lstm"]]})
    plots.draw_forecasts(found, tmp_path / "forecasts.png")
    chart = vega.chart_forecasts(found)
    values = json.loads(json.dumps(chart["data"], allow_nan=False))["values"]
    lines = {name: [row for row in values if row["arm"] == name] for name in ("actual", "GRU")}
    assert 0 < len(lines["actual"]) < len(lines["GRU"])


@pytest.fixture
def mixed(trained: dict[str, Run]) -> Comparison:
    """Runs whose two series have different units."""

    def unmean(scores: Scores) -> Scores:
        return {**scores, "rmse": None, "mae": None}

    def change(evaluation: Evaluation) -> Evaluation:
        horizon = tuple(map(unmean, evaluation.horizon))
        return structs.replace(evaluation, overall=unmean(evaluation.overall), horizon=horizon)

    def of(run: Run) -> Run:
        metrics = run.metrics
        baselines = {name: change(baseline) for name, baseline in metrics.baselines.items()}
        data = structs.replace(metrics.data, one_unit=False)
        return replace(run, metrics=structs.replace(metrics, test=change(metrics.test), baselines=baselines, data=data))

    return compare_runs({"GRU": [of(trained["gru"])], "LSTM": [of(trained["lstm"])]})


def test_each_target_of_its_own_unit_has_rows_in_every_view(mixed: Comparison) -> None:
    console = Console(file=io.StringIO(), width=160)
    terminal.show_comparison(mixed, console)
    shown = console.file.getvalue()
    assert "Test error of each target, in its own unit where not scaled" in shown
    for text in (shown, export.format_comparison(mixed, ".md")):
        for name, scores in mixed.runs[0].metrics.test.series.items():
            line = next(line for line in text.splitlines() if f"{name}, GRU" in line)
            assert numbers.format_number(scores["rmse"]) in line


@pytest.mark.parametrize(("width", "details"), [(80, False), (80, True), (60, False), (120, True)])
def test_the_rows_of_targets_are_whole(mixed: Comparison, width: int, details: bool) -> None:
    """Names, headings and cells; by default of three measures."""
    console = Console(file=io.StringIO(), width=width)
    terminal.show_comparison(mixed, console, details=details)
    lines = console.file.getvalue().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("Test error of each target"))
    table = lines[start : lines.index("", start)]
    assert max(map(len, table)) <= width
    for name, scores in mixed.runs[0].metrics.test.series.items():
        line = next(line for line in table if line.startswith(f"{name}, GRU"))
        for key in ("rmse_scaled", "rmse", "skill"):
            assert numbers.format_number(scores[key]) in line
        assert (numbers.format_number(scores["directional_accuracy"]) in line) is details
    assert all(heading in " ".join(table) for heading in ("RMSE", "skill"))


def test_the_errors_by_step_are_scaled_where_units_differ(mixed: Comparison) -> None:
    console = Console(file=io.StringIO(), width=160)
    metrics = mixed.runs[0].metrics
    score_table.print_scores(metrics.test, metrics.baselines, "", mixed.spec, console)
    assert "RMSE scaled by step of the horizon, 1 to 3" in console.file.getvalue()
