"""Tables of rows and columns in the terminal, as wide as it is."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from grubench.reports.columns import list_test_columns
from grubench.reports.numbers import format_number
from grubench.reports.palette import find_color
from grubench.reports.paragraphs import wrap
from grubench.reports.rows import format_cell, make_series_rows, select_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from grubench.reports.columns import Column
    from grubench.reports.rows import Row
    from grubench.runs.records import Evaluation
    from grubench.spec.experiment import Experiment

# Columns that a narrow terminal goes without, the first first; the exports have them all.
DISPENSABLE = ("total_s", "mae_scaled", "sequences_per_s", "mase", "mae", "validation_loss")


def print_scores(
    test: Evaluation, baselines: Mapping[str, Evaluation], unit: str, spec: Experiment, console: Console
) -> None:
    """Print the errors of each series beside the baselines, and a line of the errors by step of the horizon."""
    print_table(title_test_error(unit), make_series_rows(test, baselines, spec), list_test_columns(), console)
    if len(test.horizon) > 1:
        scaled = test.overall["rmse"] is None  # series of different units
        scores = [step["rmse_scaled" if scaled else "rmse"] for step in test.horizon]
        errors = [score for score in scores if score is not None]  # none at a step of which no target is known
        line = f"{format_number(errors[0])} {draw_sparkline(errors)} {format_number(errors[-1])}"
        steps = f" RMSE{' scaled' if scaled else ''} by step of the horizon, 1 to {len(scores)}: "
        console.print(Text(steps + line + (f" {unit}" if unit else "")))


def title_test_error(unit: str) -> str:
    """The title of a table of test errors."""
    return f"Test error, in {unit} where not scaled" if unit else "Test error"


def print_table(title: str, rows: Sequence[Row], columns: Sequence[Column], console: Console) -> list[Column]:
    """Print a table as it fits: the spread behind the mean, or below it, or without dispensable columns.

    What several rows have in common is no column, but stands in the title; a score that they have in common is a
    result, and stays.

    Returns:
        The columns that it has.
    """
    shown = select_columns(rows, columns)
    common = [column for column in shown if not column.is_score and _is_common(rows, column)] if len(rows) > 1 else []
    shown = [column for column in shown if column not in common]
    title += "".join(f", {format_cell(rows[0], column)} {column.heading}" for column in common)
    table = _make_table(rows, shown, wide=True)
    every = shown
    for key in ("", *DISPENSABLE):
        if _fits(table, console):
            break
        shown = [column for column in shown if column.key != key]
        table = _make_table(rows, shown, wide=False)
    console.print(Text(title, style="bold"))
    console.print(table)
    left_out = [column.heading for column in every if column not in shown]
    if left_out:
        console.print(Text(wrap(f"Too wide to show: {', '.join(left_out)}; --export has all.", console.width)))
    console.print()
    return shown


def _is_common(rows: Sequence[Row], column: Column) -> bool:
    """Whether every row has the same in a column."""
    return len({format_cell(row, column) for row in rows}) == 1


def _fits(table: Table, console: Console) -> bool:
    return console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width


def _make_table(rows: Sequence[Row], columns: Sequence[Column], *, wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1 if wide else 0, 0, 0))
    settings = list(dict.fromkeys(key for row in rows for key in row.settings))
    for heading in ("", *settings):  # a setting is called by its name, underscores and all
        table.add_column(Text(heading if wide else heading.replace("_", "_\n")), overflow="fold")
    for column in columns:
        heading = column.heading if wide else column.heading.replace(" ", "\n")
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        name = Text(row.cell, style=find_color(row.cell))
        chosen = (Text(row.settings.get(key, "")) for key in settings)
        cells = (format_cell(row, column, joint=" ± " if wide else "\n±") for column in columns)
        table.add_row(name, *chosen, *cells)
    return table


def draw_sparkline(values: Sequence[float], width: int = 60) -> str:
    """A line of block characters, the values averaged into `width` of them."""
    bars = "▁▂▃▄▅▆▇█"
    count = min(width, len(values))
    edges = [round(place * len(values) / count) for place in range(count + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (
        0.0 if math.isclose(low, high) else (len(bars) - 1) / (high - low)
    )  # means of equal values differ by rounding
    return "".join(bars[round((mean - low) * scale)] for mean in means)
