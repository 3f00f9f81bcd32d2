"""What datasets there are and what one holds, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from grubench.data.datasets.download import VARIABLE, cache_folder, find_local_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from grubench.data.datasets.catalog import Source
    from grubench.data.series import Dataset, Series


def show_catalog(sources: Sequence[Source], console: Console) -> None:
    """Print a line a dataset: what it is, its size, where it comes from, whether it is on this machine."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("dataset", "what", "size", "from", "here"):
        table.add_column(head)
    for source in sources:
        paths = None if source.is_generated else find_local_files(source)
        here = "generated" if source.is_generated else str(paths[0].parent) if paths else "no; fetched when used"
        table.add_row(Text(source.name, style="bold"), source.summary, source.size, source.origin, here)
    console.print(table)
    console.print(
        f"Files are looked for below ${VARIABLE}, then in {cache_folder()}. A table of your own: --csv FILE.",
        style="dim",
        highlight=False,
    )


def read(source: Source) -> Dataset:
    """The dataset with its own defaults, fetched if need be; duplicates and gaps counted, none removed."""
    from grubench.data import datasets
    from grubench.spec.sections import Data

    return datasets.load(
        Data(dataset=source.name, **(source.defaults.get("data", {}) | {"duplicates": "keep"})), source.name
    )


def show_dataset(source: Source, dataset: Dataset, console: Console) -> None:
    """Print what each series holds, with a sparkline of its values."""
    from grubench.reports.numbers import NONE, format_number
    from grubench.reports.score_table import draw_sparkline

    console.print(Text(f"{source.name}: {source.summary}", style="bold"))
    console.print(Text(f"{source.size}. From: {source.origin}.", style="dim"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("series", no_wrap=True)
    for head in ("rows", "dupl.", "gaps", "lowest", "highest"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("values", no_wrap=True)
    shown = dataset.series[:12]
    for series in shown:
        line = draw_sparkline(series.target.tolist(), 20 if console.width < 100 else 40)
        lowest, highest = format_number(float(series.target.min())), format_number(float(series.target.max()))
        counts = (str(series.duplicated), str(series.missing)) if series.has_timestamps else (NONE, NONE)
        table.add_row(series.name, f"{len(series):,}", *counts, lowest, highest, line)
    console.print(table)
    if len(dataset.series) > len(shown):
        console.print(Text(f"and {len(dataset.series) - len(shown)} more like them"))
    console.print(_describe(dataset))


def _describe(dataset: Dataset) -> Text:
    first = dataset.series[0]
    unit = f" in {dataset.unit}" if dataset.unit else ""
    columns = ", ".join(first.columns)
    return Text(f"Target: {first.columns[0]}{unit}. Inputs a step: {columns}. {_span(dataset.series)}")


def _span(series: Sequence[Series]) -> str:
    from grubench.data.calendar import find_calendar
    from grubench.reports.forecast import format_timestamp

    if not series[0].has_timestamps:
        return f"Rows in order, without timestamps: 0 to {max(len(each) for each in series) - 1}."
    first, last = min(each.local_time[0] for each in series), max(each.local_time[-1] for each in series)
    calendar = find_calendar(series[0].calendar_time)
    rule = f", {calendar.rule}" if calendar else ""
    return f"From {format_timestamp(first)} to {format_timestamp(last)}{rule}."
