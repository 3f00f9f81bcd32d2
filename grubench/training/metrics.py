"""Measures of forecast error: formulas, units, what happens at zero, and where each comes from.

Arrays are `actual` and `predicted` of shape `(window, step)`, in the order of time; series are
measured one by one and averaged, so that a long or a large series does not drown the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


def rmse(actual: Array, predicted: Array) -> float:
    """Root mean squared error, `sqrt(mean((a - p)^2))`, in the unit of the values."""
    return float(np.sqrt(np.mean(np.square(actual - predicted))))


def mae(actual: Array, predicted: Array) -> float:
    """Mean absolute error, `mean(|a - p|)`, in the unit of the values."""
    return float(np.mean(np.abs(actual - predicted)))


def smape(actual: Array, predicted: Array) -> float:
    """Symmetric mean absolute percentage error, `100 mean(2 |a - p| / (|a| + |p|))`, 0 to 200 %.

    A pair that is 0 and 0 counts as no error.

    References:
        Makridakis, "Accuracy measures: theoretical and practical concerns", 1993.
    """
    size = np.abs(actual) + np.abs(predicted)
    error = np.abs(actual - predicted)
    return float(200 * np.mean(np.divide(error, size, out=np.zeros(error.shape), where=size > 0)))


def smape_loye(actual: Array, predicted: Array) -> float:
    """The sMAPE of the energy article, `100 mean(|a - p| / (a + p) / 2)`: a quarter of `smape` for positive values.

    References:
        G. Loye, "Gated Recurrent Unit (GRU) With PyTorch", 2019, whose code divides by two where the
        standard form multiplies by two.
    """
    return smape(actual, predicted) / 4


def mase(actual: Array, predicted: Array, naive_error: float) -> float:
    """Mean absolute scaled error: the MAE over the MAE of the naive forecast within the training part.

    Below 1 it errs less than repeating the last value (or season) did there. NaN where the naive
    forecast made no error.

    Args:
        actual: In the data's unit.
        predicted: In the data's unit.
        naive_error: From `naive_error`, in the same unit.

    References:
        Hyndman & Koehler, "Another look at measures of forecast accuracy", 2006.
    """
    return mae(actual, predicted) / naive_error if naive_error > 0 else float("nan")


def naive_error(training: Array, period: int = 1) -> float:
    """The MAE of repeating the value `period` steps back, over a training part of shape `(time,)`."""
    return mae(training[period:], training[:-period]) if len(training) > period else float("nan")


def directional_accuracy(actual: Array, predicted: Array) -> float:
    """The share of windows that move the way the actual values do, from the window before at the same step.

    `mean(sign(a[i] - a[i-1]) == sign(p[i] - p[i-1]))` over windows i that follow one another; no change
    is a direction of its own. NaN for a single window.

    References:
        Velarde et al., "An Open-Source and Reproducible Implementation of LSTM and GRU Networks for
        Time Series Forecasting", 2022, whose code measures it so.
    """
    if len(actual) < 2:
        return float("nan")
    return float(np.mean(np.sign(np.diff(actual, axis=0)) == np.sign(np.diff(predicted, axis=0))))


def skill(error: float, baseline_error: float) -> float:
    """The share of a baseline's error that a forecast removes, `1 - error / baseline_error`; NaN for a perfect one."""
    return 1 - error / baseline_error if baseline_error > 0 else float("nan")


def measure(
    actual: Array, predicted: Array, unit_actual: Array, unit_predicted: Array, naive: float
) -> dict[str, float]:
    """Every measure of one series.

    Args:
        actual: Scaled, `(window, step)`.
        predicted: Scaled, `(window, step)`.
        unit_actual: The same in the data's unit.
        unit_predicted: The same in the data's unit.
        naive: The naive error of the training part, in the unit.
    """
    return {
        "rmse_scaled": rmse(actual, predicted),
        "mae_scaled": mae(actual, predicted),
        "rmse": rmse(unit_actual, unit_predicted),
        "mae": mae(unit_actual, unit_predicted),
        "smape_percent": smape(unit_actual, unit_predicted),
        "smape_loye_percent": smape_loye(unit_actual, unit_predicted),
        "mase": mase(unit_actual, unit_predicted, naive),
        "directional_accuracy": directional_accuracy(actual, predicted),
    }


def average(measures: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each measure over series; NaN ones are left out."""
    rows = list(measures)
    found = {}
    for key in rows[0]:
        values = np.array([row[key] for row in rows])
        values = values[~np.isnan(values)]
        found[key] = float(values.mean()) if len(values) else float("nan")
    return found
