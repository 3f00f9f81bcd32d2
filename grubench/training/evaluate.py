"""From predicted windows to scores: per series, per step of the horizon, overall; and for the baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.runs.predictions import ForecastRows
from grubench.runs.records import Evaluation
from grubench.spec.baselines import LINEAR, PERSISTENCE
from grubench.training import baselines, metrics
from grubench.training.lag import find_lag, read_recent
from grubench.training.linear_baseline import forecast_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.data.series import Dataset, Series
    from grubench.data.windows import Windows
    from grubench.runs.records import Scores


def compute_naive_errors(dataset: Dataset, windows: Windows, period: int) -> dict[str, float]:
    """The naive error of each series' training part, in the unit (for MASE); seasonal where there is a period."""
    return {
        series.name: metrics.naive_error(series.target[:train], max(period, 1), series.filled[:train])
        for series, train in _find_training_parts(dataset, windows)
    }


def _find_training_parts(dataset: Dataset, windows: Windows) -> list[tuple[Series, int]]:
    splits = windows.splits
    return [(series, splits[series.name].train) for series in dataset.series if series.name in splits]


def evaluate(
    predicted: NDArray[np.float64],
    windows: Windows,
    naive: dict[str, float],
    persistence: Evaluation | None = None,
    *,
    one_unit: bool = True,
) -> Evaluation:
    """Score the forecasts of every test window.

    Args:
        predicted: In the data's unit, in the order of `windows.index("test")` and the shape of `windows.target_rows`.
        windows: The windows.
        naive: The naive error of each series.
        persistence: The scores of persistence, which some metrics compare with; None where these are its own.
        one_unit: Whether the series' targets have one unit; scores in different ones are not averaged.
    """
    by_series: dict[str, dict[str, float]] = {}
    lags: dict[str, int | None] = {}
    by_step: list[list[dict[str, float]]] = [[] for _ in range(windows.outputs)]
    for name, starts, of_series in windows.by_series("test", predicted):
        forecasts = _pair(name, starts, of_series, windows, naive.get(name, float("nan")))
        by_series[name] = metrics.score(forecasts)
        lags[name] = find_lag(forecasts.unit_predicted[:, 0], read_recent(windows, starts))
        for step, rows in enumerate(by_step):
            rows.append(metrics.score(forecasts.at_step(step)))
    overall = metrics.average(by_series.values(), one_unit=one_unit)
    reference = persistence or Evaluation(overall=overall, series=by_series, horizon=(), lags={})
    by_step_means = [metrics.average(rows, one_unit=one_unit) for rows in by_step]
    return Evaluation(
        overall=_compare(overall, reference.overall),
        series={name: _compare(scores, reference.series[name]) for name, scores in by_series.items()},
        horizon=tuple(map(_mark_undefined, by_step_means)),
        lags=lags,
    )


def _pair(
    name: str, starts: NDArray[np.int64], predicted: NDArray[np.float64], windows: Windows, naive_error: float
) -> metrics.SeriesForecasts:
    """The forecasts of a series beside its own values; those that were filled are left out as NaN."""
    rows = windows.target_rows(starts)
    actual = np.where(windows.filled[rows], np.nan, windows.actual[rows])
    if windows.every_step:  # a forecast of one step after each of the steps in
        actual, predicted = actual.reshape(-1, 1), predicted.reshape(-1, 1)
    scaling = windows.scalings[name]
    return metrics.SeriesForecasts(
        actual=scaling.scale_target(actual),
        predicted=scaling.scale_target(predicted),
        unit_actual=actual,
        unit_predicted=predicted,
        naive_error=naive_error,
    )


def _compare(scores: dict[str, float], persistence: Scores) -> Scores:
    numbers = {key: float("nan") if value is None else value for key, value in persistence.items()}
    return _mark_undefined(metrics.compare(scores, numbers))


def _mark_undefined(scores: dict[str, float]) -> Scores:
    """The scores, None for those that are not defined, as they are read back."""
    return {key: None if np.isnan(value) else value for key, value in scores.items()}


def evaluate_all(
    predicted: NDArray[np.float32], windows: Windows, dataset: Dataset, period: int
) -> tuple[Evaluation, dict[str, Evaluation]]:
    """The scores of the forecasts, and of every baseline that applies.

    Args:
        predicted: Scaled, in the order of `windows.index("test")` and the shape of `windows.targets`.
        windows: The windows.
        dataset: The data they were cut from.
        period: Steps in a season, 0 for none.
    """
    naive = compute_naive_errors(dataset, windows, period)
    starts = windows.index("test")
    forecasts = baselines.forecast_all(windows, starts, period)
    if windows.count("train") and not windows.every_step:
        forecasts[LINEAR.name] = _to_unit(forecast_linear(windows, starts), windows)
    one_unit = dataset.have_one_unit(windows.starts["test"])
    persistence = evaluate(forecasts.pop(PERSISTENCE.name), windows, naive, one_unit=one_unit)

    def against_persistence(values: NDArray[np.float64]) -> Evaluation:
        return evaluate(values, windows, naive, persistence, one_unit=one_unit)

    others = {name: against_persistence(values) for name, values in forecasts.items()}
    return against_persistence(_to_unit(predicted, windows)), {PERSISTENCE.name: persistence, **others}


def _to_unit(predicted: NDArray[np.floating], windows: Windows) -> NDArray[np.float64]:
    """Scaled forecasts in the data's unit, `(window, step)`."""
    unscaled = [windows.scalings[name].target_to_unit(own) for name, _, own in windows.by_series("test", predicted)]
    return np.concatenate(unscaled).reshape(len(predicted), -1)


def make_rows(dataset: Dataset, windows: Windows, predicted: NDArray[np.float32]) -> dict[str, ForecastRows]:
    """The rows of predictions.csv for each series.

    Args:
        dataset: The data.
        windows: The windows cut from it.
        predicted: Scaled, as `evaluate_all` takes it.
    """
    by_name = {series.name: series for series in dataset.series}
    return {
        name: _make_series_rows(by_name[name], starts, values, windows)
        for name, starts, values in windows.by_series("test", predicted)
    }


def _make_series_rows(
    series: Series, starts: NDArray[np.int64], predicted: NDArray[np.float32], windows: Windows
) -> ForecastRows:
    rows = (windows.target_rows(starts) - windows.first_row[series.name]).reshape(-1, windows.outputs)
    step = np.arange(windows.outputs)
    row = rows.reshape(-1)
    return ForecastRows(
        origin=np.repeat(series.time[rows[:, 0] - 1], len(step)),
        step=np.tile(step + 1, len(rows)),
        time=series.time[row],
        actual=np.where(series.filled[row], np.nan, series.target[row]),
        predicted=windows.scalings[series.name].target_to_unit(predicted).reshape(-1),
        zone=series.zone,
    )
