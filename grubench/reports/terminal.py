"""Comparisons and runs in the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from msgspec.structs import asdict
from rich import box
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grubench.comparison.reservations import warn_of_few_targets
from grubench.comparison.verdict import write_verdict
from grubench.reports.columns import COST_COLUMNS, choose_columns, list_test_columns
from grubench.reports.header import (
    describe_empty_cells,
    describe_filled,
    describe_kernels,
    describe_resumption,
    describe_timestamps,
    write_header,
)
from grubench.reports.legend import write_legend
from grubench.reports.numbers import format_number
from grubench.reports.pair_tables import TARGETS_TITLE, make_tables
from grubench.reports.palette import find_color
from grubench.reports.paragraphs import wrap
from grubench.reports.rows import make_rows, make_target_rows, read_values
from grubench.reports.score_table import print_scores, print_table, title_test_error
from grubench.reports.settings_line import write_settings
from grubench.text import count, escape_name, write_on_one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console

    from grubench.comparison.comparison import Comparison
    from grubench.reports.pair_tables import TextTable
    from grubench.runs.run import Run

# What the names of a table's lines have at least.
NAME_WIDTH = 16
# A longer name may have two lines, before numbers have.
LONG_NAME = 30
# A terminal in which a run's name leaves no room for all columns.
NARROW = 100


def show_comparison(
    comparison: Comparison, console: Console, *, details: bool = False, told: Collection[str] = ()
) -> None:
    """Print the answer, the settings that all share, the tables, and the evidence.

    Args:
        comparison: The comparison.
        console: Where to.
        details: Print every column, every table and every finding.
        told: Notes that stand above already, and are left out.
    """
    rows, verdict = make_rows(comparison), write_verdict(comparison)
    console.print()
    for number, line in enumerate(verdict.answer.lines):
        _print_paragraph(line, console, "" if number else "bold")
    console.print()
    kernels, *more = write_header(comparison)
    for line in (f"{write_settings(comparison)} · {kernels}", *more):
        _print_paragraph(line, console, "dim")
    for note in (note for note in comparison.notes if note not in told):
        _print_paragraph(note, console, "yellow")
    console.print()
    title = title_test_error(comparison.runs[0].metrics.data.unit)
    columns = print_table(title, rows, choose_columns(list_test_columns(), details=details), console)
    trained = [row for row in rows if row.seeds]
    columns += print_table("Training", trained, choose_columns(COST_COLUMNS, details=details), console)
    targets = make_target_rows(comparison)
    if targets:
        columns += print_table(TARGETS_TITLE, targets, choose_columns(list_test_columns(), details=details), console)
    for table in make_tables(comparison) if details else []:
        console.print(Text(wrap(table.title, console.width), style="bold"))
        console.print(_make_text_table(table, console.width))
        console.print()
    explained = columns if details else [column for column in columns if column.is_score]
    _print_paragraph(write_legend(comparison, explained), console, "dim")
    console.print()
    for finding in verdict.findings if details else verdict.evidence:
        _print_paragraph(str(finding), console, heading=f"{finding.heading}:")


def _print_paragraph(line: str, console: Console, style: str = "", heading: str = "") -> None:
    """Print a sentence or more between blank margins, its heading in bold."""
    text = Text(wrap(write_on_one_line(line), console.width - 2), style=style)
    if heading:
        text.stylize("bold", 0, len(heading))
    console.print(Padding(text, (0, 1)))


def _make_text_table(content: TextTable, width: int) -> Table:
    """The table as it fits: what stands behind a number in its cell comes below it where all of it is too wide."""
    names = min(LONG_NAME, max((cell_len(name) for name, *_ in content.lines), default=0))
    if _measure_numbers(content) + names > width:
        content = replace(content, lines=tuple((name, *map(_break_cell, cells)) for name, *cells in content.lines))
    is_too_wide = _measure_numbers(content) + NAME_WIDTH > width
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for position, heading in enumerate(content.head):
        justify: Literal["left", "right"] = "right" if position else "left"
        table.add_column(Text(heading), justify=justify, no_wrap=bool(position) and not is_too_wide, overflow="fold")
    for name, *cells in content.lines:
        table.add_row(Text(name, style=find_color(name)), *map(Text, cells))
    return table


def _measure_numbers(content: TextTable) -> int:
    """The width of all columns but that of the names, each with what parts it from the next."""
    columns = list(zip(content.head, *content.lines, strict=True))[1:]
    return sum(2 + max(cell_len(line) for cell in column for line in (cell.splitlines() or [""])) for column in columns)


def _break_cell(text: str) -> str:
    return text.replace(" (", "\n(").replace(" ± ", "\n±").replace(", p ", ",\np ")


def show_runs(runs: Sequence[Run], console: Console) -> None:
    """Print a line a run, newest first."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
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
    few = warn_of_few_targets(run.metrics.data.separate_targets)
    for note in (*run.metrics.data.notes, *([f"Test part: {few}"] if few else [])):
        console.print(Text(wrap(write_on_one_line(note), console.width), style="yellow"))
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
