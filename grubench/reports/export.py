"""A comparison as files: its folder of tables and pictures, and exports to JSON, CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grubench.comparison.comparison import SCHEMA, ArmRecord, Failure
from grubench.comparison.decision import Decision, decide_errors, decide_times
from grubench.comparison.finding import Finding
from grubench.comparison.series_tests import SeriesTest, compare_over_series
from grubench.comparison.verdict import write_verdict
from grubench.reports.header import describe_kernels
from grubench.reports.latex import write_latex
from grubench.reports.markdown import write_markdown
from grubench.reports.rows import Row, make_rows
from grubench.reports.settings_line import write_settings
from grubench.reports.spreadsheet import format_cell
from grubench.runs import atomic, files
from grubench.runs.predictions import format_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from grubench.comparison.answer import Answer
    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run
    from grubench.training.predict import Forecast


@dataclass(frozen=True, kw_only=True)
class ComparisonExport:
    """What comparison.json and `--export FILE.json` hold.

    Attributes:
        schema: The version of the format.
        command: The command line that made the comparison.
        spec: The settings of the first run.
        arms: The arms with the names of their runs.
        failures: The trials that failed.
        notes: The notes above the tables.
        settings: The line of what the arms share.
        kernels: What ran each arm.
        rows: The tables' rows, with the values of every seed.
        pairs: What the pairs of arms and of cells show by `error` and by `time`; the arms by their names.
        over_series: The study's tests over series; the forecasters by their names.
        margin: By how much two arms may differ and be equivalent, as a share.
        until_decided: Whether seeds were added until the tests, which hold at every look, decided.
        answer: What to use, and why.
        findings: The evidence.
    """

    schema: int
    command: str
    spec: dict[str, Any]
    arms: list[ArmRecord]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    settings: str
    kernels: dict[str, str]
    rows: list[Row]
    pairs: dict[str, list[dict[str, object]]]
    over_series: list[dict[str, object]]
    margin: float
    until_decided: bool
    answer: Answer
    findings: tuple[Finding, ...]


def write_folder(comparison: Comparison) -> None:
    """Write the comparison's folder: comparison.json and comparison.md.

    Raises:
        RunError: It cannot be written.
    """
    folder = comparison.folder
    if folder is None:
        return
    with atomic.write_folder(folder.parent, folder.name) as partial:
        for ending in (".json", ".md"):
            (partial / f"comparison{ending}").write_text(format_comparison(comparison, ending), encoding="utf-8")


def export_comparison(comparison: Comparison, path: Path) -> None:
    """Write the comparison to a file; the ending says how.

    Raises:
        RunError: It cannot be written.
    """
    write_text(path, format_comparison(comparison, path.suffix))


def export_forecast(forecast: Forecast, path: Path) -> None:
    """Write forecasts as CSV: series, origin, step, time, actual, predicted, in the data's unit.

    Raises:
        RunError: It cannot be written.
    """
    lines = csv.reader(io.StringIO(format_csv(forecast.rows)))
    write_text(path, "".join(f"{','.join([format_cell(series), *numbers])}\n" for series, *numbers in lines))


def write_text(path: Path, content: str) -> None:
    """Write a text file, atomically.

    Raises:
        RunError: It cannot be written.
    """
    with atomic.write_file(path, "Give another path.") as temporary:
        temporary.write_text(content, encoding="utf-8")


def format_comparison(comparison: Comparison, ending: str) -> str:
    """The text of a file: `.json` has every seed's value, `.csv` a row a seed, the others are to paste."""
    writers: dict[str, Callable[[Comparison], str]] = {
        ".json": _write_json,
        ".csv": _write_csv,
        ".md": write_markdown,
        ".tex": write_latex,
    }
    return writers[ending](comparison)


def _write_json(comparison: Comparison) -> str:
    arms, verdict = comparison.arms.items(), write_verdict(comparison)
    export = ComparisonExport(
        schema=SCHEMA,
        command=comparison.command,
        spec=comparison.spec.to_dict(),
        arms=[
            *(ArmRecord.from_arm(arm, runs) for arm, runs in arms),
            *map(ArmRecord.from_arm, comparison.failed_arms),
        ],
        failures=comparison.failures,
        notes=comparison.notes,
        settings=write_settings(comparison),
        kernels={arm.name: describe_kernels([run.environment for run in runs]) for arm, runs in arms},
        rows=_list_measured(comparison),
        pairs={
            "error": [_write_decision(decision) for decision in decide_errors(comparison)],
            "time": [_write_decision(decision) for decision in decide_times(comparison)],
        },
        over_series=[_write_test(test) for test in compare_over_series(comparison)],
        margin=comparison.margin,
        until_decided=comparison.until_decided,
        answer=verdict.answer,
        findings=verdict.findings,
    )
    return files.to_json(export).decode()


def _list_measured(comparison: Comparison) -> list[Row]:
    """The rows that have values; tables for people also say why a row has none."""
    return [row for row in make_rows(comparison) if row.values]


def _write_decision(decision: Decision) -> dict[str, object]:
    """The fields of a decision, its two arms or cells by their names."""
    fields = {key: value for key, value in vars(decision).items() if key != "pair"}
    return {"first": decision.pair.first, "second": decision.pair.second, **fields}


def _write_test(test: SeriesTest) -> dict[str, object]:
    """The fields of a test, its two forecasters by their names."""
    return {**vars(test), "first": test.first.name, "second": test.second.name}


def _write_csv(comparison: Comparison) -> str:
    rows = _list_measured(comparison)
    runs_of = {arm.name: runs for arm, runs in comparison.arms.items()}
    keys = list(dict.fromkeys(key for row in rows for key in row.values))
    table: list[list[object]] = [["arm", "seed", *keys, "backend", "precision", "kernel"]]
    for row in rows:
        for place, seed in enumerate(row.seeds or [""]):
            values = [row.values[key][place] if key in row.values else "" for key in keys]
            ran_on = _list_ran_on(runs_of[row.name][place]) if row.seeds else ("", "", "")
            table.append([row.name, seed, *values, *ran_on])
    return "".join(f"{','.join(map(format_cell, line))}\n" for line in table)


def _list_ran_on(run: Run) -> tuple[str, str, str]:
    """Backend, precision and the kernels of the layers."""
    training = run.experiment.training
    return training.backend, training.precision, " ".join(kernel.kernel for kernel in run.environment.kernels)
