"""`grubench train`: one trial."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grubench.cli.flags import command

Output = Annotated[Path, typer.Option("--output", help="The folder that runs go into.")]
InProcess = Annotated[bool, typer.Option("--in-process", help="Train in this process, for debugging.")]
CheckpointEvery = Annotated[
    int,
    typer.Option(
        "--checkpoint-every", help="Epochs between checkpoints that a killed trial goes on from; 0 for none.", min=0
    ),
]
Preset = Annotated[str | None, typer.Argument(help="A preset by name, or the path of a TOML file.")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "train", spec=True)
    def train(
        flags: dict[str, Any],
        preset: Preset = None,
        output: Output = Path("runs"),
        checkpoint_every: CheckpointEvery = 0,
        in_process: InProcess = False,
    ) -> None:
        """Train one stack with one seed, test it, and keep the run."""
        from grubench.presets import resolve

        spec = resolve(preset, flags)
        from rich.console import Console

        from grubench import api
        from grubench.execution.options import ExecutionOptions
        from grubench.reports import terminal
        from grubench.reports.progress import Display

        with Display(Console(stderr=True)) as display:
            options = ExecutionOptions(
                executor="in-process" if in_process else "processes", checkpoint_every=checkpoint_every
            )
            run = api.train(spec, output=output, options=options, on_event=display)
        console = Console()
        terminal.show_run(run, console)
        console.print(f"Kept in {run.folder}", highlight=False, soft_wrap=True, markup=False)
