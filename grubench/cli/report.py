"""`grubench report`: the HTML report of a comparison that is done."""

from pathlib import Path
from typing import Annotated

import typer

from grubench.cli.command import check_file, command
from grubench.cli.options import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "report")(report)


def report(
    comparison: Annotated[Path, typer.Argument(help="The folder of a comparison, or its name below --output.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="The file. [default: report.html in the folder]")
    ] = None,
    output: Output = Path("runs"),
) -> None:
    """Write the HTML report of a comparison."""
    if to:
        check_file("--to", to, (".html",))
    from grubench.comparison.comparison import load
    from grubench.reports import html
    from grubench.reports.console import Console
    from grubench.runs.folder import resolve

    folder = resolve(comparison, output)
    target = to or folder / "report.html"
    html.write(load(folder), target)
    Console().print_path("Report:", target)
