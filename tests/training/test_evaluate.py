"""From windows to scores: a made-up metric in every view, and the rows of predictions.csv."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import compare_runs, make_dataset, make_series
from msgspec import structs
from rich.console import Console

from grubench.data import windows
from grubench.reports import export, terminal
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment, Window
from grubench.training import evaluate, metrics


def test_a_made_up_metric_is_computed_shown_explained_and_exported(
    trained: dict[str, Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(metrics, "METRICS", dict(metrics.METRICS))
    monkeypatch.setattr("grubench.reports.columns.METRICS", metrics.METRICS)
    metrics.register(
        metrics.Metric(
            key="bias",
            heading="bias",
            unit="data",
            explanation="the mean of forecast minus actual",
            function=lambda series: float(np.mean(series.unit_predicted - series.unit_actual)),
        )
    )
    dataset = make_dataset(make_series("a"), make_series("b", seed=1))
    cut = windows.build(dataset, Experiment(window=Window(lookback=8, horizon=3, test=30, validation=0)))
    starts = cut.index("test")
    predicted = np.repeat(cut.inputs(starts)[:, -1:, 0], 3, axis=1)  # scaled, as a network's are
    test, others = evaluate.evaluate_all(predicted, cut, dataset, 0)
    by_hand = []
    for number, series in enumerate(dataset.series):
        starts = cut.starts["test"][series.name] - cut.first_row[series.name]
        steps = starts[:, None] + 8 + np.arange(3)
        by_hand.append(np.mean(series.target[starts + 7][:, None] - series.target[steps]))
        assert test.series[series.name]["bias"] == pytest.approx(by_hand[number], rel=1e-4)
    assert test.overall["bias"] == pytest.approx(np.mean(by_hand), rel=1e-4)
    assert len(test.horizon) == 3
    assert all("bias" in step for step in test.horizon)

    runs = [replace(run, metrics=structs.replace(run.metrics, test=test, baselines=others)) for run in trained.values()]
    found = compare_runs({"GRU": runs[:1], "LSTM": runs[1:]})
    console = Console(file=io.StringIO(), width=160)
    terminal.show_comparison(found, console)
    shown = " ".join(console.file.getvalue().split())
    assert "skill bias" in shown
    assert "bias: the mean of forecast minus actual." in shown
    assert "| bias |" in export.format_comparison(found, ".md")
    assert ",bias," in export.format_comparison(found, ".csv").splitlines()[0]
    assert '"bias"' in export.format_comparison(found, ".json")


@pytest.mark.parametrize("every_step", [False, True])
def test_the_rows_of_forecasts_are_those_of_the_series(every_step: bool) -> None:
    window = Window(lookback=6, horizon=1 if every_step else 3, every_step=every_step, test=24, validation=0, stride=5)
    dataset = make_dataset(make_series("a"), make_series("b", length=90, seed=1))
    cut = windows.build(dataset, Experiment(window=window))
    starts = cut.index("test")
    rows = evaluate.make_rows(dataset, cut, cut.targets(starts))  # as if forecast without error
    for series in dataset.series:
        columns = rows[series.name]
        expected = []
        for start in cut.starts["test"][series.name] - cut.first_row[series.name]:
            if every_step:  # a forecast of one step after each of the steps in
                expected += [(start + k, 1, start + k + 1) for k in range(6)]
            else:
                expected += [(start + 5, step, start + 5 + step) for step in (1, 2, 3)]
        origin, step, at = (np.array(column) for column in zip(*expected, strict=True))
        np.testing.assert_array_equal(columns.origin, series.time[origin])
        np.testing.assert_array_equal(columns.step, step)
        np.testing.assert_array_equal(columns.time, series.time[at])
        np.testing.assert_array_equal(columns.actual, series.target[at])
        np.testing.assert_allclose(columns.predicted, series.target[at], rtol=1e-5)
