"""What a person reads in the terminal: comparisons, runs and forecasts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import asdict
from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grubench.comparison.verdict import write_verdict
from grubench.reports.columns import COST, TEST, Row, cell, measure_row, number, rows, settings, shown_columns, values
from grubench.reports.header import clock_line, facts, kernel_line, resumed
from grubench.reports.pair_tables import make_tables
from grubench.reports.palette import find_color
from grubench.spec.backends import BACKENDS
from grubench.text import count_epochs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.reports.pair_tables import TextTable
    from grubench.runs.records import Evaluation, Scores
    from grubench.runs.run import Run
    from grubench.training.predict import Forecast

# Series side by side in a table of what lies ahead; more would not fit 80 columns.
MOST_COLUMNS = 4
# A terminal in which a run's name leaves no room for all columns.
NARROW = 100
# Columns that a narrow terminal goes without, the first first; the exports have them all.
SPARE = ("total_s", "mae_scaled", "sequences_per_s", "mase", "mae", "validation_loss")


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print the settings that all share, the tables, and the verdict."""
    table_rows = rows(comparison)
    unit = comparison.runs[0].metrics.data.unit
    console.print()
    console.print(Padding(Text(settings(comparison), style="dim"), (0, 1)))
    for line in facts(comparison):
        console.print(Padding(Text(line, style="dim"), (0, 1)))
    for note in comparison.notes:
        console.print(Padding(Text(note, style="yellow"), (0, 1)))
    _print_table(_title(unit), table_rows, TEST, console)
    _print_table("Training", [row for row in table_rows if row.seeds], COST, console)
    for table in make_tables(comparison):
        console.print(_text_table(table))
    console.print(Padding(_explanation(comparison), (0, 1)))
    for finding in write_verdict(comparison):
        console.print(Padding(Text.assemble((f"{finding.heading}:", "bold"), f" {finding.text}"), (1, 1, 0, 1)))
    console.print()


