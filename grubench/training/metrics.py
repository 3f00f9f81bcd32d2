"""The metrics: their formulas, units, what happens at zero, and where each comes from.

Arrays are `actual` and `predicted` of shape `(window, step)`, float64, in the order of time. Where an actual value is
not known it is NaN, and the forecast is not measured. Each series is scored on its own and the scores are averaged, so
that a long or a large series does not outweigh the others.

`METRICS` holds a record for each metric. What computes, shows or exports scores reads it; a new metric is one more
record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesForecasts:
    """The forecasts of one series and what came true.

    Attributes:
        actual: Scaled, `(window, step)`; NaN where it is not known.
        predicted: Scaled, `(window, step)`.
        unit_actual: The same in the data's unit.
        unit_predicted: The same in the data's unit.
        naive_error: The naive error of the training part, in the unit; see `naive_error`.
    """

    actual: Array
    predicted: Array
    unit_actual: Array
    unit_predicted: Array
    naive_error: float

    def at_step(self, step: int) -> SeriesForecasts:
        """Those of one step of the horizon, counted from 0."""
        at = slice(step, step + 1)
        return SeriesForecasts(
            actual=self.actual[:, at],
            predicted=self.predicted[:, at],
            unit_actual=self.unit_actual[:, at],
            unit_predicted=self.unit_predicted[:, at],
            naive_error=self.naive_error,
        )


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: what it is called, how it is computed, what it means.

    Attributes:
        key: Its key in metrics.json and in the exports.
        heading: Its heading in the tables; empty where they do not show it.
        unit: `scaled`, `%`, `data` for the data's unit, or empty for a ratio.
        explanation: What stands below the tables; empty where the heading says it all.
        is_detail: Whether a comparison shows it with --details alone.
        function: From the forecasts of one series to its score; scores of several series are averaged.
        against_persistence: For a metric that compares instead: from the scores of a forecaster and those of
            persistence to the score.
    """

    key: str
    heading: str = ""
    unit: str = ""
    explanation: str = ""
    is_detail: bool = False
    function: Callable[[SeriesForecasts], float] | None = None
    against_persistence: Callable[[Mapping[str, float], Mapping[str, float]], float] | None = None

    @property
    def column(self) -> str:
        """The heading of its column, with the unit where that is not the data's."""
        return f"{self.heading} {self.unit}" if self.unit in ("scaled", "%") else self.heading


def rmse(actual: Array, predicted: Array) -> float:
    """Root mean squared error, `sqrt(mean((a - p)^2))`, in the unit of the values."""
    return float(np.sqrt(_mean(np.square(actual - predicted))))


def mae(actual: Array, predicted: Array) -> float:
    """Mean absolute error, `mean(|a - p|)`, in the unit of the values."""
    return _mean(np.abs(actual - predicted))


def smape(actual: Array, predicted: Array) -> float:
    """Symmetric mean absolute percentage error, `100 mean(2 |a - p| / (|a| + |p|))`, 0 to 200 %.

    A pair that is 0 and 0 counts as no error.

    References:
        Makridakis, "Accuracy measures: theoretical and practical concerns", 1993.
    """
    size = np.abs(actual) + np.abs(predicted)
    error = np.abs(actual - predicted)
    return 200 * _mean(np.divide(error, size, out=error.astype(np.float64), where=size > 0))


def smape_loye(actual: Array, predicted: Array) -> float:
    """The sMAPE of the energy article, `100 mean(|a - p| / (a + p) / 2)`: a quarter of `smape` for positive values.

    References:
        G. Loye, "Gated Recurrent Unit (GRU) With PyTorch", 2019, whose code divides by two where the
        standard form multiplies by two.
    """
    return smape(actual, predicted) / 4


def mase(actual: Array, predicted: Array, naive_error: float) -> float:
    """Mean absolute scaled error: the MAE over the MAE of the naive forecast within the training part.

    Below 1, the MAE is lower than that of repeating the last value (or season) in the training part. NaN where
    the naive forecast has no error.

    Args:
        actual: In the data's unit.
        predicted: In the data's unit.
        naive_error: From `naive_error`, in the same unit.

    References:
        Hyndman & Koehler, "Another look at measures of forecast accuracy", 2006.
    """
    return mae(actual, predicted) / naive_error if naive_error > 0 else float("nan")


def naive_error(training: Array, period: int = 1, filled: NDArray[np.bool_] | None = None) -> float:
    """The MAE of repeating the value `period` steps back, over a training part.

    Args:
        training: `(time,)`.
        period: Steps back.
        filled: `(time,)`, which values are copies, by which nothing is measured.
    """
    if len(training) <= period:
        return float("nan")
    actual = training if filled is None else np.where(filled, np.nan, training)
    return mae(actual[period:], training[:-period])


