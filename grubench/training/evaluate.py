"""From predicted windows to measures: per series, per step of the horizon, overall; and for the baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from grubench.runs.records import Evaluation
from grubench.training import baselines, metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.data.series import Dataset, Series
    from grubench.data.windows import Windows
    from grubench.runs.records import Scores


def naive_errors(dataset: Dataset, windows: Windows, period: int) -> dict[str, float]:
    """The naive error of each series' training part, in the unit (for MASE); seasonal where there is a period."""
    return {
        series.name: metrics.naive_error(series.target[: windows.splits[series.name].train], max(period, 1))
        for series in dataset.series
        if series.name in windows.splits
    }


def evaluate(predicted: NDArray[np.float32], windows: Windows, naive: dict[str, float]) -> Evaluation:
    """Score the forecasts of every test window.

    Args:
        predicted: Scaled, in the order of `windows.index("test")` and the shape of `windows.targets`.
        windows: The windows.
        naive: The naive error of each series.
    """
    by_series: dict[str, dict[str, float]] = {}
    by_step: list[list[dict[str, float]]] = [[] for _ in range(windows.outputs)]
    for name, starts, ours in windows.by_series("test", predicted):
        actual, predicted_steps = _steps(windows.targets(starts), windows), _steps(ours, windows)
        scaling, error = windows.scalings[name], naive.get(name, float("nan"))
        units = scaling.target_to_unit(actual), scaling.target_to_unit(predicted_steps)
        by_series[name] = metrics.measure(actual, predicted_steps, *units, error)
        for step, rows in enumerate(by_step):
            at = slice(step, step + 1)
            rows.append(metrics.measure(actual[:, at], predicted_steps[:, at], units[0][:, at], units[1][:, at], error))
    return Evaluation(
        overall=metrics.average(by_series.values()),
        series=by_series,
        horizon=tuple(metrics.average(rows) for rows in by_step),
    )


def evaluate_all(
    predicted: NDArray[np.float32], windows: Windows, dataset: Dataset, period: int
) -> tuple[Evaluation, dict[str, Evaluation]]:
    """The scores of the forecasts and of every baseline that applies, each with its skill against persistence.

    Args:
        predicted: As `evaluate` takes it.
        windows: The windows.
        dataset: The data they were cut from.
        period: Steps in a season, 0 for none.
    """
    naive = naive_errors(dataset, windows, period)
    forecasts = baselines.forecasts(windows, windows.index("test"), period)
    plain = {name: evaluate(forecast, windows, naive) for name, forecast in forecasts.items()}
    reference = plain["persistence"]
    scored = {name: _with_skill(evaluation, reference) for name, evaluation in plain.items()}
    return _with_skill(evaluate(predicted, windows, naive), reference), scored


def _with_skill(evaluation: Evaluation, reference: Evaluation) -> Evaluation:
    """The scores with the share of persistence's scaled RMSE that is removed, overall and by series."""
    series = {name: _add_skill(scores, reference.series[name]) for name, scores in evaluation.series.items()}
    return replace(evaluation, overall=_add_skill(evaluation.overall, reference.overall), series=series)


def _add_skill(scores: Scores, reference: Scores) -> Scores:
    error, baseline_error = scores["rmse_scaled"], reference["rmse_scaled"]
    assert error is not None
    assert baseline_error is not None
    return {**scores, "skill": metrics.skill(error, baseline_error)}


def forecast_rows(
    dataset: Dataset, windows: Windows, predicted: NDArray[np.float32]
) -> dict[str, dict[str, NDArray[Any]]]:
    """The rows of predictions.csv for each series: origin, step, time, actual and predicted in the unit.

    The origin is the stamp of the last value seen before the forecast.

    Args:
        dataset: The data.
        windows: The windows cut from it.
        predicted: Scaled, as `evaluate` takes it.
    """
    by_name = {series.name: series for series in dataset.series}
    return {
        name: _rows_of(by_name[name], starts, ours, windows)
        for name, starts, ours in windows.by_series("test", predicted)
    }


def csv_text(rows: dict[str, dict[str, NDArray[Any]]]) -> str:
    """The rows of `forecast_rows` as CSV: series, origin, step, time, actual, predicted."""
    import pandas as pd

    frames = [pd.DataFrame({"series": name} | columns) for name, columns in rows.items()]
    return pd.concat(frames).to_csv(index=False, float_format="%.9g", lineterminator="\n")


def _rows_of(
    series: Series, starts: NDArray[np.int64], predicted: NDArray[np.float32], windows: Windows
) -> dict[str, NDArray[Any]]:
    first = windows.origin(series.name, starts)
    ours = _steps(predicted, windows)
    if windows.every_step:
        first = (first[:, None] + np.arange(windows.lookback)).reshape(-1)
    step = np.arange(ours.shape[1])
    row = first[:, None] + step
    return {
        "origin": np.repeat(series.time[first - 1], len(step)),
        "step": np.tile(step + 1, len(first)),
        "time": series.time[row].reshape(-1),
        "actual": series.target[row].reshape(-1),
        "predicted": windows.scalings[series.name].target_to_unit(ours).reshape(-1),
    }


def _steps(values: NDArray[np.float32], windows: Windows) -> NDArray[np.float64]:
    """Float64 values of shape `(window, step)`; one row an input step where there is an output at every step."""
    wide = values.astype(np.float64)
    return wide.reshape(-1, 1) if windows.every_step else wide
