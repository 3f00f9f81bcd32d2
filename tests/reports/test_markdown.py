"""Markdown: a name from data is text in a paragraph, a list and a table, as a reader of CommonMark sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from grubench.reports.markdown import escape_markdown
from grubench.text import write_on_one_line

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKS = st.text(st.sampled_from("ab1 \\`*_[]()<>&|~$#+-=!.:/;\"'\n\t\x1b\u2028"), min_size=1, max_size=20)
NAMES = [
    "<script>alert(1)</script>",
    "![x](http://e.invalid/x.png)",
    "[x]: http://e.invalid",
    "a|b",
    "a\n\n# b",
    "- b",
    "1. b",
    "&lt;b&gt;",
    "`x` *x* _x_ ~~x~~ $x$",
    "<!-- x",
    "---",
    "\\",
]


def leaves(tokens: list[Token]) -> list[Token]:
    return [leaf for token in tokens for leaf in (leaves(token.children) if token.children else [token])]


def read(source: str, kinds: set[str]) -> str:
    """The text that a reader sees; nothing but these kinds of tokens may be there."""
    tokens = leaves(READER.parse(source))
    found = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert found <= kinds | {"paragraph", "text"}
    return "".join(token.content for token in tokens if token.type == "text")


@given(MARKS | st.sampled_from(NAMES))
def test_a_name_is_text_wherever_it_stands(name: str) -> None:
    shown = write_on_one_line(name)
    escaped = escape_markdown(name)
    if shown:
        assert read(escaped, set()) == shown
        assert read(f"- {escaped}", {"bullet_list", "list_item"}) == shown
    table = {"table", "thead", "tbody", "tr", "th", "td", "inline"}
    assert read(f"| a |\n|---|\n| {escaped} |", table) == f"a{shown}"


@pytest.mark.parametrize("name", ["GRU batch_size=32", "-0.861 ± 0.090", "p < 0.001", "AEP_MW", "R&D at 5 %"])
def test_a_plain_name_stays_readable(name: str) -> None:
    assert escape_markdown(name).replace("&amp;", "&") == name
