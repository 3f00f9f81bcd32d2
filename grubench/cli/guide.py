"""`grubench guide`: the pages of the guide, listed or shown in the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from grubench.cli.command import command

if TYPE_CHECKING:
    from grubench.reports.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "guide")(guide)


def guide(topic: Annotated[str | None, typer.Argument(help="The page to show.")] = None) -> None:
    """List the pages of the guide, or show one."""
    from grubench.reports.console import Console

    if topic is None:
        _show_list(Console())
    else:
        _show_page(topic, Console())


def _show_list(console: Console) -> None:
    from rich.table import Table

    from grubench.cli.pages import list_topics, read_page, summarize_page

    table = Table.grid(padding=(0, 2))
    for topic in list_topics():
        table.add_row(topic, summarize_page(read_page(topic)))
    console.print(table)
    console.print("\nShow one with `grubench guide TOPIC`.", highlight=False)


def _show_page(topic: str, console: Console) -> None:
    from rich.markdown import Markdown

    from grubench.cli.pages import adapt_to_terminal, read_page

    page = Markdown(adapt_to_terminal(read_page(topic)), hyperlinks=False)
    if not console.is_terminal:
        console.print(page)
        return
    os.environ.setdefault("LESS", "-FRX")  # colors, and no pager for a page that fits, as git has it
    with console.pager(styles=True):
        console.print(page)
