"""A comparison as Markdown, to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.comparison.verdict import write_verdict
from grubench.reports.columns import COST_COLUMNS, list_test_columns
from grubench.reports.header import write_header
from grubench.reports.pair_tables import make_tables
from grubench.reports.rows import format_cell, make_rows, select_columns
from grubench.reports.settings_line import write_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison


def write_markdown(comparison: Comparison) -> str:
    """Write the comparison: settings, tables, verdict."""
    rows = make_rows(comparison)
    lines = [f"**{write_settings(comparison)}**", "", *(f"{line}\n" for line in write_header(comparison))]
    lines += [f"- {note}" for note in comparison.notes]
    if comparison.notes:
        lines.append("")
    for table_rows, columns in ((rows, list_test_columns()), ([row for row in rows if row.seeds], COST_COLUMNS)):
        shown = select_columns(table_rows, columns)
        body = [[row.name, *(format_cell(row, column) for column in shown)] for row in table_rows]
        lines += _write_table(["", *(column.heading for column in shown)], body)
    for table in make_tables(comparison):
        lines += _write_table(table.head, table.lines)
    lines += [f"- **{finding.heading}:** {finding.text}" for finding in write_verdict(comparison)]
    return "\n".join(lines) + "\n"


def _write_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    rule = "|---|" + "---:|" * (len(head) - 1)
    return [_write_line(head), rule, *map(_write_line, lines), ""]


def _write_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
