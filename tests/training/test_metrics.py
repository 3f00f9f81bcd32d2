"""Measures against scikit-learn's, and against hand-worked values where it has none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from grubench.training import metrics

shape = st.shared(st.tuples(st.integers(2, 12), st.integers(1, 4)), key="shape")
values = arrays(np.float64, shape, elements=st.floats(-1e3, 1e3))


@given(values, values)
def test_rmse_and_mae_are_scikit_learns(actual: np.ndarray, predicted: np.ndarray) -> None:
    ours = metrics.rmse(actual, predicted)
    assert ours == pytest.approx(root_mean_squared_error(actual.ravel(), predicted.ravel()), rel=1e-12, abs=1e-12)
    ours = metrics.mae(actual, predicted)
    assert ours == pytest.approx(mean_absolute_error(actual.ravel(), predicted.ravel()), rel=1e-12, abs=1e-12)


def test_smape_by_hand() -> None:
    actual, predicted = np.array([[100.0], [0.0], [0.0]]), np.array([[50.0], [10.0], [0.0]])
    # 2 x 50 / 150, 2 x 10 / 10, and no error where both are zero
    assert metrics.smape(actual, predicted) == pytest.approx(100 * (2 / 3 + 2 + 0) / 3)


@given(arrays(np.float64, shape, elements=st.floats(1, 1e3)), arrays(np.float64, shape, elements=st.floats(1, 1e3)))
def test_the_energy_articles_smape_is_its_code(actual: np.ndarray, predicted: np.ndarray) -> None:
    article = np.mean(abs(predicted - actual) / (actual + predicted) / 2) * 100
    assert metrics.smape_loye(actual, predicted) == pytest.approx(article)
    assert metrics.smape(actual, predicted) == pytest.approx(4 * article)


def test_mase_by_hand() -> None:
    training = np.array([1.0, 3.0, 2.0, 6.0])
    assert metrics.naive_error(training) == pytest.approx((2 + 1 + 4) / 3)
    assert metrics.naive_error(training, 2) == pytest.approx((1 + 3) / 2)
    assert metrics.mase(np.array([[4.0]]), np.array([[5.0]]), 2.0) == 0.5
    assert math.isnan(metrics.mase(np.ones((1, 1)), np.zeros((1, 1)), 0.0))
    assert math.isnan(metrics.naive_error(training, 4))


@given(values, values)
def test_directional_accuracy_is_the_studys_code(actual: np.ndarray, predicted: np.ndarray) -> None:
    study = np.mean((np.sign(actual[1:] - actual[:-1]) == np.sign(predicted[1:] - predicted[:-1])).astype(int))
    assert metrics.directional_accuracy(actual, predicted) == pytest.approx(study)


def test_one_window_has_no_direction() -> None:
    assert math.isnan(metrics.directional_accuracy(np.ones((1, 3)), np.ones((1, 3))))


def test_skill_is_the_share_removed() -> None:
    assert metrics.skill(1.0, 4.0) == 0.75
    assert metrics.skill(4.0, 1.0) == -3.0
    assert math.isnan(metrics.skill(1.0, 0.0))
    assert metrics.skill(0.0, 0.0) == 0.0


def test_series_count_alike_and_nan_is_left_out() -> None:
    found = metrics.average([{"rmse": 1.0, "mase": math.nan}, {"rmse": 3.0, "mase": 5.0}])
    assert found == {"rmse": 2.0, "mase": 5.0}
    assert math.isnan(metrics.average([{"mase": math.nan}])["mase"])


def test_a_metric_is_registered_once_and_with_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "METRICS", dict(metrics.METRICS))
    with pytest.raises(ValueError, match="'rmse' already"):
        metrics.register(metrics.Metric(key="rmse", function=lambda series: 0.0))
    with pytest.raises(ValueError, match="and not both"):
        metrics.register(metrics.Metric(key="bias"))


def test_every_metric_has_a_key_and_a_function_of_its_own() -> None:
    for key, metric in metrics.METRICS.items():
        assert metric.key == key
        assert (metric.function is None) != (metric.against_persistence is None)
