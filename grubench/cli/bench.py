"""`grubench bench`: which cell and which kernel is faster here, and by how much, as it grows."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grubench.cli.command import INTERRUPTED, check_file, command
from grubench.cli.delivery import Delivery
from grubench.errors import UsageError
from grubench.spec.backends import BACKENDS
from grubench.spec.fields import Tree
from grubench.text import join_or, quote

if TYPE_CHECKING:
    from grubench.spec.experiment import Experiment
    from grubench.training.benchmark_records import BenchmarkArm, Shape

# Shapes that one call times.
MAX_SHAPES = 10_000
MAX_SIZE_DIGITS = 9
PICTURES = (".png", ".svg")
# The shape that is timed where no preset is given.
DEFAULT_SHAPE = {
    "window": {"lookback": 60, "horizon": 1},
    "model": {"layers": ["gru:64"]},
    "training": {"batch_size": 32},
}


Preset = Annotated[str | None, typer.Option("--preset", metavar="NAME", help="Take the shape from a preset.")]
Cells = Annotated[str, typer.Option("--cells", metavar="LIST", help="Cells to time.")]
Kernels = Annotated[
    str,
    typer.Option(
        "--kernels",
        metavar="LIST",
        help="Kernels to time: auto, cudnn, fused, keras, xla (Keras's loop under XLA).",
    ),
]
Batch = Annotated[str, typer.Option("--batch", metavar="LIST", help="Batch sizes, such as 32,256.")]
Length = Annotated[str, typer.Option("--length", metavar="LIST", help="Lengths of a sequence.")]
Features = Annotated[str, typer.Option("--features", metavar="LIST", help="Inputs a step.")]
Units = Annotated[str, typer.Option("--units", metavar="LIST", help="Units of every layer.")]
Layers = Annotated[str, typer.Option("--layers", metavar="LIST", help="Numbers of layers.")]
Rounds = Annotated[int, typer.Option("--rounds", metavar="INT", help="Rounds of each.", min=1)]
Backend = Annotated[str, typer.Option("--backend", metavar="TEXT", help=f"Keras's backend: {join_or(BACKENDS)}.")]
Precision = Annotated[
    str, typer.Option("--precision", metavar="TEXT", help="float32, mixed_bfloat16, mixed_float16 or tf32.")
]
Threads = Annotated[int, typer.Option("--threads", metavar="INT", help="Processor threads; 0 for all.", min=0)]
Export = Annotated[Path | None, typer.Option("--export", metavar="FILE", help="Write every round to a .json file.")]
Picture = Annotated[
    Path | None,
    typer.Option("--picture", metavar="FILE", help="Draw the times by size, along the longest axis, .png or .svg."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "bench")(bench)


def bench(
    preset: Preset = None,
    cells: Cells = "gru,lstm",
    kernels: Kernels = "auto,keras",
    batch: Batch = "",
    length: Length = "",
    features: Features = "",
    units: Units = "",
    layers: Layers = "",
    rounds: Rounds = 11,
    backend: Backend = "",
    precision: Precision = "",
    threads: Threads = 0,
    export: Export = None,
    picture: Picture = None,
) -> None:
    """Time cells, kernels and sizes on this machine."""
    for flag, path, suffixes in (("--export", export, (".json",)), ("--picture", picture, PICTURES)):
        if path:
            check_file(flag, path, suffixes)
    axes = {
        "batches": _parse_numbers("--batch", batch),
        "lengths": _parse_numbers("--length", length),
        "inputs": _parse_numbers("--features", features),
        "units": _parse_numbers("--units", units),
        "layers": _parse_numbers("--layers", layers),
    }
    spec = _resolve(preset, threads=threads, backend=backend, precision=precision)
    sizes = _list_sizes(spec, cells, axes)
    from grubench.reports.console import Console

    console = Console(stderr=True)
    with console.status("loading Keras"):
        _load_keras(spec)
    from grubench.reports import benchmark
    from grubench.reports.export import write_text
    from grubench.training import step_benchmark

    step_benchmark.prepare(spec)
    arms = _list_arms(cells, kernels, spec)
    axis = benchmark.find_longest_axis(sizes)
    if picture and not axis:
        raise UsageError(
            "--picture: all shapes are the same size.", "Give an axis several values, such as --units 16,64,256."
        )
    from grubench.reports import progress

    with progress.BenchmarkDisplay(console) as display:
        measured = step_benchmark.measure(spec, arms, sizes, rounds=rounds, on_event=display)
    delivery = Delivery()
    if export:
        with delivery.step(f"{export}"):
            write_text(export, benchmark.write_json(measured))
    with delivery.step("The table"):
        benchmark.show(measured, Console())
    if picture and measured.timings:
        with delivery.step(f"{picture}"):
            from grubench.reports import plots

            plots.draw_growth(measured, axis, picture)
    delivery.finish(1 if measured.complete else INTERRUPTED)
    if not measured.complete:
        raise typer.Exit(INTERRUPTED)


def _resolve(preset: str | None, **values: str | int) -> Experiment:
    from grubench.presets import merge, resolve

    flags: Tree = {"training": {name: value for name, value in values.items() if value}}
    return resolve(preset, flags if preset else merge(DEFAULT_SHAPE, flags))


def _list_sizes(spec: Experiment, cells: str, axes: dict[str, list[int]]) -> list[Shape]:
    """Every combination of the sizes, each of which can fit this machine."""
    from grubench.backends import capacity
    from grubench.spec.parameter_count import count_inputs
    from grubench.spec.sections import MAX_LAYERS, Layer
    from grubench.training.benchmark_records import list_shapes

    capacity.check_threads(spec.training.threads)
    shapes = prod(max(1, len(values)) for values in axes.values())
    if shapes > MAX_SHAPES:
        raise UsageError(f"The sizes have {shapes:,} combinations, too many to time.", f"Give at most {MAX_SHAPES:,}.")
    if max(axes["layers"], default=1) > MAX_LAYERS:
        raise UsageError(f"--layers: {max(axes['layers']):,} are too many.", f"Give at most {MAX_LAYERS}.")
    sizes = list_shapes(spec, count_inputs(spec), **axes)
    for cell in _split_cells(cells):
        for shape in sizes:
            stack = [Layer(cell=cell, units=units) for units in shape.units]
            need = capacity.estimate(spec, stack, inputs=shape.features, batch=shape.batch, length=shape.length)
            words = f"batches of {shape.batch:,} sequences of {shape.length:,} steps"
            capacity.check_memory(stack, need, words, "--units, --layers, --batch, --length or --features")
    return sizes


def _split_cells(cells: str) -> list[str]:
    from grubench.spec.cells import CELLS

    names = [name.strip() for name in cells.split(",")]
    for cell in names:
        if cell not in CELLS:
            raise UsageError(f"--cells: there is no cell {cell!r}.", f"There are: {', '.join(CELLS)}.")
    return names


def _load_keras(spec: Experiment) -> None:
    from grubench.backends import loader

    loader.start(spec.training.backend)
    from grubench.training import step_benchmark  # noqa: F401


def _parse_numbers(flag: str, text: str) -> list[int]:
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not all(item.isdecimal() and len(item) <= MAX_SIZE_DIGITS and int(item) > 0 for item in items):
        raise UsageError(
            f"{flag}: {quote(text)} is not a list of whole numbers from 1 to {10**MAX_SIZE_DIGITS - 1:,}.",
            "Separate them by commas, such as 16,64.",
        )
    return [int(item) for item in items]


def _list_arms(cells: str, kernels: str, spec: Experiment) -> list[BenchmarkArm]:
    """Every cell on every kernel, once each after `auto` is resolved."""
    from grubench.spec.sections import KERNELS
    from grubench.training.benchmark_records import BenchmarkArm

    arms = []
    for name in map(str.strip, kernels.split(",")):
        if name not in (*KERNELS, "xla"):
            raise UsageError(f"--kernels: there is no kernel {name!r}.", f"There are: {', '.join((*KERNELS, 'xla'))}.")
        arms += [BenchmarkArm(cell=cell, kernel=_choose_kernel(spec, cell, name)) for cell in _split_cells(cells)]
    return list(dict.fromkeys(arms))


def _choose_kernel(spec: Experiment, cell: str, name: str) -> str:
    """The kernel of an arm: `auto` is resolved, unless it is a backend's own loop, which has no other name."""
    from dataclasses import replace

    from grubench.spec.cells import CELLS
    from grubench.training.kernel_check import plan_kernels

    backend = spec.training.backend
    if name == "auto":
        alone = replace(spec.with_cell(cell), training=replace(spec.training, kernel="auto"))
        name = plan_kernels(alone)[0].kernel
        if name != "cudnn" and backend in CELLS[cell].own_loop_backends:
            return "auto"
    return "keras" if (backend, name) == ("jax", "xla") else name  # JAX compiles Keras's loop in any case
