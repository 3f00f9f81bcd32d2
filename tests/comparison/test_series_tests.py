"""Forecasters over series, against SciPy called as the study calls it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import arm, compare_runs
from msgspec import structs
from scipy import stats

from grubench.comparison import series_tests
from grubench.comparison.comparison import Comparison
from grubench.reports import export, pair_tables
from grubench.runs.records import Evaluation
from grubench.runs.run import Run
from grubench.spec.sections import Data

GRU = [0.11, 0.42, 0.35, 0.28, 0.30]
LSTM = [0.31, 0.52, 0.61, 0.44, 0.48]


def with_series(run: Run, errors: list[float], seed: int = 0) -> Run:
    scores = next(iter(run.metrics.test.series.values()))

    def changed(evaluation: Evaluation, errors: list[float]) -> Evaluation:
        series = {
            f"s{k}": {**scores, "rmse_scaled": error, "directional_accuracy": 1 - error / 2}
            for k, error in enumerate(errors)
        }
        return structs.replace(evaluation, series=series)

    persistence = changed(run.metrics.baselines["persistence"], [1.0] * 5)
    metrics = structs.replace(
        run.metrics, test=changed(run.metrics.test, errors), baselines={"persistence": persistence}
    )
    return replace(run, experiment=run.experiment.with_seed(seed), metrics=metrics)


@pytest.fixture
def found(trained: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """A comparison as the study's, but for the lookback."""
    monkeypatch.setattr(series_tests, "LOOKBACK", trained["gru"].experiment.window.lookback)
    shifted = ([x - 0.01 for x in GRU], [x + 0.01 for x in GRU])
    arms = {
        "GRU": [with_series(trained["gru"], errors, seed) for seed, errors in enumerate(shifted)],
        "LSTM": [with_series(trained["lstm"], LSTM)],
    }
    return compare_runs(arms)


def test_a_series_figure_is_the_mean_over_seeds(found: Comparison) -> None:
    values = series_tests.average_over_seeds(found, "rmse_scaled")
    np.testing.assert_allclose(values[arm("GRU")], GRU)
    assert values[arm("LSTM")] == LSTM
    assert values[series_tests.PERSISTENCE] == [1.0] * 5


def test_every_pair_is_tested_as_the_study_does(found: Comparison) -> None:
    tests = {
        (test.measure, test.first.name, test.second.name): test for test in series_tests.compare_over_series(found)
    }
    assert len(tests) == 6
    ours = tests["rmse_scaled", "GRU", "LSTM"]
    values = series_tests.average_over_seeds(found, "rmse_scaled")[arm("GRU")]
    theirs = stats.mannwhitneyu(values, LSTM, alternative="two-sided")
    assert (ours.u, ours.p) == (theirs.statistic, theirs.pvalue)
    assert ours.corrected_p >= ours.p


def test_the_export_names_the_forecasters(found: Comparison) -> None:
    tests = json.loads(export.format_comparison(found, ".json"))["over_series"]
    assert {(test["first"], test["second"]) for test in tests} == {
        ("GRU", "LSTM"),
        ("GRU", "persistence"),
        ("LSTM", "persistence"),
    }


def test_the_lines_hold_means_and_tests(found: Comparison) -> None:
    table = pair_tables.tabulate_series(found)
    assert table is not None
    gru, *_, last = table.lines
    assert table.head == ("", "RMSE scaled", "dir. acc.")
    assert gru[:2] == ("GRU", f"{np.mean(GRU):.4f} ± {np.std(GRU):.4f}")
    assert last[0] == "LSTM / persistence"
    assert last[1].startswith("U = 0, p = ")


def test_a_measure_that_is_not_defined_has_no_column(found: Comparison) -> None:
    """Of a single window there is no direction."""

    def without_direction(evaluation: Evaluation) -> Evaluation:
        series = {name: {**scores, "directional_accuracy": None} for name, scores in evaluation.series.items()}
        return structs.replace(evaluation, series=series)

    runs = {}
    for tested, of_arm in found.arms.items():
        runs[tested] = []
        for run in of_arm:
            baselines = {name: without_direction(baseline) for name, baseline in run.metrics.baselines.items()}
            metrics = structs.replace(run.metrics, test=without_direction(run.metrics.test), baselines=baselines)
            runs[tested].append(replace(run, metrics=metrics))
    both, table = (pair_tables.tabulate_series(one) for one in (found, Comparison(arms=runs)))
    assert both is not None
    assert table is not None
    assert table.head == ("", "RMSE scaled")
    assert table.lines == tuple(line[:2] for line in both.lines)


def test_few_series_are_not_tested(trained: dict[str, Run]) -> None:
    found = compare_runs({name.upper(): [run] for name, run in trained.items()})
    assert series_tests.compare_over_series(found) == []
    assert pair_tables.tabulate_series(found) is None


def test_other_data_than_the_studys_are_not_tested_so(found: Comparison) -> None:
    own = {
        arm: [replace(run, experiment=replace(run.experiment, data=Data(file="my.csv", target=("y",)))) for run in runs]
        for arm, runs in found.arms.items()
    }
    assert series_tests.compare_over_series(Comparison(arms=own)) == []


def test_other_windows_on_the_data_of_the_study_are_not_tested_so(
    found: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_tests, "LOOKBACK", 60)
    assert series_tests.compare_over_series(replace(found)) == []
