"""What a benchmark shows: its table, its sentences, and its values as JSON."""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grubench.backends import machine
from grubench.comparison.statistics import mean_interval, median_interval
from grubench.reports.numbers import NONE, format_number
from grubench.reports.palette import find_color
from grubench.runs.files import to_json
from grubench.spec.backends import BACKENDS
from grubench.spec.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from grubench.training.benchmark_records import Benchmark, Shape, Timing

AXES = {"batch": "batch", "length": "length", "features": "features", "units": "units", "layers": "layers"}
# More shapes than this, and a sentence says the span of their ratios.
MOST_SHAPES = 3


def axis_value(shape: Shape, axis: str) -> int | str:
    """The size of a shape along an axis; units that differ by layer are written out."""
    if axis == "layers":
        return len(shape.units)
    if axis == "units":
        return shape.units[0] if len(set(shape.units)) == 1 else ",".join(map(str, shape.units))
    return int(getattr(shape, axis))


def varied(made: Benchmark) -> list[str]:
    """The axes along which the shapes differ."""
    return [axis for axis in AXES if len({axis_value(one.shape, axis) for one in made.timings}) > 1]


def longest(shapes: Sequence[Shape]) -> str:
    """The axis of numbers along which there are the most sizes; empty where there is one size."""
    values = {axis: {axis_value(one, axis) for one in shapes} for axis in AXES}
    numbers = {
        axis: len(found)
        for axis, found in values.items()
        if len(found) > 1 and all(isinstance(one, int) for one in found)
    }
    return max(numbers, key=lambda axis: numbers[axis]) if numbers else ""


def show(made: Benchmark, console: Console) -> None:
    """Print the settings, the table and the sentences."""
    if not made.timings:
        console.print("Nothing was timed.")
        return
    axes = varied(made)
    console.print(Padding(Text(heading(made), style="dim"), (1, 1, 0, 1)))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("", "kernel", *axes):
        table.add_column(head, no_wrap=True)
    for head in ("step\nms", "95 %", "forward\nms", "seq./s", "steps/s", "GF/s", "of\nlimit"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in made.timings:
        name = CELLS[one.arm.cell].label
        places = (str(axis_value(one.shape, axis)) for axis in axes)
        table.add_row(Text(name, style=find_color(name)), one.arm.kernel, *places, *_cells(one, made.limit_flops))
    console.print(table)
    for sentence in sentences(made):
        console.print(Padding(Text(sentence), (0, 1)))
    console.print()


def heading(made: Benchmark) -> str:
    """What all timings have in common."""
    shape, spec = made.timings[0].shape, made.spec
    fixed = [axis for axis in AXES if axis not in varied(made)]
    parts = [f"{axis} {axis_value(shape, axis)}" for axis in fixed] + ["bidirectional"] * spec.model.bidirectional
    parts += ["an output at every step" if spec.window.every_step else f"{shape.outputs} outputs"]
    parts += [f"{spec.training.optimizer}, {spec.training.loss}", f"threads {spec.training.threads or 'all'}"]
    precision = f" in {spec.training.precision}" * (spec.training.precision != "float32")
    parts += [f"{BACKENDS[spec.training.backend].title}{precision}"]
    parts += [f"{min(len(one.step_s) for one in made.timings)} rounds"]
    parts += [f"matrices multiply at {made.limit_flops / 1e9:.0f} GF/s here"]
    return " · ".join(parts) + ("" if made.whole else " · interrupted")


def _cells(one: Timing, limit: float) -> tuple[str, ...]:
    median, (low, high) = float(np.median(one.step_s)), _interval(one.step_s)
    speed = one.flops / median
    return (
        format_number(1e3 * median),
        f"{1e3 * low:.3g}-{1e3 * high:.3g}" if np.isfinite(low) else NONE,
        f"{1e3 * float(np.median(one.forward_s)):.3g}",
        _short(one.shape.batch / median),
        _short(one.shape.batch * one.shape.length / median),
        f"{speed / 1e9:.3g}",
        f"{100 * speed / limit:.0f} %",
    )


def _short(value: float) -> str:
    """Three digits of a large number, with k or M for thousands and millions."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _interval(values: list[float]) -> tuple[float, float]:
    interval = median_interval(values)
    return interval.low, interval.high


def sentences(made: Benchmark) -> list[str]:
    """A sentence a pair: cell against cell on each kernel, kernel against kernel with each cell."""
    shapes = list(dict.fromkeys(one.shape for one in made.timings))
    found = []
    arms = list(dict.fromkeys(one.arm for one in made.timings))
    for one, other in combinations(arms, 2):
        if one.kernel == other.kernel:
            names, where = (CELLS[one.cell].label, CELLS[other.cell].label), f" on {one.kernel}"
        elif one.cell == other.cell:
            names, where = (one.kernel, other.kernel), f" with {CELLS[one.cell].label}"
        else:
            continue
        ratios = [(shape, _ratio(made, shape, one, other)) for shape in shapes]
        known = [(shape, ratio) for shape, ratio in ratios if ratio is not None]
        found += _said(made, names, where, known)
    return found


def _said(
    made: Benchmark, names: tuple[str, str], where: str, ratios: list[tuple[Shape, tuple[float, float, float]]]
) -> list[str]:
    if len(ratios) > MOST_SHAPES:
        low, high = (f(ratio[0] for _, ratio in ratios) for f in (min, max))
        return [f"A step of {names[0]} took {low:.2f} to {high:.2f} times as long as one of {names[1]}{where}."]
    found = []
    for shape, (ratio, low, high) in ratios:
        fast, slow = names if ratio < 1 else names[::-1]
        factor, ends = (1 / ratio, (1 / high, 1 / low)) if ratio < 1 else (ratio, (low, high))
        at = ", ".join(f"{axis} {axis_value(shape, axis)}" for axis in varied(made))
        sure = "" if ends[0] > 1 else "; no difference shown"
        interval = f"95 % interval {ends[0]:.2f} to {ends[1]:.2f}" if np.isfinite(ends[0]) else "one round"
        found.append(
            f"{fast} trained {factor:.2f} times as fast as {slow}{where}{f' at {at}' if at else ''} ({interval}{sure})."
        )
    return found


def _ratio(made: Benchmark, shape: Shape, one: Any, other: Any) -> tuple[float, float, float] | None:
    """The ratio of two arms' steps over the rounds, and its interval."""
    times = {timing.arm: timing.step_s for timing in made.timings if timing.shape == shape}
    if one not in times or other not in times:
        return None
    rounds = min(len(times[one]), len(times[other]))
    logs = np.log(np.array(times[one][:rounds]) / np.array(times[other][:rounds]))
    interval = mean_interval(logs)
    return float(np.exp(logs.mean())), float(np.exp(interval.low)), float(np.exp(interval.high))


def record(made: Benchmark) -> str:
    """Every round, the machine and the settings, as JSON."""
    tree = {
        "environment": machine.describe_environment(made.spec.training.backend),
        "limit_flops": made.limit_flops,
        "whole": made.whole,
        "spec": made.spec.to_dict(),
        "timings": [asdict(one) for one in made.timings],
        "sentences": sentences(made),
    }
    return to_json(tree).decode()
