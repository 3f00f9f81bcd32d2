"""`grubench runs`: the finished runs."""

from pathlib import Path
from typing import Annotated

import typer

from grubench.cli.command import command
from grubench.cli.options import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "runs")(runs)


def runs(
    run: Annotated[Path | None, typer.Argument(help="A run folder to show, or its name.")] = None,
    output: Output = Path("runs"),
) -> None:
    """List the finished runs, newest first, or show one."""
    from grubench.reports import terminal
    from grubench.reports.console import Console
    from grubench.runs.folder import resolve
    from grubench.runs.run import list_runs, load

    console = Console()
    if run is not None:
        terminal.show_run(load(resolve(run, output)), console)
        return
    finished = list_runs(output)
    if finished:
        terminal.show_runs(finished, console)
    else:
        console.print(f"No runs in {output}. `grubench compare` makes some.", highlight=False)
