"""`grubench datasets`: what there is, what one holds, and what a table of the user's own seems to hold."""

from pathlib import Path
from typing import Annotated

import typer

from grubench.cli.command import command
from grubench.cli.options import MaxTable
from grubench.data.input_files import MAX_TABLE_MB
from grubench.errors import UsageError
from grubench.spec.fields import Tree


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "datasets", file=True)(datasets)


def datasets(
    name: Annotated[str | None, typer.Argument(help="A dataset to fetch and describe.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", "--parquet", "--file", metavar="FILE", help="A table of your own to look into."),
    ] = None,
    max_table: MaxTable = MAX_TABLE_MB,
    *,
    flags: Tree,
) -> None:
    """List the datasets, describe one, or look into a file of your own."""
    from grubench.reports.console import Console

    if name and csv:
        raise UsageError(f"datasets: {name} and --csv are given.", "Leave one out.")
    if csv:
        _inspect(csv, max_table, flags)
        return
    if flags:
        raise UsageError(f"data.{next(iter(flags['data']))} says how a file is written.", "Name it with --csv FILE.")
    from grubench.data.datasets.catalog import CATALOG, find
    from grubench.reports import datasets

    console = Console()
    if name is None:
        datasets.show_catalog(list(CATALOG.values()), console)
        return
    source = find(name)
    with Console(stderr=True).status(f"reading {name}"):
        dataset = datasets.read(source)
    datasets.show_dataset(source, dataset, console)


def _inspect(path: Path, max_mb: int, flags: Tree) -> None:
    from grubench.data.datasets.inspection import inspect_table
    from grubench.reports.console import Console
    from grubench.reports.inspection import show_inspection
    from grubench.spec.sections import Data

    spec = Data(file=str(path), **flags.get("data", {}))
    with Console(stderr=True).status(f"reading {path}"):
        inspection = inspect_table(path, spec, max_mb=max_mb)
    show_inspection(inspection, Console())
