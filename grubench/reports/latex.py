"""A comparison as LaTeX tables, for a paper's appendix; they need the package booktabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.comparison.verdict import write_verdict
from grubench.reports.header import APART, write_header
from grubench.reports.legend import write_legend
from grubench.reports.numbers import NONE
from grubench.reports.pair_tables import list_tables
from grubench.reports.rows import make_rows, write_tables
from grubench.reports.settings_line import write_settings
from grubench.text import write_on_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison

# What LaTeX would take for a command, and how it is written; a bracket after the end of a row would be an argument.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "±": r"$\pm$",
    NONE: "--",
    APART: r"$\dagger$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
} | {character: f"\\{character}" for character in "&%$#_{}"}


def write_latex(comparison: Comparison) -> str:
    """Write the tables; what is not a table stands in comments."""
    verdict = write_verdict(comparison)
    lines = [_write_comment("Answer", line) for line in verdict.answer.lines]
    lines.append(_write_comment("Settings", write_settings(comparison)))
    lines += [_write_comment("Note", line) for line in (*write_header(comparison), *comparison.notes)]
    tables = write_tables(make_rows(comparison))
    for shown, body in tables:
        lines.append(_write_table(["", *(column.heading for column in shown)], body))
    for table in list_tables(comparison):
        lines += [_write_comment("Table", table.title), _write_table(table.head, table.lines)]
    lines.append(
        _write_comment("Legend", write_legend(comparison, [column for shown, _ in tables for column in shown]))
    )
    lines += [_write_comment(finding.heading, finding.text) for finding in verdict.findings]
    return "\n".join(lines) + "\n"


def _write_comment(heading: str, text: str) -> str:
    """A comment, which ends with its line; by its heading it is none of those that editors take settings from."""
    return f"% {heading}: {write_on_one_line(text)}"


def _write_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    columns = "l" + "r" * (len(head) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _write_line(head),
            r"\midrule",
            *map(_write_line, lines),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _write_line(cells: Sequence[str]) -> str:
    return " & ".join(map(escape_latex, cells)) + r" \\"


def escape_latex(text: str) -> str:
    """The text on one line, with what LaTeX would take for commands escaped."""
    return "".join(SPECIAL.get(character, character) for character in write_on_one_line(text))
