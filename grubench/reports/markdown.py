"""A comparison as Markdown, to paste."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grubench.comparison.verdict import write_verdict
from grubench.reports.header import write_header
from grubench.reports.legend import write_legend
from grubench.reports.pair_tables import list_tables
from grubench.reports.rows import make_rows, write_tables
from grubench.reports.settings_line import write_settings
from grubench.text import write_on_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison

# What Markdown takes for markup: anywhere in a line (an underscore inside a word is none), as HTML (a sign before a
# blank or a number is none), and at the start of a line.
MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
HTML = re.compile(r"<(?![\s\d=])|&(?=[#A-Za-z])")
START = re.compile(r"^(?:[#>]|[-+=](?![\d.])|\d+(?=[.)](?:\s|$)))")
ENTITIES = {"<": "&lt;", "&": "&amp;"}


def write_markdown(comparison: Comparison) -> str:
    """Write the comparison: answer, settings, tables, evidence."""
    verdict = write_verdict(comparison)
    first, *remarks = verdict.answer.lines
    lines = [f"**{escape_markdown(first)}**", ""]
    lines += [f"{escape_markdown(line)}\n" for line in (*remarks, write_settings(comparison))]
    lines += [f"{escape_markdown(line)}\n" for line in write_header(comparison)]
    lines += [f"- {escape_markdown(note)}" for note in comparison.notes]
    if comparison.notes:
        lines.append("")
    tables = write_tables(make_rows(comparison))
    for shown, body in tables:
        lines += _write_table(["", *(column.heading for column in shown)], body)
    for table in list_tables(comparison):
        lines += [f"{escape_markdown(table.title)}:\n", *_write_table(table.head, table.lines)]
    lines.append(f"{escape_markdown(write_legend(comparison, [column for shown, _ in tables for column in shown]))}\n")
    lines += [f"- **{finding.heading}:** {escape_markdown(finding.text)}" for finding in verdict.findings]
    return "\n".join(lines) + "\n"


def _write_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    rule = "|---|" + "---:|" * (len(head) - 1)
    return [_write_line(head), rule, *map(_write_line, lines), ""]


def _write_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escape_markdown, cells))} |"


def escape_markdown(text: str) -> str:
    """The text on one line, with what Markdown and HTML would take for markup escaped."""
    escaped = HTML.sub(lambda match: ENTITIES[match[0]], MARKUP.sub(r"\\\g<0>", write_on_one_line(text)))
    return START.sub(_escape_start, escaped)


def _escape_start(match: re.Match[str]) -> str:
    """The number of a list is parted from its period, any other mark is escaped."""
    return f"{match[0]}\\" if match[0].isdecimal() else f"\\{match[0]}"
