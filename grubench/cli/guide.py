"""`grubench guide`: the pages of the guide, listed or shown in the terminal."""

import os
import re
from typing import TYPE_CHECKING, Annotated

import typer

from grubench.cli.command import command
from grubench.errors import UsageError
from grubench.text import closest_match

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from rich.table import Table

LINK = re.compile(r"(!?)\[([^\]]+)\]\(([^)\s]+)\)")


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "guide")(guide)


def guide(topic: Annotated[str | None, typer.Argument(help="The page to show.")] = None) -> None:
    """List the pages of the guide, or show one."""
    from rich.console import Console

    console = Console()
    if topic is None:
        console.print(_tabulate_pages())
        console.print("\nShow one with `grubench guide TOPIC`.", highlight=False)
        return
    from rich.markdown import Markdown

    page = Markdown(adapt_to_terminal(read_page(topic)), hyperlinks=False)
    if not console.is_terminal:
        console.print(page)
        return
    os.environ.setdefault("LESS", "-FRX")  # colors, and no pager for a page that fits, as git has it
    with console.pager(styles=True):
        console.print(page)


def list_topics() -> list[str]:
    """The names of the pages, in alphabetical order but for `start`, which is first."""
    names = [path.name.removesuffix(".md") for path in _folder().iterdir() if path.name.endswith(".md")]
    return sorted(names, key=lambda name: (name != "start", name))


def read_page(topic: str) -> str:
    """The Markdown source of a page.

    Raises:
        UsageError: There is no such page; the message names the closest.
    """
    topics = list_topics()
    if topic not in topics:
        match = closest_match(topic, topics)
        remedy = f"Did you mean {match}? " if match else ""
        raise UsageError(f"There is no guide page {topic!r}.", f"{remedy}Pages: {', '.join(topics)}.")
    return (_folder() / f"{topic}.md").read_text(encoding="utf-8")


def summarize_page(text: str) -> str:
    """The summary of a page: its first heading, after the title and a colon."""
    heading = text.partition("\n")[0].removeprefix("# ")
    summary = heading.partition(": ")[2] or heading
    return summary[:1].upper() + summary[1:]


def adapt_to_terminal(text: str) -> str:
    """A page whose links lead somewhere from a terminal: to `grubench guide`, or to an address on the web."""

    def adapt_link(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        if image:
            return f"*Picture: {label}*"
        if target.startswith(("https://", "http://")):
            return match[0]
        page = target.partition("#")[0]
        is_page = page.endswith(".md") and "/" not in page
        return f"{label} (`grubench guide {page.removesuffix('.md')}`)" if is_page else label

    return LINK.sub(adapt_link, text)


def _tabulate_pages() -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for topic in list_topics():
        table.add_row(topic, summarize_page(read_page(topic)))
    return table


def _folder() -> "Traversable":
    from importlib.resources import files  # costs a start of `grubench --help` some milliseconds

    return files("grubench") / "guide"
