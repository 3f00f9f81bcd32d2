"""What a table of the user's own seems to hold, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from grubench.reports.forecast import format_timestamp
from grubench.reports.numbers import format_number
from grubench.reports.score_table import draw_sparkline
from grubench.text import count

if TYPE_CHECKING:
    from rich.console import Console

    from grubench.data.datasets.column_kinds import Column
    from grubench.data.datasets.inspection import Inspection

# Columns that are shown; a wider table names how many there are.
MAX_COLUMNS = 40
SPARKLINE_WIDTH = 16


def show_inspection(inspection: Inspection, console: Console) -> None:
    """Print how a file is written, what its columns hold, what was found, what looks wrong, and the command to call."""
    columns = len(inspection.columns) + inspection.more_columns
    size = f"{count(inspection.rows, 'row')} of {count(columns, 'column')}"
    console.print(Text(f"{inspection.path.name}: {size}", style="bold"))
    console.print(Text(inspection.format, style="dim"))
    console.print(_tabulate(inspection.columns[:MAX_COLUMNS]))
    if columns > MAX_COLUMNS:
        console.print(Text(f"and {count(columns - MAX_COLUMNS, 'more column')}"))
    for finding in inspection.findings:
        console.print(Text(finding))
    for warning in inspection.warnings:
        console.print(Text(f"Look at this: {warning}", style="yellow"))
    console.print()
    settled = "" if inspection.is_settled else ", once what is wrong above is mended or said by a flag"
    console.print(Text(f"To compare GRU and LSTM on it{settled}:", style="bold"))
    console.print(Text(f"  {inspection.command()}"), soft_wrap=True)


def _tabulate(columns: tuple[Column, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("column", overflow="fold")
    table.add_column("holds")
    for head in ("empty", "distinct", "lowest", "highest"):
        table.add_column(head, justify="right")
    table.add_column("values", no_wrap=True)
    for column in columns:
        numbers: list[float] = [] if column.numbers is None else column.numbers[np.isfinite(column.numbers)].tolist()
        line = draw_sparkline(numbers, SPARKLINE_WIDTH) if numbers else ""
        counts = (f"{column.missing:,}", f"{column.distinct:,}")
        table.add_row(*map(Text, (column.name, column.kind, *counts, *_write_range(column), line)))
    return table


def _write_range(column: Column) -> tuple[str, str]:
    if column.times is not None:
        first, last = np.array([column.lowest, column.highest], "datetime64[s]")
        return format_timestamp(first), format_timestamp(last)
    if column.numbers is not None and column.distinct:
        return format_number(float(str(column.lowest))), format_number(float(str(column.highest)))
    return str(column.lowest or ""), str(column.highest or "")
