"""The pages of the guide, which travel with the package, and their way into a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grubench.errors import UsageError
from grubench.text import closest_match

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

LINK = re.compile(r"(!?)\[([^\]]+)\]\(([^)\s]+)\)")


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


def _folder() -> Traversable:
    from importlib.resources import files  # costs a start of `grubench --help` some milliseconds

    return files("grubench") / "guide"
