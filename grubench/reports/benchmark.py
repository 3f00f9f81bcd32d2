"""What a benchmark of training steps shows: its table, its sentences, and its values as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grubench.backends import machine
from grubench.comparison.statistics import estimate_over_seeds, median_interval
from grubench.reports.numbers import NONE, format_number
from grubench.reports.palette import find_color
from grubench.runs.files import to_json
from grubench.spec.backends import BACKENDS
from grubench.spec.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from grubench.training.benchmark_records import Benchmark, BenchmarkArm, Shape, StepTiming

AXES = ("batch", "length", "features", "units", "layers")
# More shapes than this, and a sentence gives the span of their ratios.
MAX_SHAPES = 3
LEGEND = (
    "step, forward: medians of the rounds; 95 %: of the step's median, from 6 rounds on; ratios: geometric means of "
    "the rounds."
)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as long a step of one arm took as one of another, at a shape.

    Attributes:
        shape: The shape.
        ratio: The geometric mean over the rounds.
        low: The lower end of its 95 % interval; NaN for a single round.
        high: The upper end.
    """

    shape: Shape
    ratio: float
    low: float
    high: float

    def inverse(self) -> Ratio:
        """The same with the arms swapped."""
        return Ratio(shape=self.shape, ratio=1 / self.ratio, low=1 / self.high, high=1 / self.low)


def read_size(shape: Shape, axis: str) -> int | str:
    """The size of a shape along an axis; units that differ by layer are written out."""
    if axis == "layers":
        return len(shape.units)
    if axis == "units":
        return shape.units[0] if len(set(shape.units)) == 1 else ",".join(map(str, shape.units))
    return int(getattr(shape, axis))


def find_varied_axes(benchmark: Benchmark) -> list[str]:
    """Find the axes along which the shapes differ."""
    return [axis for axis in AXES if len({read_size(timing.shape, axis) for timing in benchmark.timings}) > 1]


def find_longest_axis(shapes: Sequence[Shape]) -> str:
    """Find the axis of numbers along which there are the most sizes; empty where there is one size."""
    sizes = {axis: {read_size(shape, axis) for shape in shapes} for axis in AXES}
    counts = {
        axis: len(of_axis)
        for axis, of_axis in sizes.items()
        if len(of_axis) > 1 and all(isinstance(size, int) for size in of_axis)
    }
    return max(counts, key=lambda axis: counts[axis]) if counts else ""


def show(benchmark: Benchmark, console: Console) -> None:
    """Print the settings, the table and the sentences."""
    if not benchmark.timings:
        console.print("Nothing was timed.")
        return
    axes = find_varied_axes(benchmark)
    console.print(Padding(Text(write_heading(benchmark), style="dim"), (1, 1, 0, 1)))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("", "kernel", *axes):
        table.add_column(heading, no_wrap=True)
    for heading in ("step\nms", "95 %", "forward\nms", "seq./s", "steps/s", "GF/s", "of\nlimit"):
        table.add_column(heading, justify="right", no_wrap=True)
    for timing in benchmark.timings:
        name = CELLS[timing.arm.cell].label
        sizes = (str(read_size(timing.shape, axis)) for axis in axes)
        cells = _format_timing(timing, benchmark.limit_flops)
        table.add_row(Text(name, style=find_color(name)), timing.arm.kernel, *sizes, *cells)
    console.print(table)
    for sentence in (LEGEND, *write_sentences(benchmark)):
        console.print(Padding(Text(sentence), (0, 1)))
    console.print()


def write_heading(benchmark: Benchmark) -> str:
    """Write what all timings have in common."""
    shape, spec = benchmark.timings[0].shape, benchmark.spec
    varied = find_varied_axes(benchmark)
    precision = "" if spec.training.precision == "float32" else f" in {spec.training.precision}"
    parts = [f"{axis} {read_size(shape, axis)}" for axis in AXES if axis not in varied]
    if spec.model.bidirectional:
        parts.append("bidirectional")
    parts += [
        "an output at every step" if spec.window.every_step else f"{shape.outputs} outputs",
        f"{spec.training.optimizer}, {spec.training.loss}",
        f"threads {spec.training.threads or 'all'}",
        f"{BACKENDS[spec.training.backend].title}{precision}",
        f"{min(len(timing.step_s) for timing in benchmark.timings)} rounds",
        f"matrices multiply at {benchmark.limit_flops / 1e9:.0f} GF/s on this machine",
    ]
    if not benchmark.complete:
        parts.append("interrupted")
    return " · ".join(parts)


