"""Pictures for papers and pages: loss curves and forecasts, as PNG or SVG."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from grubench.reports import palette
from grubench.reports.benchmark import find_varied_axes, read_size
from grubench.reports.figure import (
    AutoDateLocator,
    ConciseDateFormatter,
    Figure,
    FuncFormatter,
    LogFormatter,
    MaxNLocator,
    NullLocator,
    save,
)
from grubench.spec.arms import name_arms
from grubench.spec.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from grubench.comparison.comparison import Comparison
    from grubench.reports.figure import Axes
    from grubench.runs.predictions import ForecastRows, Times
    from grubench.runs.run import Run
    from grubench.training.benchmark_records import Benchmark, BenchmarkArm
    from grubench.training.predict import Forecast

# Trials of an arm in a picture of losses: more would hide one another.
MAX_LINES = 500
# Steps of a forecast picture: more would hide the forecast in the line.
SHOWN_STEPS = 300


def draw_losses(comparison: Comparison, path: Path) -> Path:
    """Draw the training and validation losses of the trials over the epochs, on a logarithmic axis."""
    histories = {arm: [run.history() for run in _sample(runs)] for arm, runs in comparison.arms.items()}
    validated = any("val_loss" in history for group in histories.values() for history in group)
    figure = Figure(figsize=(8, 3.6) if validated else (6, 3.6), layout="constrained")
    panels = figure.subplots(1, 2 if validated else 1, sharey=True, squeeze=False)[0]
    for axes, key, title in zip(panels, ("loss", "val_loss"), ("training", "validation"), strict=False):
        for arm, group in histories.items():
            # One line an arm, broken between its trials: thousands of lines would take minutes.
            drawn = [history for history in group if key in history]
            epochs, losses = (
                [value for history in drawn for value in (*history[column], np.nan)] for column in ("epoch", key)
            )
            if epochs:
                marker = "o" if len(epochs) == 2 * len(drawn) else ""  # a line of one epoch would not be seen
                axes.plot(epochs, losses, color=arm.color, label=arm.name, lw=1.3, alpha=0.8, marker=marker, ms=4)
        if any(loss > 0 for group in histories.values() for history in group for loss in history.get(key, ())):
            axes.set_yscale("log")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel(f"loss ({comparison.spec.training.loss}, scaled)")
    panels[0].legend(frameon=False)
    every = max(map(len, comparison.arms.values())) <= MAX_LINES
    figure.suptitle(f"{comparison.spec.data_name}: loss of {'every trial' if every else f'{MAX_LINES} trials an arm'}")
    return save(figure, path)


def _sample(runs: Sequence[Run]) -> list[Run]:
    """The runs of an arm to draw: all, or as many as can be seen, from the first to the last."""
    if len(runs) <= MAX_LINES:
        return list(runs)
    return [runs[place] for place in np.linspace(0, len(runs) - 1, MAX_LINES).astype(int)]


def draw_growth(benchmark: Benchmark, axis: str, path: Path) -> Path:
    """Draw the time of a step along an axis, both logarithmic: a line an arm and the other sizes."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    other_axes = [other for other in find_varied_axes(benchmark) if other != axis]
    lines: dict[tuple[BenchmarkArm, str], list[tuple[float, list[float]]]] = {}
    for timing in benchmark.timings:
        sizes = "".join(f", {other} {read_size(timing.shape, other)}" for other in other_axes)
        lines.setdefault((timing.arm, sizes), []).append((float(read_size(timing.shape, axis)), timing.step_s))
    styles = dict(zip(dict.fromkeys(arm.kernel for arm, _ in lines), cycle(palette.LINE_STYLES), strict=False))
    markers = dict(zip(dict.fromkeys(sizes for _, sizes in lines), cycle(palette.MARKERS), strict=False))
    for (arm, sizes), points in lines.items():
        cell = CELLS[arm.cell]
        places, times = zip(*sorted(points), strict=True)
        low, median, high = (np.array([np.percentile(step_s, q) for step_s in times]) * 1e3 for q in (25, 50, 75))
        axes.plot(
            places,
            median,
            color=cell.color,
            label=f"{cell.label} {arm.kernel}{sizes}",
            marker=markers[sizes],
            ms=4,
            ls=styles[arm.kernel],
        )
        axes.fill_between(places, low, high, color=cell.color, alpha=0.15)
    _label_growth(axes, axis, sorted({place for points in lines.values() for place, _ in points}))
    return save(figure, path)


