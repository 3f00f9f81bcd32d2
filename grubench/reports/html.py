"""The HTML report: one file that opens offline, the verdict first, pictures to hover and zoom, tables to sort."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

from grubench.comparison.verdict import write_verdict
from grubench.errors import UsageError
from grubench.reports import vega
from grubench.reports.columns import COST, TEST, cell, numbers, rows, settings, shown_columns
from grubench.reports.export import write_text
from grubench.reports.header import facts
from grubench.reports.pair_tables import make_tables
from grubench.spec.arms import find_differing_settings, flatten_spec, format_value

if TYPE_CHECKING:
    from pathlib import Path

    from grubench.comparison.comparison import Comparison


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

    pictures = [vega.loss, vega.forecasts, vega.horizon, vega.by_series, vega.time, vega.parameters]
    made = [chart for chart in (draw(comparison) for draw in pictures) if chart]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("grubench.reports", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    cells = dict.fromkeys(arm.cell for arm in comparison.arms)
    return environment.get_template("report.html").render(
        title=f"{comparison.spec.data_name}: {' against '.join(cells)}",
        verdict=write_verdict(comparison),
        notes=comparison.notes,
        settings=settings(comparison),
        facts=facts(comparison),
        tables=[_table(comparison, "Test error", TEST), _table(comparison, "Training", COST, arms_only=True)],
        text_tables=make_tables(comparison),
        charts=[{"title": chart["title"], "description": chart["description"]} for chart in made],
        specs=_for_script([{key: value for key, value in chart.items() if key != "title"} for chart in made]),
        spec=_spec(comparison),
        environment=_environment(comparison),
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
                f"--report: {package} is not installed.", "Install it with: pip install 'grubench[report]'"
            )


def _for_script(tree: Any) -> str:
    """JSON that can stand inside a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(tree, allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _table(comparison: Comparison, title: str, columns: Any, *, arms_only: bool = False) -> dict[str, Any]:
    chosen = [row for row in rows(comparison) if row.seeds or not arms_only]
    kept = shown_columns(chosen, columns)
    body = []
    for row in chosen:
        found = [numbers(row, key) for key, _ in kept]
        cells = [
            {"text": cell(row, key, joint=" ± "), "value": sum(one) / len(one) if one else ""}
            for (key, _), one in zip(kept, found, strict=True)
        ]
        body.append({"name": row.name, "cells": cells})
    unit = comparison.runs[0].metrics.data.unit
    caption = f"{title}, in {unit} where not scaled" if unit and not arms_only else title
    return {"title": caption, "heads": [head for _, head in kept], "rows": body}


def _spec(comparison: Comparison) -> list[tuple[str, str, bool]]:
    """Every setting with its value, those that differ between the arms first and marked."""
    specs = [run.experiment for run in comparison.runs]
    differing = find_differing_settings(specs)
    flat = [flatten_spec(spec) for spec in specs]
    ordered = [*differing, *(key for key in flat[0] if key not in differing)]
    return [
        (key, " | ".join(dict.fromkeys(format_value(one[key]) for one in flat)), key in differing) for key in ordered
    ]


def _environment(comparison: Comparison) -> list[tuple[str, str]]:
    where = comparison.runs[0].environment
    facts = {key: getattr(where, key) for key in ("processor", "cores", "threads", "system", "commit")}
    facts["devices"] = ", ".join(where.devices)
    return [(key, str(value)) for key, value in {**where.versions, **facts}.items()]