def _format_timing(timing: StepTiming, limit_flops: float) -> tuple[str, ...]:
    step_s, interval = float(np.median(timing.step_s)), median_interval(timing.step_s)
    flops = timing.flops / step_s
    return (
        format_number(1e3 * step_s),
        f"{1e3 * interval.low:.3g}-{1e3 * interval.high:.3g}" if np.isfinite(interval.low) else NONE,
        f"{1e3 * float(np.median(timing.forward_s)):.3g}",
        _format_short(timing.shape.batch / step_s),
        _format_short(timing.shape.batch * timing.shape.length / step_s),
        f"{flops / 1e9:.3g}",
        f"{100 * flops / limit_flops:.0f} %",
    )


def _format_short(value: float) -> str:
    """Three digits of a large number, with k or M for thousands and millions."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def write_sentences(benchmark: Benchmark) -> list[str]:
    """Write a sentence a pair: cell against cell on each kernel, kernel against kernel with each cell."""
    sentences = []
    for first, second in combinations(dict.fromkeys(timing.arm for timing in benchmark.timings), 2):
        if first.kernel == second.kernel:
            names, condition = (CELLS[first.cell].label, CELLS[second.cell].label), f" on {first.kernel}"
        elif first.cell == second.cell:
            names, condition = (first.kernel, second.kernel), f" with {CELLS[first.cell].label}"
        else:
            continue
        sentences += _write_ratios(benchmark, names, condition, _find_ratios(benchmark, first, second))
    return sentences


def _write_ratios(benchmark: Benchmark, names: tuple[str, str], condition: str, ratios: Sequence[Ratio]) -> list[str]:
    if len(ratios) > MAX_SHAPES:
        low, high = min(ratio.ratio for ratio in ratios), max(ratio.ratio for ratio in ratios)
        return [f"A step of {names[0]} took {low:.2f} to {high:.2f} times as long as one of {names[1]}{condition}."]
    sentences = []
    for at_shape in ratios:
        fast, slow = names if at_shape.ratio < 1 else names[::-1]
        faster = at_shape.inverse() if at_shape.ratio < 1 else at_shape
        sizes = ", ".join(f"{axis} {read_size(at_shape.shape, axis)}" for axis in find_varied_axes(benchmark))
        remark = "" if faster.low > 1 else "; no difference shown"
        interval = f"95 % interval {faster.low:.2f} to {faster.high:.2f}" if np.isfinite(faster.low) else "one round"
        sentences.append(
            f"{fast} trained {faster.ratio:.2f} times as fast as {slow}{condition}{f' at {sizes}' if sizes else ''} "
            f"({interval}{remark})."
        )
    return sentences


def _find_ratios(benchmark: Benchmark, first: BenchmarkArm, second: BenchmarkArm) -> list[Ratio]:
    """The ratios of two arms' steps at the shapes at which both were timed."""
    ratios = []
    for shape in dict.fromkeys(timing.shape for timing in benchmark.timings):
        step_s = {timing.arm: timing.step_s for timing in benchmark.timings if timing.shape == shape}
        if first in step_s and second in step_s:
            rounds = min(len(step_s[first]), len(step_s[second]))
            logs = np.log(np.array(step_s[first][:rounds]) / np.array(step_s[second][:rounds]))
            interval = estimate_over_seeds(logs).interval()
            ratio, low, high = (float(np.exp(log)) for log in (logs.mean(), interval.low, interval.high))
            ratios.append(Ratio(shape=shape, ratio=ratio, low=low, high=high))
    return ratios


def write_json(benchmark: Benchmark) -> str:
    """Write every round, the machine and the settings, as JSON."""
    tree = {
        "environment": machine.describe_provenance(benchmark.spec.training.backend),
        "limit_flops": benchmark.limit_flops,
        "complete": benchmark.complete,
        "spec": benchmark.spec.to_dict(),
        "timings": benchmark.timings,
        "sentences": write_sentences(benchmark),
    }
    return to_json(tree).decode()
