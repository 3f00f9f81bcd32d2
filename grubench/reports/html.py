"""The HTML report: one file that opens offline, the verdict first, pictures to hover and zoom, tables to sort."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from grubench.comparison.verdict import write_verdict
from grubench.errors import UsageError
from grubench.reports import vega
from grubench.reports.columns import COST_COLUMNS, list_test_columns
from grubench.reports.export import write_text
from grubench.reports.header import write_header
from grubench.reports.legend import write_legend
from grubench.reports.pair_tables import list_tables
from grubench.reports.rows import format_cell, list_numbers, make_rows, select_columns
from grubench.reports.score_table import title_test_error
from grubench.reports.settings_line import write_settings
from grubench.spec.arms import find_differing_settings, flatten_spec, format_value
from grubench.text import advise_install

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from grubench.comparison.comparison import Comparison
    from grubench.reports.columns import Column
    from grubench.reports.rows import Row


@dataclass(frozen=True, kw_only=True)
class HtmlTable:
    """A table that can be sorted.

    Attributes:
        title: What stands above it.
        head: The headings of its numbers.
        lines: For each row its name, and the text and the number of each cell.
    """

    title: str
    head: list[str]
    lines: list[tuple[str, list[tuple[str, str]]]]


def write(comparison: Comparison, path: Path) -> None:
    """Write the report of a comparison.

    Raises:
        UsageError: The extra `report` is not installed.
        RunError: The file cannot be written.
    """
    write_text(path, render(comparison))


def render(comparison: Comparison) -> str:
    """The report as one HTML text: scripts, styles and data inside it.

    Raises:
        UsageError: The extra `report` is not installed.
    """
    check_installed()
    import jinja2
    import vl_convert

    makers = (
        vega.chart_loss,
        vega.chart_forecasts,
        vega.chart_horizon,
        vega.chart_series,
        vega.chart_time,
        vega.chart_parameters,
    )
    charts = [chart for chart in (make_chart(comparison) for make_chart in makers) if chart]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("grubench.reports", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    cells = dict.fromkeys(arm.cell for arm in comparison.arms)
    rows, verdict = make_rows(comparison), write_verdict(comparison)
    return environment.get_template("report.html").render(
        title=f"{comparison.spec.data_name}: {' against '.join(cells)}",
        answer=verdict.answer.lines,
        findings=verdict.findings,
        notes=comparison.notes,
        settings=write_settings(comparison),
        header=write_header(comparison),
        tables=_make_tables(rows, title_test_error(comparison.runs[0].metrics.data.unit)),
        text_tables=list_tables(comparison),
        legend=write_legend(comparison, select_columns(rows, [*list_test_columns(), *COST_COLUMNS])),
        charts=[{"title": chart["title"], "description": chart["description"]} for chart in charts],
        specs=_for_script([{key: value for key, value in chart.items() if key != "title"} for chart in charts]),
        spec=_list_settings(comparison),
        environment=_list_environment(comparison),
        command=comparison.command or comparison.runs[0].environment.command,
        runs=[run.name for run in comparison.runs],
        vega=vl_convert.javascript_bundle().replace("</script", r"<\/script"),  # type: ignore[call-arg]
    )


def check_installed() -> None:
    """Refuse a report that could not be written.

    Raises:
        UsageError: The extra is not installed.
    """
    for package in ("jinja2", "vl_convert"):
        if importlib.util.find_spec(package) is None:
            raise UsageError(
                f"--report: {package} is not installed.", advise_install("jinja2 vl-convert-python", "report")
            )


def _for_script(tree: object) -> str:
    """JSON that can stand inside a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(tree, allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _make_tables(rows: Sequence[Row], title: str) -> list[HtmlTable]:
    return [
        _make_table(title, rows, list_test_columns()),
        _make_table("Training", [row for row in rows if row.seeds], COST_COLUMNS),
    ]


def _make_table(title: str, rows: Sequence[Row], columns: Sequence[Column]) -> HtmlTable:
    shown = select_columns(rows, columns)
    lines = []
    for row in rows:
        numbers = [list_numbers(row, column) for column in shown]
        means = [str(sum(values) / len(values)) if values else "" for values in numbers]
        lines.append((row.name, list(zip(map(partial(format_cell, row), shown), means, strict=True))))
    return HtmlTable(title=title, head=[column.heading for column in shown], lines=lines)


def _list_settings(comparison: Comparison) -> list[tuple[str, str, bool]]:
    """Every setting with its value, those that differ between the arms first and marked."""
    specs = [run.experiment for run in comparison.runs]
    differing = find_differing_settings(specs)
    flat = [flatten_spec(spec) for spec in specs]
    values = {key: " | ".join(dict.fromkeys(format_value(settings[key]) for settings in flat)) for key in flat[0]}
    ordered = [*differing, *(key for key in values if key not in differing)]
    return [(key, values[key], key in differing) for key in ordered]


def _list_environment(comparison: Comparison) -> list[tuple[str, str]]:
    environment = comparison.runs[0].environment
    machine = {key: getattr(environment, key) for key in ("processor", "cores", "threads", "system", "commit")}
    devices = {"devices": ", ".join(environment.devices)}
    return [(key, str(value)) for key, value in {**environment.versions, **machine, **devices}.items()]
