"""The pictures of the HTML report, as Vega-Lite specifications: data in, plain values out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from grubench.reports import palette
from grubench.spec.baselines import BASELINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run

Chart = dict[str, object]
# Series and steps that the forecast picture carries: the file stays small enough to send.
MAX_SERIES = 12
MAX_STEPS = 300


def _scale(comparison: Comparison, *more: str) -> Chart:
    """The color of each arm and of more names: the same as in the PNG."""
    colors = {arm.name: arm.color for arm in comparison.arms}
    colors |= {name: palette.find_color(name) or palette.ACTUAL for name in more}
    return {"domain": list(colors), "range": list(colors.values())}


def _color(comparison: Comparison, *more: str) -> Chart:
    return {"field": "arm", "type": "nominal", "title": None, "scale": _scale(comparison, *more)}


def _chart(title: str, description: str, values: Sequence[Mapping[str, object]], **more: object) -> Chart:
    return {"title": title, "description": description, "data": {"values": values}, "width": "container", **more}


def chart_loss(comparison: Comparison) -> Chart:
    """Training and validation loss over the epochs: a band over the seeds, and a line a trial."""
    values = []
    for arm, runs in comparison.arms.items():
        for run in runs:
            history = run.history()
            for key, kind in (("loss", "training"), ("val_loss", "validation")):
                values += [
                    {"arm": arm.name, "seed": run.experiment.seed, "epoch": epoch, "loss": value, "part": kind}
                    for epoch, value in zip(history["epoch"], history.get(key, []), strict=False)
                ]
    kind = comparison.spec.training.loss
    shared = {
        "x": {"field": "epoch", "type": "quantitative", "title": "epoch", "axis": {"tickMinStep": 1}},
        "color": _color(comparison),
    }
    is_positive = all(float(str(row["loss"])) > 0 for row in values)  # a logarithm has no place for 0
    scale = {"type": "log" if is_positive else "linear"}
    y = {"type": "quantitative", "scale": scale, "title": f"loss ({kind}, scaled)"}
    band = {"y": {"field": "loss", "aggregate": "min", **y}, "y2": {"field": "loss", "aggregate": "max"}}
    line = {"y": {"field": "loss", **y}, "detail": {"field": "seed"}, "strokeDash": {"field": "part", "title": None}}
    tooltip = [{"field": name} for name in ("arm", "seed", "part", "epoch", "loss")]
    return _chart(
        "Loss of every trial",
        f"Training and validation loss of {', '.join(map(str, comparison.arms))} over the epochs, one line per seed.",
        values,
        height=280,
        layer=[
            {"mark": {"type": "area", "opacity": 0.15}, "encoding": shared | band | {"detail": {"field": "part"}}},
            {"mark": {"type": "line", "strokeWidth": 1}, "encoding": shared | line | {"tooltip": tooltip}},
        ],
    )


def chart_forecasts(comparison: Comparison) -> Chart:
    """Forecast against actual of a series to choose, with zoom, each arm by its first seed."""
    values: list[Chart] = []
    for arm, runs in list(comparison.arms.items())[: palette.MAX_FORECASTS]:
        values += _forecast_rows(arm.name, runs[0], with_actual=not values)
    names = list(dict.fromkeys(row["series"] for row in values))
    unit = comparison.runs[0].metrics.data.unit
    has_timestamps = isinstance(values[0]["time"], str)
    title = f"value ({unit})" if unit else "value"
    x = {"field": "time", "title": "time" if has_timestamps else "step", "scale": {"zero": False}}
    return _chart(
        "Forecast against actual",
        f"The last forecasts of the test part against the actual values, for one of {len(names)} series"
        f"{f'; the first {palette.MAX_FORECASTS} arms' if len(comparison.arms) > palette.MAX_FORECASTS else ''}.",
        values,
        height=300,
        params=[
            {"name": "series", "value": names[0], "bind": {"input": "select", "options": names, "name": "series "}},
            {"name": "zoom", "select": {"type": "interval", "encodings": ["x"]}, "bind": "scales"},
        ],
        transform=[{"filter": "datum.series === series"}],
        mark={"type": "line", "strokeWidth": 1.3},
        encoding={
            "x": x | {"type": "temporal" if has_timestamps else "quantitative"},
            "y": {"field": "value", "type": "quantitative", "title": title, "scale": {"zero": False}},
            "color": _color(comparison, "actual"),
            "detail": {"field": "block"},
            "tooltip": [{"field": "arm"}, {"field": "time"}, {"field": "value", "title": title}],
        },
    )


def _forecast_rows(name: str, run: Run, *, with_actual: bool) -> list[Chart]:
    from grubench.reports.plots import select_rows

    rows = []
    for series, columns in list(run.predictions().items())[:MAX_SERIES]:
        shown = select_rows(columns, MAX_STEPS)
        block = np.cumsum(shown < 0)
        is_row = shown >= 0
        time = columns.local_time[shown[is_row]]
        if columns.has_timestamps:
            time = np.datetime_as_string(time.astype("datetime64[s]"))
        lines = [(name, columns.predicted), *([("actual", columns.actual)] if with_actual else [])]
        for arm, line in lines:
            points = zip(time.tolist(), line[shown[is_row]].tolist(), block[is_row].tolist(), strict=True)
            rows += [
                {"series": series, "arm": arm, "time": moment, "value": value, "block": number}
                for moment, value, number in points
                if not math.isnan(value)
            ]
    return rows


def chart_horizon(comparison: Comparison) -> Chart | None:
    """Error by step of the horizon; None where there is one step."""
    evaluations = [(arm.name, run.metrics.test) for arm, runs in comparison.arms.items() for run in runs]
    evaluations += comparison.runs[0].metrics.baselines.items()
    values = [
        {"arm": name, "step": step, "rmse": scores["rmse_scaled"]}
        for name, evaluation in evaluations
        for step, scores in enumerate(evaluation.horizon, 1)
    ]
    if len(comparison.runs[0].metrics.test.horizon) < 2:
        return None
    x = {"field": "step", "type": "quantitative", "title": "step of the horizon", "axis": {"tickMinStep": 1}}
    y = {"field": "rmse", "type": "quantitative", "title": "RMSE (scaled)", "aggregate": "mean"}
    return _chart(
        "Error by step of the horizon",
        "Root mean squared error, scaled, by step of the horizon, the mean over seeds.",
        values,
        height=240,
        mark={"type": "line", "point": True},
        encoding={"x": x, "y": y, "color": _color(comparison, *BASELINES), "tooltip": [{"field": "arm"}, x, y]},
    )


def chart_series(comparison: Comparison) -> Chart:
    """A dot a series and arm."""
    values = []
    for arm, runs in comparison.arms.items():
        for run in runs:
            by_series = run.metrics.test.series.items()
            values += [{"arm": arm.name, "series": name, "rmse": scores["rmse_scaled"]} for name, scores in by_series]
    for name, baseline in comparison.runs[0].metrics.baselines.items():
        by_series = baseline.series.items()
        values += [{"arm": name, "series": key, "rmse": scores["rmse_scaled"]} for key, scores in by_series]
    x = {"field": "rmse", "type": "quantitative", "title": "RMSE (scaled)", "aggregate": "mean"}
    y = {"field": "series", "type": "nominal", "title": None, "sort": None}
    return _chart(
        "Error by series",
        "Root mean squared error, scaled, of each series, the mean over seeds.",
        values,
        height={"step": 22},
        mark={"type": "point", "filled": True, "size": 70},
        encoding={"x": x, "y": y, "color": _color(comparison, *BASELINES), "tooltip": [{"field": "arm"}, y, x]},
    )


def chart_time(comparison: Comparison) -> Chart:
    """Seconds per epoch of every trial."""
    values = [
        {"arm": arm.name, "seed": run.experiment.seed, "seconds": run.metrics.timing.epoch_s}
        for arm, runs in comparison.arms.items()
        for run in runs
    ]
    x = {"field": "seconds", "type": "quantitative", "title": "seconds per epoch (median, without the first)"}
    y = {"field": "arm", "type": "nominal", "title": None, "sort": None}
    colors = _color(comparison) | {"legend": None}
    return _chart(
        "Training time",
        "Seconds per epoch of each trial by arm, and their mean.",
        values,
        height={"step": 36},
        layer=[
            {
                "mark": {"type": "tick", "thickness": 3, "size": 26},
                "encoding": {"x": x | {"aggregate": "mean"}, "y": y, "color": colors},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.6},
                "encoding": {"x": x, "y": y, "color": colors, "tooltip": [{"field": "arm"}, {"field": "seed"}, x]},
            },
        ],
    )


def chart_parameters(comparison: Comparison) -> Chart:
    """Trainable parameters by arm."""
    values = [
        {"arm": arm.name, "parameters": runs[0].metrics.parameters.trainable} for arm, runs in comparison.arms.items()
    ]
    x = {"field": "parameters", "type": "quantitative", "title": "trainable parameters"}
    y = {"field": "arm", "type": "nominal", "title": None, "sort": None}
    return _chart(
        "Size",
        "Trainable parameters by arm.",
        values,
        height={"step": 36},
        mark={"type": "bar"},
        encoding={"x": x, "y": y, "color": _color(comparison) | {"legend": None}, "tooltip": [{"field": "arm"}, x]},
    )
