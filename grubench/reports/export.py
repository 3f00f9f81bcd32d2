"""A comparison as files: its folder of tables and pictures, and exports to JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from grubench.comparison.comparison import SCHEMA
from grubench.comparison.pairs import ERROR, TIME, compare_neighbors
from grubench.comparison.series_tests import compare_over_series
from grubench.comparison.verdict import write_verdict
from grubench.reports.columns import COST, NONE, TEST, cell, rows, settings, shown_columns
from grubench.reports.header import facts, kernel_line
from grubench.reports.pair_tables import make_tables
from grubench.runs import atomic, files
from grubench.training import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run
    from grubench.training.predict import Forecast


def keep(comparison: Comparison, pictures: str = "png") -> None:
    """Write the comparison's folder: comparison.json, comparison.md, and the pictures `loss` and `forecast`.

    Args:
        comparison: The comparison.
        pictures: `png` or `svg`.

    Raises:
        RunError: It cannot be written.
    """
    from grubench.reports import plots

    folder = comparison.folder
    if folder is None:
        return
    with atomic.write_folder(folder.parent, folder.name) as partial:
        for ending in (".json", ".md"):
            (partial / f"comparison{ending}").write_text(text(comparison, ending), encoding="utf-8")
        plots.loss_curves(comparison, partial / f"loss.{pictures}")
        plots.forecasts(comparison, partial / f"forecast.{pictures}")


def export(comparison: Comparison, path: Path) -> None:
    """Write the comparison to a file; the ending says how.

    Raises:
        RunError: It cannot be written.
    """
    write_text(path, text(comparison, path.suffix))


def export_forecast(made: Forecast, path: Path) -> None:
    """Write forecasts as CSV: series, origin, step, time, actual, predicted, in the data's unit.

    Raises:
        RunError: It cannot be written.
    """
    write_text(path, evaluate.csv_text(made.rows))


def write_text(path: Path, content: str) -> None:
    """Write a text file, atomically.

    Raises:
        RunError: It cannot be written.
    """
    with atomic.write_file(path, "Give another path.") as temporary:
        temporary.write_text(content, encoding="utf-8")


def text(comparison: Comparison, ending: str) -> str:
    """The comparison as a file's text: `.json` has every seed's value, `.csv` a row a seed, the others are to paste."""
    writers: dict[str, Callable[[Comparison], str]] = {
        ".json": _json,
        ".csv": _csv,
        ".md": _markdown,
        ".tex": _latex,
    }
    return writers[ending](comparison)


def record(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain values: what comparison.json and `--export FILE.json` hold."""
    return {
        "schema": SCHEMA,
        "command": comparison.command,
        "spec": comparison.spec.to_dict(),
        "arms": {arm.name: [run.name for run in runs] for arm, runs in comparison.arms.items()},
        "failures": list(comparison.failures),
        "notes": list(comparison.notes),
        "settings": settings(comparison),
        "kernels": {arm.name: kernel_line([run.environment for run in runs]) for arm, runs in comparison.arms.items()},
        "rows": rows(comparison),
        "pairs": {quantity: compare_neighbors(comparison, quantity) for quantity in (ERROR, TIME)},
        "over_series": compare_over_series(comparison),
        "verdict": write_verdict(comparison),
    }


def _json(comparison: Comparison) -> str:
    return files.to_json(record(comparison)).decode()


def _csv(comparison: Comparison) -> str:
    table_rows = rows(comparison)
    runs_of = {arm.name: runs for arm, runs in comparison.arms.items()}
    keys = list(dict.fromkeys(key for row in table_rows for key in row.values))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arm", "seed", *keys, "backend", "precision", "kernel"])
    for row in table_rows:
        for position, seed in enumerate(row.seeds or [""]):
            found = [row.values.get(key) for key in keys]
            ran = _ran_on(runs_of[row.name][position]) if row.seeds else ("", "", "")
            writer.writerow([row.name, seed, *("" if one is None else one[position] for one in found), *ran])
    return text.getvalue()


def _ran_on(run: Run) -> tuple[str, str, str]:
    """Backend, precision and the kernels of the layers."""
    training = run.experiment.training
    return training.backend, training.precision, " ".join(kernel.kernel for kernel in run.environment.kernels)


def _markdown(comparison: Comparison) -> str:
    table_rows = rows(comparison)
    lines = [f"**{settings(comparison)}**", "", *(f"{line}\n" for line in facts(comparison))]
    lines += [f"- {note}" for note in comparison.notes] + [""] * bool(comparison.notes)
    arms_only = [row for row in table_rows if row.seeds]
    for chosen, columns in ((table_rows, TEST), (arms_only, COST)):
        shown = shown_columns(chosen, columns)
        lines.append("| | " + " | ".join(head for _, head in shown) + " |")
        lines.append("|---|" + "---:|" * len(shown))
        for row in chosen:
            cells = (cell(row, key, joint=" ± ") for key, _ in shown)
            lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
        lines.append("")
    for table in make_tables(comparison):
        head, *body = (f"| {' | '.join(line)} |" for line in (table.head, *table.lines))
        lines += [head, "|---|" + "---:|" * (len(table.head) - 1), *body, ""]
    lines += [f"- **{finding.heading}:** {finding.text}" for finding in write_verdict(comparison)]
    return "\n".join(lines) + "\n"


def _latex(comparison: Comparison) -> str:
    """Tables for a paper's appendix; they need the package booktabs."""
    table_rows = rows(comparison)
    parts = [f"% {line}" for line in (settings(comparison), *facts(comparison), *comparison.notes)]
    for chosen, columns in ((table_rows, TEST), ([row for row in table_rows if row.seeds], COST)):
        shown = shown_columns(chosen, columns)
        body = [[row.name, *(cell(row, key, joint=" ± ") for key, _ in shown)] for row in chosen]
        parts.append(_tabular([["", *(head for _, head in shown)], *body]))
    parts += [_tabular([table.head, *table.lines]) for table in make_tables(comparison)]
    parts += [f"% {finding}" for finding in write_verdict(comparison)]
    return "\n".join(parts) + "\n"


def _tabular(lines: Sequence[Sequence[str]]) -> str:
    head, *body = (" & ".join(map(_tex, line)) + r" \\" for line in lines)
    columns = "l" + "r" * (len(lines[0]) - 1)
    return "\n".join(
        [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    )


def _tex(text: str) -> str:
    """Text with what LaTeX would take for commands escaped."""
    special = {
        "\\": r"\textbackslash{}",
        "±": r"$\pm$",
        NONE: "--",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    return "".join(special.get(one, f"\\{one}" if one in "&%$#_{}" else one) for one in text)