def _text_table(content: TextTable) -> Table:
    table = Table(title=Text(content.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for position, heading in enumerate(content.head):
        justify: Literal["left", "right"] = "right" if position else "left"
        table.add_column(Text(heading), justify=justify, no_wrap=bool(position), overflow="fold")
    for name, *cells in content.lines:
        table.add_row(Text(name, style=find_color(name)), *map(Text, cells))
    return table


def _explanation(comparison: Comparison) -> Text:
    several = max(len(runs) for runs in comparison.arms.values()) > 1
    spread = "Mean and standard deviation over the seeds. " if several else ""
    single = any(not run.metrics.timing.steady_epochs for run in comparison.runs)
    epoch = "the one epoch without its first step" if single else "median of the epochs after the first"
    return Text(
        f"{spread}Errors are means over series. sMAPE: the standard form, 0 to 200 % (the energy article's own is a "
        "quarter of it). dir. acc.: windows that move the way the actual values do. skill: the share of persistence's "
        f"RMSE that is removed. s/epoch: {epoch}.",
        style="dim",
    )


def _print_table(title: str, table_rows: Sequence[Row], columns: Sequence[tuple[str, str]], console: Console) -> None:
    """Print a table as it fits: the spread behind the mean, or below it, or without the columns to spare."""
    kept = list(columns)
    table = _table(title, table_rows, kept, wide=True)
    for spare in ("", *SPARE):
        if _fits(table, console):
            break
        kept = [(key, head) for key, head in kept if key != spare]
        table = _table(title, table_rows, kept, wide=False)
    console.print(table)


def _fits(table: Table, console: Console) -> bool:
    return console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width


def _table(title: str, table_rows: Sequence[Row], columns: Sequence[tuple[str, str]], *, wide: bool) -> Table:
    shown = shown_columns(table_rows, columns)
    gap = 1 if wide else 0
    table = Table(
        title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0)
    )
    varied = list(dict.fromkeys(key for row in table_rows for key in row.settings))
    for head in ("", *varied):
        table.add_column(Text(head.replace("_", "\n")), overflow="fold")
    for _, head in shown:
        table.add_column(head if wide else head.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in table_rows:
        cells = [cell(row, key, joint=" ± " if wide else "\n±") for key, _ in shown]
        table.add_row(
            Text(row.cell, style=find_color(row.cell)), *(Text(row.settings.get(key, "")) for key in varied), *cells
        )
    return table


def show_runs(runs: Sequence[Run], console: Console) -> None:
    """Print a line a run, newest first."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("run", no_wrap=True)
    ran = [_ran(run) for run in runs]
    if any(ran):
        table.add_column("on", no_wrap=True)
    columns = {"epochs": "epochs", "rmse_scaled": "RMSE\nscaled", "skill": "skill"}
    if console.width >= NARROW:
        columns |= {"validation_loss": "val.\nloss", "train_s": "train\ns"}
    for head in columns.values():
        table.add_column(head, justify="right", no_wrap=True)
    for run in runs:
        found = values(run) | {"epochs": run.metrics.loss.epochs, "train_s": run.metrics.timing.train_s}
        table.add_row(Text(run.name), *[Text(_ran(run))] * any(ran), *(number(found[key]) for key in columns))
    console.print(table)


def _ran(run: Run) -> str:
    """The backend and the precision of a run where they are not the usual ones."""
    training = run.experiment.training
    unusual = [training.backend] * (training.backend != "tensorflow")
    unusual += [training.precision.removeprefix("mixed_")] * (training.precision != "float32")
    return " ".join(unusual)


def show_run(run: Run, console: Console) -> None:
    """Print one run: what it is, its measures by series, its timing and its kernels."""
    test, timing, spec = run.metrics.test, run.metrics.timing, run.experiment
    console.print(Text(run.name, style="bold"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    told = {
        "stack": ", ".join(spec.model.layers),
        "parameters": f"{run.metrics.parameters.trainable:,}",
        "windows": ", ".join(f"{part} {count:,}" for part, count in asdict(run.metrics.data.windows).items()),
        "loss": f"train {number(run.metrics.loss.train)}, validation {number(run.metrics.loss.validation)}",
        "time": f"{number(timing.train_s)} s for {count_epochs(run.metrics.loss.epochs)}; "
        f"first step {number(timing.first_step_s)} s, "
        f"then {number(timing.epoch_s)} s/epoch, {number(timing.sequences_per_s)} windows/s"
        + "".join(f"; {one}" for one in (run.environment.shared, resumed(run)) if one),
        "ran on": kernel_line([run.environment]),
        "clock": clock_line(run).partition(": ")[2],
    }
    for name, text in told.items():
        if text:  # as text: what a run says could hold the marks of Rich's markup
            table.add_row(name, Text(text))
    console.print(table)
    unit = run.metrics.data.unit
    _print_table(_title(unit), _score_rows(test, run.metrics.baselines), TEST, console)
    if len(test.horizon) > 1:
        console.print(_horizon(test.horizon, unit))


def _title(unit: str) -> str:
    return f"Test error, in {unit} where not scaled" if unit else "Test error"


def _score_rows(test: Evaluation, baselines: Mapping[str, Evaluation]) -> list[Row]:
    """A row for each series (where there are several), their mean, and the baselines' means."""
    several = len(test.series) > 1
    named = list(test.series.items()) if several else []
    last = "all series" if several else next(iter(test.series))
    named += [(name, evaluation.overall) for name, evaluation in ((last, test), *baselines.items())]
    return [measure_row(name, scores) for name, scores in named]


def _horizon(steps: Sequence[Scores], unit: str) -> RenderableType:
    errors = [step["rmse"] or 0.0 for step in steps]
    tail = f" {unit}" if unit else ""
    shown = f"{number(errors[0])} {sparkline(errors)} {number(errors[-1])}{tail}"
    return Text(f" RMSE by step out, 1 to {len(steps)}: {shown}")


def sparkline(points: Sequence[float], width: int = 60) -> str:
    """A line of block characters, the points averaged into `width` of them."""
    bars = "▁▂▃▄▅▆▇█"
    count = min(width, len(points))
    edges = [round(i * len(points) / count) for i in range(count + 1)]
    means = [sum(points[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(bars) - 1) / (high - low) if high > low else 0
    return "".join(bars[round((mean - low) * scale)] for mean in means)


def show_forecast(made: Forecast, console: Console) -> None:
    """Print the measures of forecasts, or the values that lie ahead."""
    spec, unit = made.run.experiment, made.unit
    console.print(Text.assemble((made.run.name, "bold"), (f"  forecast with {BACKENDS[made.backend].title}", "dim")))
    if made.measures is not None:
        _print_table(_title(unit), _score_rows(made.measures, made.baselines), TEST, console)
        if len(made.measures.horizon) > 1:
            console.print(_horizon(made.measures.horizon, unit))
        return
    if made.fed_back:
        text = f"Past the horizon of {spec.window.horizon}, forecasts are made from forecasts: expect larger errors."
        console.print(Text(text, style="yellow"))
    console.print(_ahead(made))


def _ahead(made: Forecast) -> Table:
    """A column a series where all end at the same time, else a block of rows a series."""
    unit = f" ({made.unit})" if made.unit else ""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    times = [one["time"].tolist() for one in made.rows.values()]
    if len(times) <= MOST_COLUMNS and all(time == times[0] for time in times):
        table.add_column("time")
        for name in made.rows:
            table.add_column(Text(name + unit), justify="right")
        for row, time in enumerate(next(iter(made.rows.values()))["time"]):
            table.add_row(stamp(time), *(number(float(one["predicted"][row])) for one in made.rows.values()))
        return table
    for head in ("series", "time"):
        table.add_column(head)
    table.add_column(Text("forecast" + unit), justify="right")
    for name, one in made.rows.items():
        for row, time in enumerate(one["time"]):
            table.add_row(Text(name if row == 0 else ""), stamp(time), number(float(one["predicted"][row])))
    return table


def stamp(time: Any) -> str:
    """A timestamp without what is zero in it; a step number as it is."""
    return str(time).removesuffix("T00:00:00").replace("T", " ")