def _label_growth(axes: Axes, axis: str, places: list[float]) -> None:
    axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="a step of training (ms)")
    axes.set_xticks(places)
    for scale in (axes.xaxis, axes.yaxis):
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
    axes.set_title(f"Step time by {axis}", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    axes.grid(visible=True, which="both", alpha=0.2)


def draw_forecasts(comparison: Comparison, path: Path) -> Path:
    """Draw the forecasts of each arm's first seed against the actual values, for the first test series."""
    figure, axes = _canvas(f"{comparison.spec.data_name}: forecasts of the test part")
    drawn = False
    shown = list(comparison.arms.items())[: palette.MAX_FORECASTS]
    for arm, runs in shown:
        series, rows = next(iter(runs[0].predictions().items()))
        if not drawn:
            _plot_actual(axes, rows)
            _label_time(axes, rows)
            axes.set_title(f"{_name_first(comparison)}series {series}, seed {runs[0].experiment.seed}", fontsize=10)
            drawn = True
        _plot_forecast(axes, rows, arm.color, arm.name)
    _finish(figure, axes, comparison.runs[0].metrics.data.unit, comparison.spec.window.horizon)
    return save(figure, path)


def _name_first(comparison: Comparison) -> str:
    """That not all arms are drawn; empty where they are."""
    arms = len(comparison.arms)
    return f"the first {palette.MAX_FORECASTS} of {arms} arms, " if arms > palette.MAX_FORECASTS else ""


def draw_forecast(prediction: Forecast, path: Path) -> Path:
    """Draw the forecasts of a run, the first four series below each other."""
    names = list(prediction.rows)[:4]
    figure = Figure(figsize=(8, 1.2 + 2.4 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 1, squeeze=False)[:, 0]
    (arm,) = name_arms([prediction.run.experiment])
    for axes, name in zip(panels, names, strict=True):
        rows = prediction.rows[name]
        if prediction.past:
            past = prediction.past[name]
            axes.plot(past.time, past.actual, color="black", lw=1, label="actual")
        else:
            _plot_actual(axes, rows)
        _plot_forecast(axes, rows, arm.color, arm.name)
        axes.set_title(f"series {name}", fontsize=10)
        axes.set_ylabel(f"value ({prediction.unit})" if prediction.unit else "value")
        _label_time(axes, rows)
    panels[0].legend(frameon=False)
    figure.suptitle(
        f"{prediction.run.experiment.data_name}: {'forecast past the end' if prediction.past else 'forecasts'}"
    )
    return save(figure, path)


def _canvas(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 4), layout="constrained")
    figure.suptitle(title)
    return figure, figure.subplots()


def _finish(figure: Figure, axes: Axes, unit: str, horizon: int) -> None:
    axes.set_ylabel(f"value ({unit})" if unit else "value")
    if horizon > 1:
        axes.set_xlabel(f"{axes.get_xlabel()} (forecasts of {horizon} steps, those that do not overlap)")
    axes.legend(frameon=False)
    figure.align_labels()


def _label_time(axes: Axes, rows: ForecastRows) -> None:
    """Name the axis, and keep dates on it from running into each other."""
    if not rows.has_timestamps:
        axes.set_xlabel("step")
        return
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("time")


def select_rows(rows: ForecastRows, steps: int = SHOWN_STEPS) -> NDArray[np.int64]:
    """The rows of the last steps, of forecasts that do not overlap; -1 where there is a gap between two of them."""
    first = np.flatnonzero(rows.step == 1)
    horizon = int(rows.step.max())
    place = np.searchsorted(np.unique(rows.time), rows.time)
    chosen: list[int] = []
    for row in first[::-1]:  # from the end, so that the last forecast is shown
        if not chosen or place[row] + horizon <= place[chosen[-1]]:
            chosen.append(int(row))
        if len(chosen) * horizon >= steps:
            break
    drawn: list[int] = []
    for row in reversed(chosen):
        if drawn and _are_apart(rows.time, drawn[-1], row):
            drawn.append(-1)
        drawn += range(row, row + horizon)
    return np.array(drawn)


def _are_apart(time: Times, last: int, following: int) -> bool:
    """Whether more than a step lies between two rows, a step being the least distance of the rows' times."""
    distances = np.diff(np.unique(time))
    return bool(len(distances) and time[following] - time[last] > 1.5 * np.median(distances))


def _line(rows: ForecastRows, values: NDArray[np.float64]) -> tuple[Times, NDArray[np.float64]]:
    """The times and values to draw, with a break in the line where there is a gap; unknown values are left out."""
    shown = select_rows(rows)
    shown = shown[(shown < 0) | ~np.isnan(values[shown])]
    return rows.local_time[shown], np.where(shown < 0, np.nan, values[shown])


def _plot_actual(axes: Axes, rows: ForecastRows) -> None:
    axes.plot(*_line(rows, rows.actual), color="black", lw=1.2, label="actual")


def _plot_forecast(axes: Axes, rows: ForecastRows, line: str, name: str) -> None:
    axes.plot(*_line(rows, rows.predicted), color=line, lw=1.2, alpha=0.9, label=name)
