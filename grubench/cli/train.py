"""`grubench train`: one trial."""

from pathlib import Path

import typer

from grubench.cli.command import command
from grubench.cli.delivery import Delivery
from grubench.cli.options import CheckpointEvery, InProcess, MaxTable, Output, Preset
from grubench.data.input_files import MAX_TABLE_MB
from grubench.spec.fields import Tree


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "train", spec=True, rare=("checkpoint_every", "max_table", "in_process", "debug"))(train)


def train(
    flags: Tree,
    preset: Preset = None,
    output: Output = Path("runs"),
    checkpoint_every: CheckpointEvery = 0,
    max_table: MaxTable = MAX_TABLE_MB,
    in_process: InProcess = False,
) -> None:
    """Train and test one model, and save the run. Presets and datasets have defaults of their own."""
    from grubench.presets import resolve

    spec = resolve(preset, flags)
    from grubench import api
    from grubench.execution.options import ExecutionOptions
    from grubench.reports import terminal
    from grubench.reports.console import Console
    from grubench.reports.progress import Display

    with Display(Console(stderr=True)) as display:
        options = ExecutionOptions(
            executor="in-process" if in_process else "processes",
            checkpoint_every=checkpoint_every,
            max_table_mb=max_table,
        )
        run = api.train(spec, output=output, options=options, on_event=display)
    console = Console()
    delivery = Delivery()
    with delivery.step("The tables"):
        terminal.show_run(run, console)
    console.print_path("Saved in", run.folder)
    delivery.finish()
