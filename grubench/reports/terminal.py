"""Comparisons and runs in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import asdict
from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grubench.comparison.verdict import write_verdict
from grubench.reports.columns import COST_COLUMNS, list_test_columns
from grubench.reports.header import (
    describe_empty_cells,
    describe_filled,
    describe_kernels,
    describe_resumption,
    describe_timestamps,
    write_header,
)
from grubench.reports.numbers import format_number
from grubench.reports.pair_tables import make_tables
from grubench.reports.palette import find_color
from grubench.reports.rows import make_rows, read_values
from grubench.reports.score_table import print_scores, print_table, title_test_error
from grubench.reports.settings_line import write_settings
from grubench.text import count, escape_name, write_on_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from grubench.comparison.comparison import Comparison
    from grubench.reports.columns import Column
    from grubench.reports.pair_tables import TextTable
    from grubench.runs.run import Run

# A terminal in which a run's name leaves no room for all columns.
NARROW = 100


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print the settings that all share, the tables, and the verdict."""
    rows = make_rows(comparison)
    console.print()
    for line in (write_settings(comparison), *write_header(comparison)):
        console.print(Padding(Text(write_on_one_line(line), style="dim"), (0, 1)))
    for note in comparison.notes:
        console.print(Padding(Text(write_on_one_line(note), style="yellow"), (0, 1)))
    columns = print_table(title_test_error(comparison.runs[0].metrics.data.unit), rows, list_test_columns(), console)
    columns += print_table("Training", [row for row in rows if row.seeds], COST_COLUMNS, console)
    for table in make_tables(comparison):
        console.print(_make_text_table(table))
    console.print(Padding(Text(_explain(comparison, columns), style="dim"), (0, 1)))
    for finding in write_verdict(comparison):
        text = write_on_one_line(finding.text)
        console.print(Padding(Text.assemble((f"{finding.heading}:", "bold"), f" {text}"), (1, 1, 0, 1)))
    console.print()


def _make_text_table(content: TextTable) -> Table:
    table = Table(title=Text(content.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for position, heading in enumerate(content.head):
        justify: Literal["left", "right"] = "right" if position else "left"
        table.add_column(Text(heading), justify=justify, no_wrap=bool(position), overflow="fold")
    for name, *cells in content.lines:
        table.add_row(Text(name, style=find_color(name)), *map(Text, cells))
    return table


def _explain(comparison: Comparison, columns: Sequence[Column]) -> str:
    """What stands under the tables about the columns that they have."""
    several = max(len(runs) for runs in comparison.arms.values()) > 1
    parts = ["Mean and standard deviation over the seeds."] if several else []
    parts.append("Errors are means over series.")
    parts += [f"{column.heading}: {column.explanation}." for column in columns if column.explanation]
    return " ".join(parts)


def show_runs(runs: Sequence[Run], console: Console) -> None:
    """Print a line a run, newest first."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("run", no_wrap=True)
    unusual = [_describe_unusual(run) for run in runs]
    if any(unusual):
        table.add_column("on", no_wrap=True)
    headings = {column.key: column.heading for column in (*list_test_columns(), *COST_COLUMNS)}
    columns = {key: headings[key] for key in ("epochs", "rmse_scaled", "skill")}
    if console.width >= NARROW:
        columns |= {"validation_loss": headings["validation_loss"], "train_s": "train s"}
    for heading in columns.values():
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for run, description in zip(runs, unusual, strict=True):
        values = read_values(run) | {"epochs": run.metrics.loss.epochs, "train_s": run.metrics.timing.train_s}
        names = [escape_name(run.name), description] if any(unusual) else [escape_name(run.name)]
        table.add_row(*map(Text, names), *(format_number(values[key]) for key in columns))
    console.print(table)


def _describe_unusual(run: Run) -> str:
    """The backend and the precision of a run where they are not the usual ones."""
    training = run.experiment.training
    backend = "" if training.backend == "tensorflow" else training.backend
    precision = "" if training.precision == "float32" else training.precision.removeprefix("mixed_")
    return f"{backend} {precision}".strip()


def show_run(run: Run, console: Console) -> None:
    """Print one run: what it is, its errors by series, its timing and its kernels."""
    console.print(Text(escape_name(run.name), style="bold"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, text in _describe(run).items():
        if text:  # as text: what a run says could hold the marks of Rich's markup
            table.add_row(name, Text(text))
    console.print(table)
    for note in run.metrics.data.notes:
        console.print(Text(write_on_one_line(note), style="yellow"))
    print_scores(run.metrics.test, run.metrics.baselines, run.metrics.data.unit, run.experiment, console)


def _describe(run: Run) -> dict[str, str]:
    """What stands above the table of a run, by its heading."""
    loss, timing = run.metrics.loss, run.metrics.timing
    times = [
        f"{format_number(timing.train_s)} s for {count(loss.epochs, 'epoch')}",
        f"first step {format_number(timing.first_step_s)} s, then {format_number(timing.epoch_s)} s/epoch, "
        f"{format_number(timing.sequences_per_s)} windows/s",
        run.environment.shared,
        describe_resumption(run),
    ]
    return {
        "stack": ", ".join(run.experiment.model.layers),
        "parameters": f"{run.metrics.parameters.trainable:,}",
        "windows": ", ".join(f"{part} {count:,}" for part, count in asdict(run.metrics.data.windows).items()),
        "season": count(run.experiment.data.season, "step") if run.experiment.data.season > 1 else "no season",
        "loss": f"train {format_number(loss.train)}, validation {format_number(loss.validation)}",
        "time": "; ".join(filter(None, times)),
        "ran on": describe_kernels([run.environment]),
        "timestamps": describe_timestamps(run),
        "empty cells": describe_empty_cells(run),
        "filled": describe_filled(run),
    }
