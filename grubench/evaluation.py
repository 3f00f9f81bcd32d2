"""From predicted windows to measures: per series, per step of the horizon, overall; and for the baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grubench import baselines, metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.series import Dataset, Series
    from grubench.windows import Windows

    Measures = dict[str, Any]


def naive_errors(dataset: Dataset, windows: Windows, period: int) -> dict[str, float]:
    """The naive error of each series' training part, in the unit (for MASE); seasonal where there is a period."""
    return {
        series.name: metrics.naive_error(series.target[: windows.splits[series.name].train], max(period, 1))
        for series in dataset.series
        if series.name in windows.splits
    }


def evaluate(predicted: NDArray[np.float32], windows: Windows, naive: dict[str, float]) -> Measures:
    """Measure the forecasts of every test window.

    Args:
        predicted: Scaled, in the order of `windows.index("test")` and the shape of `windows.targets`.
        windows: The windows.
        naive: The naive error of each series.

    Returns:
        `overall` (the mean over series), `series` (by name) and `horizon` (a row a step out).
    """
    found, steps, position = {}, [], 0
    for name, starts in windows.starts["test"].items():
        ours = _steps(predicted[position : position + len(starts)], windows)
        actual = _steps(windows.targets(starts), windows)
        scaling = windows.scalings[name]
        unit_actual, unit_ours = scaling.target_to_unit(actual), scaling.target_to_unit(ours)
        found[name] = metrics.measure(actual, ours, unit_actual, unit_ours, naive.get(name, float("nan")))
        steps.append(
            np.stack(
                [
                    _rmse_by_step(actual, ours),
                    _rmse_by_step(unit_actual, unit_ours),
                    _mae_by_step(unit_actual, unit_ours),
                ]
            )
        )
        position += len(starts)
    by_step = np.mean(steps, axis=0)
    horizon = [
        {"step": step + 1, "rmse_scaled": row[0], "rmse": row[1], "mae": row[2]}
        for step, row in enumerate(by_step.T.tolist())
    ]
    return {"overall": metrics.average(found.values()), "series": found, "horizon": horizon}


def evaluate_baselines(windows: Windows, naive: dict[str, float], period: int) -> dict[str, Measures]:
    """The same measures of every baseline that applies."""
    made = baselines.forecasts(windows, windows.index("test"), period)
    return {name: evaluate(predicted, windows, naive) for name, predicted in made.items()}


def with_skill(measures: Measures, baselines: dict[str, Measures]) -> Measures:
    """The measures with the skill against persistence (by scaled RMSE) put in, overall and by series."""
    reference = baselines["persistence"]
    measures["overall"]["skill"] = metrics.skill(
        measures["overall"]["rmse_scaled"], reference["overall"]["rmse_scaled"]
    )
    for name, one in measures["series"].items():
        one["skill"] = metrics.skill(one["rmse_scaled"], reference["series"][name]["rmse_scaled"])
    return measures


def forecast_rows(
    name: str, series: Series, starts: NDArray[np.int64], predicted: NDArray[np.float32], windows: Windows
) -> dict[str, NDArray[Any]]:
    """The rows of predictions.csv for one series: origin, step, time, actual and predicted in the unit.

    The origin is the stamp of the last value seen before the forecast.
    """
    first = windows.origin(name, starts)
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
        "predicted": windows.scalings[name].target_to_unit(ours).reshape(-1),
    }


def _steps(values: NDArray[np.float32], windows: Windows) -> NDArray[np.float64]:
    """Float64 values of shape `(window, step)`; one row an input step where there is an output at every step."""
    wide = values.astype(np.float64)
    return wide.reshape(-1, 1) if windows.every_step else wide


def _rmse_by_step(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(np.square(actual - predicted), axis=0)))


def _mae_by_step(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.mean(np.abs(actual - predicted), axis=0))
