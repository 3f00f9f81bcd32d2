"""From predicted windows to scores: per series, per step of the horizon, overall; and for the baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.runs.predictions import ForecastRows
from grubench.runs.records import Evaluation
from grubench.spec.baselines import PERSISTENCE
from grubench.training import baselines, metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.data.series import Dataset, Series
    from grubench.data.windows import Windows
    from grubench.runs.records import Scores


def compute_naive_errors(dataset: Dataset, windows: Windows, period: int) -> dict[str, float]:
    """The naive error of each series' training part, in the unit (for MASE); seasonal where there is a period."""
    return {
        series.name: metrics.naive_error(series.target[: windows.splits[series.name].train], max(period, 1))
        for series in dataset.series
        if series.name in windows.splits
    }


def evaluate(
    predicted: NDArray[np.float32],
    windows: Windows,
    naive: dict[str, float],
    persistence: Evaluation | None = None,
) -> Evaluation:
    """Score the forecasts of every test window.

    Args:
        predicted: Scaled, in the order of `windows.index("test")` and the shape of `windows.targets`.
        windows: The windows.
        naive: The naive error of each series.
        persistence: The scores of persistence, which some metrics compare with; None where these are its own.
    """
    by_series: dict[str, dict[str, float]] = {}
    by_step: list[list[dict[str, float]]] = [[] for _ in range(windows.outputs)]
    for name, starts, of_series in windows.by_series("test", predicted):
        actual, predicted_steps = _reshape(windows.targets(starts), windows), _reshape(of_series, windows)
        scaling = windows.scalings[name]
        forecasts = metrics.SeriesForecasts(
            actual=actual,
            predicted=predicted_steps,
            unit_actual=scaling.target_to_unit(actual),
            unit_predicted=scaling.target_to_unit(predicted_steps),
            naive_error=naive.get(name, float("nan")),
        )
        by_series[name] = metrics.score(forecasts)
        for step, rows in enumerate(by_step):
            rows.append(metrics.score(forecasts.at_step(step)))
    overall = metrics.average(by_series.values())
    reference = persistence or Evaluation(overall=overall, series=by_series, horizon=())
    return Evaluation(
        overall=_compare(overall, reference.overall),
        series={name: _compare(scores, reference.series[name]) for name, scores in by_series.items()},
        horizon=tuple(metrics.average(rows) for rows in by_step),
    )


def _compare(scores: dict[str, float], persistence: Scores) -> Scores:
    numbers = {key: float("nan") if value is None else value for key, value in persistence.items()}
    return metrics.compare(scores, numbers)


def evaluate_all(
    predicted: NDArray[np.float32], windows: Windows, dataset: Dataset, period: int
) -> tuple[Evaluation, dict[str, Evaluation]]:
    """The scores of the forecasts, and of every baseline that applies.

    Args:
        predicted: As `evaluate` takes it.
        windows: The windows.
        dataset: The data they were cut from.
        period: Steps in a season, 0 for none.
    """
    naive = compute_naive_errors(dataset, windows, period)
    forecasts = baselines.forecast_all(windows, windows.index("test"), period)
    persistence = evaluate(forecasts.pop(PERSISTENCE.name), windows, naive)
    others = {name: evaluate(values, windows, naive, persistence) for name, values in forecasts.items()}
    return evaluate(predicted, windows, naive, persistence), {PERSISTENCE.name: persistence, **others}


def make_rows(dataset: Dataset, windows: Windows, predicted: NDArray[np.float32]) -> dict[str, ForecastRows]:
    """The rows of predictions.csv for each series.

    Args:
        dataset: The data.
        windows: The windows cut from it.
        predicted: Scaled, as `evaluate` takes it.
    """
    by_name = {series.name: series for series in dataset.series}
    return {
        name: _make_series_rows(by_name[name], starts, values, windows)
        for name, starts, values in windows.by_series("test", predicted)
    }


def _make_series_rows(
    series: Series, starts: NDArray[np.int64], predicted: NDArray[np.float32], windows: Windows
) -> ForecastRows:
    first = windows.origin(series.name, starts)
    steps = _reshape(predicted, windows)
    if windows.every_step:
        first = (first[:, None] + np.arange(windows.lookback)).reshape(-1)
    step = np.arange(steps.shape[1])
    row = first[:, None] + step
    return ForecastRows(
        origin=np.repeat(series.time[first - 1], len(step)),
        step=np.tile(step + 1, len(first)),
        time=series.time[row].reshape(-1),
        actual=series.target[row].reshape(-1),
        predicted=windows.scalings[series.name].target_to_unit(steps).reshape(-1),
    )


def _reshape(values: NDArray[np.float32], windows: Windows) -> NDArray[np.float64]:
    """Float64 values of shape `(window, step)`; one row an input step where there is an output at every step."""
    wide = values.astype(np.float64)
    return wide.reshape(-1, 1) if windows.every_step else wide
