"""`grubench datasets`: what there is, and what one holds."""

from typing import Annotated

import typer

from grubench.cli.command import command


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "datasets")(datasets)


def datasets(name: Annotated[str | None, typer.Argument(help="A dataset to fetch and describe.")] = None) -> None:
    """List the datasets, or fetch and describe one."""
    from grubench.data.datasets.catalog import CATALOG, find
    from grubench.reports import datasets
    from grubench.reports.console import Console

    console = Console()
    if name is None:
        datasets.show_catalog(list(CATALOG.values()), console)
        return
    source = find(name)
    with Console(stderr=True).status(f"reading {name}"):
        dataset = datasets.read(source)
    datasets.show_dataset(source, dataset, console)
