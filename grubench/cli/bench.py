"""`grubench bench`: which cell and which kernel is faster here, and by how much, as it grows."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grubench.cli.flags import check_file, command
from grubench.errors import UsageError

PICTURES = (".png", ".svg")
INTERRUPTED = 130
# The shape that is timed where none is asked for.
USUAL = {"window": {"lookback": 60, "horizon": 1}, "model": {"layers": ["gru:64"]}, "training": {"batch_size": 32}}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "bench")
    def bench(
        preset: Annotated[str | None, typer.Option("--preset", help="Take the shape from a preset.")] = None,
        cells: Annotated[str, typer.Option("--cells", help="Cells to time.")] = "gru,lstm",
        kernels: Annotated[
            str,
            typer.Option("--kernels", help="Kernels to time: auto, cudnn, fused, keras, xla (Keras's loop under XLA)."),
        ] = "auto,keras",
        batch: Annotated[str, typer.Option("--batch", help="Batch sizes, such as 32,256.")] = "",
        length: Annotated[str, typer.Option("--length", help="Lengths of a sequence.")] = "",
        features: Annotated[str, typer.Option("--features", help="Inputs a step.")] = "",
        units: Annotated[str, typer.Option("--units", help="Units of every layer.")] = "",
        layers: Annotated[str, typer.Option("--layers", help="Numbers of layers.")] = "",
        rounds: Annotated[int, typer.Option("--rounds", help="Rounds of each.", min=1)] = 11,
        backend: Annotated[str, typer.Option("--backend", help="Keras's backend: tensorflow, torch or jax.")] = "",
        precision: Annotated[
            str, typer.Option("--precision", help="float32, mixed_bfloat16, mixed_float16 or tf32.")
        ] = "",
        threads: Annotated[int, typer.Option("--threads", help="Processor threads; 0 for all.", min=0)] = 0,
        export: Annotated[Path | None, typer.Option("--export", help="Write every round to a .json file.")] = None,
        picture: Annotated[
            Path | None, typer.Option("--picture", help="Draw the growth along the longest axis, .png or .svg.")
        ] = None,
    ) -> None:
        """Time steps of training and forecasting: cells, kernels and sizes in turns, with intervals."""
        for flag, path, endings in (("--export", export, (".json",)), ("--picture", picture, PICTURES)):
            if path:
                check_file(flag, path, endings)
        axes = {
            name: _numbers(f"--{name}", text)
            for name, text in (
                ("batch", batch),
                ("length", length),
                ("features", features),
                ("units", units),
                ("layers", layers),
            )
        }
        from grubench.backends import registry
        from grubench.presets import merge, resolve

        given = {"threads": threads, "backend": backend, "precision": precision}
        flags: dict[str, Any] = {"training": {name: value for name, value in given.items() if value}}
        spec = resolve(preset, flags if preset else merge(USUAL, flags))
        from rich.console import Console

        console = Console(stderr=True)
        with console.status("loading Keras"):
            registry.choose(spec.training.backend)
            from grubench.reports import benchmark
            from grubench.spec import parameter_count
            from grubench.training import model as models
            from grubench.training import step_benchmark
        step_benchmark.prepare(spec)
        arms = _arms(cells, kernels, spec, models)
        sizes = step_benchmark.shapes(
            spec,
            parameter_count.count_inputs(spec),
            batches=axes["batch"],
            lengths=axes["length"],
            inputs=axes["features"],
            units=axes["units"],
            layers=axes["layers"],
        )
        axis = benchmark.longest(sizes)
        if picture and not axis:
            raise UsageError(
                "--picture: all shapes are the same size.", "Give an axis several values, such as --units 16,64,256."
            )
        from grubench.reports.progress import Rounds

        with Rounds(console) as shown:
            made = step_benchmark.measure(spec, arms, sizes, rounds=rounds, on_event=shown)
        benchmark.show(made, Console())
        from grubench.reports import export as record
        from grubench.reports import plots

        if export:
            record.write_aside(export, benchmark.record(made))
        if picture and made.timings:
            plots.growth(made, axis, picture)
        if not made.whole:
            raise typer.Exit(INTERRUPTED)


def _numbers(flag: str, text: str) -> list[int]:
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not all(item.isdecimal() and int(item) > 0 for item in items):
        raise UsageError(
            f"{flag}: {text!r} is not a list of whole numbers above 0.", "Separate them by commas, such as 16,64."
        )
    return [int(item) for item in items]


def _arms(cells: str, kernels: str, spec: Any, models: Any) -> list[Any]:
    """Every cell on every kernel; what `auto` is here stands for it, once."""
    from grubench.spec.cells import CELLS
    from grubench.spec.sections import KERNELS
    from grubench.training.step_benchmark import Arm

    found = []
    for kernel in kernels.split(","):
        name = kernel.strip()
        if name not in (*KERNELS, "xla"):
            raise UsageError(f"--kernels: there is no kernel {name!r}.", f"There are: {', '.join((*KERNELS, 'xla'))}.")
        for cell in cells.split(","):
            one = cell.strip()
            if one not in CELLS:
                raise UsageError(f"--cells: there is no cell {one!r}.", f"There are: {', '.join(CELLS)}.")
            found.append(Arm(cell=one, kernel=_kernel(spec, one, name, models)))
    return list(dict.fromkeys(found))


def _kernel(spec: Any, cell: str, name: str, models: Any) -> str:
    """A kernel as an arm has it: `auto` by what it is here, unless that is one of Keras's loops that has no name."""
    from dataclasses import replace

    from grubench.spec.cells import CELLS

    backend = spec.training.backend
    if name == "auto":
        alone = replace(spec.with_cell(cell), training=replace(spec.training, kernel="auto"))
        name = models.kernels(alone)[0].kernel
        if name != "cudnn" and backend in CELLS[cell].own_loop_backends:
            return "auto"
    return "keras" if (backend, name) == ("jax", "xla") else name  # JAX compiles Keras's loop in any case
