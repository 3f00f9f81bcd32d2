"""Forecasts in the terminal: their errors, or the values that lie ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from grubench.reports.numbers import format_number
from grubench.reports.score_table import print_scores
from grubench.spec.backends import BACKENDS
from grubench.text import escape_name, write_on_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from grubench.training.predict import Forecast

# Series side by side in a table of forecasts past the end; more would not fit 80 columns.
MAX_SERIES = 4


def show_forecast(forecast: Forecast, console: Console) -> None:
    """Print the errors of forecasts, or the values that lie ahead."""
    backend = BACKENDS[forecast.backend].title
    console.print(Text.assemble((escape_name(forecast.run.name), "bold"), (f"  forecast with {backend}", "dim")))
    for note in forecast.notes:
        console.print(Text(write_on_one_line(note), style="yellow"))
    if forecast.scores is not None:
        print_scores(forecast.scores, forecast.baselines, forecast.unit, forecast.run.experiment, console)
        return
    if forecast.fed_back:
        horizon = forecast.run.experiment.window.horizon
        text = f"Past the horizon of {horizon}, forecasts are made from forecasts: expect larger errors."
        console.print(Text(text, style="yellow"))
    if forecast.rules:
        console.print(Text(f"Timestamps: {'; '.join(forecast.rules[:MAX_SERIES])}.", style="dim"))
    times = [rows.labels() for rows in forecast.rows.values()]
    side_by_side = len(times) <= MAX_SERIES and all(time == times[0] for time in times)
    console.print(_tabulate_side_by_side(forecast) if side_by_side else _tabulate_in_blocks(forecast))


def _tabulate_side_by_side(forecast: Forecast) -> Table:
    """A column a series, all at the same times."""
    unit = f" ({forecast.unit})" if forecast.unit else ""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.add_column("time")
    for name in forecast.rows:
        table.add_column(Text(name + unit), justify="right")
    for place, label in enumerate(next(iter(forecast.rows.values())).labels()):
        values = (format_number(float(rows.predicted[place])) for rows in forecast.rows.values())
        table.add_row(format_timestamp(label), *values)
    return table


def _tabulate_in_blocks(forecast: Forecast) -> Table:
    """A block of rows a series."""
    unit = f" ({forecast.unit})" if forecast.unit else ""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for heading in ("series", "time"):
        table.add_column(heading)
    table.add_column(Text("forecast" + unit), justify="right")
    for name, rows in forecast.rows.items():
        for place, label in enumerate(rows.labels()):
            value = format_number(float(rows.predicted[place]))
            table.add_row(Text(name if place == 0 else ""), format_timestamp(label), value)
    return table


def format_timestamp(time: Any) -> str:
    """A timestamp without what is zero in it; a step number as it is."""
    return str(time).removesuffix("T00:00:00").replace("T", " ")