def directional_accuracy(actual: Array, predicted: Array) -> float:
    """The share of windows that move the way the actual values do, from the window before at the same step.

    `mean(sign(a[i] - a[i-1]) == sign(p[i] - p[i-1]))` over measured windows i that follow one another; no change
    is a direction of its own. NaN for a single window.

    References:
        Velarde et al., "An Open-Source and Reproducible Implementation of LSTM and GRU Networks for
        Time Series Forecasting", 2022, whose code measures it so.
    """
    known = ~np.isnan(actual)
    if known.all():
        return _mean(_move_alike(actual, predicted))
    steps = range(actual.shape[1])
    return _mean(np.concatenate([_move_alike(actual[known[:, k], k], predicted[known[:, k], k]) for k in steps]))


def _move_alike(actual: Array, predicted: Array) -> Array:
    """For each window but the first, 1 where both move the same way from the window before, else 0."""
    alike = np.sign(np.diff(actual, axis=0)) == np.sign(np.diff(predicted, axis=0))
    return np.asarray(alike, np.float64)


def _mean(values: Array) -> float:
    """The mean of the values that are not NaN; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def skill(error: float, baseline_error: float) -> float:
    """The share of a baseline's error that a forecast removes, `1 - error / baseline_error`.

    Of an error of 0 an error of 0 removes nothing; for a larger one it is NaN.
    """
    if baseline_error > 0:
        return 1 - error / baseline_error
    return float("nan") if error > 0 else 0.0


def score(forecasts: SeriesForecasts) -> dict[str, float]:
    """The forecasts of one series by every metric that needs nothing else."""
    return {metric.key: metric.function(forecasts) for metric in METRICS.values() if metric.function}


def compare(scores: Mapping[str, float], persistence: Mapping[str, float]) -> dict[str, float]:
    """The scores, and those of the metrics that compare with persistence."""
    return {**scores} | {
        metric.key: metric.against_persistence(scores, persistence)
        for metric in METRICS.values()
        if metric.against_persistence
    }


def average(scores: Iterable[Mapping[str, float]], *, one_unit: bool = True) -> dict[str, float]:
    """The mean of each score over series; NaN are left out.

    Args:
        scores: Those of each series.
        one_unit: Whether the data have one unit; scores in different ones have no mean, which is NaN.
    """
    rows = list(scores)
    means = {}
    for key in rows[0]:
        has_mean = one_unit or METRICS[key].unit != "data"
        means[key] = _mean(np.array([row[key] for row in rows])) if has_mean else float("nan")
    return means


def register(metric: Metric) -> None:
    """Add a metric: it is computed for every trial from now on, shown and exported.

    Raises:
        ValueError: There is one of that key, or it has not exactly one of the two functions.
    """
    if metric.key in METRICS:
        raise ValueError(f"there is a metric {metric.key!r} already")
    if (metric.function is None) == (metric.against_persistence is None):
        raise ValueError(f"the metric {metric.key!r} needs a function, or against_persistence, and not both")
    METRICS[metric.key] = metric


_BUILT_IN = (
    Metric(
        key="rmse_scaled",
        heading="RMSE",
        unit="scaled",
        function=lambda series: rmse(series.actual, series.predicted),
    ),
    Metric(
        key="mae_scaled",
        is_detail=True,
        heading="MAE",
        unit="scaled",
        function=lambda series: mae(series.actual, series.predicted),
    ),
    Metric(
        key="rmse",
        heading="RMSE",
        unit="data",
        function=lambda series: rmse(series.unit_actual, series.unit_predicted),
    ),
    Metric(
        key="mae",
        is_detail=True,
        heading="MAE",
        unit="data",
        function=lambda series: mae(series.unit_actual, series.unit_predicted),
    ),
    Metric(
        key="smape_percent",
        is_detail=True,
        heading="sMAPE",
        unit="%",
        explanation="the standard form, 0 to 200 %",
        function=lambda series: smape(series.unit_actual, series.unit_predicted),
    ),
    Metric(
        key="smape_loye_percent",
        is_detail=True,
        unit="%",
        function=lambda series: smape_loye(series.unit_actual, series.unit_predicted),
    ),
    Metric(
        key="mase",
        is_detail=True,
        heading="MASE",
        function=lambda series: mase(series.unit_actual, series.unit_predicted, series.naive_error),
    ),
    Metric(
        key="directional_accuracy",
        is_detail=True,
        heading="dir. acc.",
        explanation="the share of windows that move the way the actual values do",
        function=lambda series: directional_accuracy(series.unit_actual, series.unit_predicted),
    ),
    Metric(
        key="skill",
        heading="skill",
        explanation="share removed of persistence's RMSE (the last value's)",
        against_persistence=lambda scores, persistence: skill(scores["rmse_scaled"], persistence["rmse_scaled"]),
    ),
)
# By key, in the order of the tables and exports.
METRICS = {metric.key: metric for metric in _BUILT_IN}
