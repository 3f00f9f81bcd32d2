"""What a table of the user's own seems to hold, found out before anything is trained: columns, times, series."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.data.calendar import find_calendar
from grubench.data.datasets.column_kinds import (
    Column,
    choose_target,
    choose_time,
    describe_column,
    find_series_column,
    find_totals,
    find_unread_time,
    rises_evenly,
)
from grubench.data.datasets.tables import drop_empty_rows, load_columns, open_table
from grubench.data.season import find_season
from grubench.data.series import Series
from grubench.data.suspicions import (
    explain_code,
    explain_shift,
    find_missing_codes,
    find_shift,
    is_constant,
    write_code,
)
from grubench.spec.sections import WRITTEN
from grubench.text import count, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from grubench.spec.sections import Data

# Columns that are looked into.
MAX_COLUMNS = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspection:
    """What a table seems to hold.

    Attributes:
        path: The file.
        flags: What was said of how it is written, as flags.
        rows: Its rows.
        format: How the file is written, in a sentence.
        columns: Its columns, the first of very many.
        more_columns: How many others it has.
        time: The column of times; empty where there is none.
        series_column: The column that names the series; empty where there is one series.
        target: The column to forecast, as far as can be guessed; empty where there are no numbers.
        codes: Values of it that seem to stand for missing ones.
        findings: What was found of times, series and season, a sentence each.
        warnings: What looks wrong, a sentence each.
        undecided: Flags that somebody has to decide, and in place of their values what these are.
        is_settled: Whether nothing is left to decide or to mend before the command can be called.
    """

    path: Path
    flags: tuple[str, ...]
    rows: int
    format: str
    columns: tuple[Column, ...]
    more_columns: int
    time: str
    series_column: str
    target: str
    codes: tuple[str, ...]
    findings: tuple[str, ...]
    warnings: tuple[str, ...]
    undecided: tuple[str, ...]
    is_settled: bool

    def command(self) -> str:
        """The command that compares on this table, as far as it can be guessed."""
        words = ["grubench", "compare", "--csv", str(self.path), *self.flags, *self.undecided]
        for flag, name in (("--time", self.time), ("--series-column", self.series_column)):
            words += [flag, name] if name else []
        words += ["--target", _write_item(self.target) or "COLUMN"]
        missing = {column.name: column.missing for column in self.columns}
        words += ["--na", ",".join(self.codes)] if self.codes else []
        words += ["--missing", "fill"] if self.codes or missing.get(self.target) else []
        return shlex.join(words)


def inspect_table(path: Path, spec: Data, *, max_mb: int) -> Inspection:
    """Look into a table: nothing is trained, and no flag is needed.

    Args:
        path: The file.
        spec: Flags that say how the file is written, where that cannot be found out.
        max_mb: The largest table that is read, in MB.

    Raises:
        UsageError: There is no such file, or nothing that reads it is installed.
        DataError: It is too large, or no table.
    """
    table = open_table(path, spec, max_mb=max_mb)
    frame, empty = drop_empty_rows(load_columns(table, table.columns[:MAX_COLUMNS]))
    findings = [f"{count(empty, 'row')} without a value: left out."] if empty else []
    rows, style = len(frame), table.dialect.numbers
    every = tuple(describe_column(frame[name], style, spec) for name in frame.columns)
    totals = find_totals(frame, every, spec)
    if totals is not None:
        frame = frame.drop(index=totals.index)
        every = tuple(describe_column(frame[name], style, spec) for name in frame.columns)
    time = choose_time(frame, every, spec)
    unread = find_unread_time(frame, every) if time is None else None
    series_column = unread.series_column if unread else find_series_column(frame, time)
    target = choose_target(every, time, series_column)
    doubts = [f"{name}: {doubt}; say --decimal." for name, doubt in style.doubts if name in frame]
    undecided = [] if not doubts or spec.decimal else ["--decimal", "SIGN"]
    undecided += ["--time-format", "FORMAT"] if unread and unread.needs_format and not spec.time_format else []
    return Inspection(
        path=path,
        flags=_write_flags(spec),
        rows=rows,
        format=table.dialect.describe(),
        columns=every,
        more_columns=len(table.columns) - len(every),
        time=time.name if time else unread.name if unread else "",
        series_column=series_column,
        target=target.name if target else "",
        codes=() if spec.na else _list_codes(target),
        findings=(*findings, *_list_findings(frame, time, series_column, target), *_list_clocks(every, time)),
        warnings=(*doubts, *_explain_totals(totals), *_list_warnings(every, time, target, series_column)),
        undecided=tuple(undecided),
        is_settled=not doubts and totals is None and not any(column.trouble for column in every),
    )


def _explain_totals(totals: pd.Series[Any] | None) -> list[str]:
    """What looks like rows of totals, a sentence each."""
    if totals is None:
        return []
    return [
        f"column {quote(totals.name)}, data row {row + 1}: {quote(cell)} is no time, and looks like a row of totals; "
        "delete the row."
        for row, cell in zip(totals.index.tolist(), totals.tolist(), strict=True)
    ]


def _list_clocks(every: Sequence[Column], time: Column | None) -> list[str]:
    """The columns that rise as a clock does, a sentence each."""
    findings = []
    for name in (column.name for column in every if rises_evenly(column)):
        advice = "" if time else f"; if it holds seconds, say --time {shlex.quote(name)} --time-format s"
        findings.append(f"{name} rises in equal steps, as a clock does: it is no target{advice}.")
    return findings


def _list_codes(target: Column | None) -> tuple[str, ...]:
    """The codes of the target, as --na takes them."""
    codes = () if target is None or target.numbers is None else find_missing_codes(target.numbers)
    return tuple(write_code(code) for code in codes)


def _write_item(name: str) -> str:
    """A name as an item of a list: one with a comma or a quote is given in quotes."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"' if {",", '"'} & set(name) else name


def _write_flags(spec: Data) -> tuple[str, ...]:
    """What the spec says of how a file is written, as flags."""
    said = {name: getattr(spec, name) for name in WRITTEN if getattr(spec, name)}
    texts = {name: value if isinstance(value, str) else ",".join(value) for name, value in said.items()}
    return tuple(word for name, text in texts.items() for word in (f"--{name.replace('_', '-')}", text))


def _list_findings(frame: pd.DataFrame, time: Column | None, series_column: str, target: Column | None) -> list[str]:
    """What was found of times, series and season, a sentence each."""
    if time is None or time.times is None:
        return ["No column holds times: rows are taken in their order."]
    rows = np.ones(len(frame), bool)
    findings = []
    if series_column:
        names = frame[series_column].astype(str).to_numpy()
        counts = Counter(names.tolist())
        lengths = dict.fromkeys(f"{length:,}" for length in (min(counts.values()), max(counts.values())))
        findings.append(
            f"{len(counts):,} series in one table, named by {series_column}: {list_names(sorted(counts)[:8])}; "
            f"{' to '.join(lengths)} rows each."
        )
        rows = names == counts.most_common(1)[0][0]
    own = np.sort(time.times[rows])
    calendar = find_calendar(own)
    repeated = len(own) - len(np.unique(own))
    rule = f", {calendar.rule}" if calendar else ""
    others = f"; {count(repeated, 'row')} with the time of another row" if repeated else ""
    findings.append(f"Times: {time.name}{rule}{others}.")
    if 2 * (np.diff(time.times[rows]) < np.timedelta64(0)).sum() > len(own):
        findings.append("The newest row comes first: --time sorts the rows.")
    if target is not None and target.numbers is not None:
        findings.append(_find_season(time.times[rows], target.numbers[rows], target.name))
    return findings


def _find_season(time: NDArray[np.datetime64], values: NDArray[np.float64], name: str) -> str:
    """The season of a series, in a sentence; `compare` looks for it in the training part alone."""
    order = np.argsort(time, kind="stable")
    order = order[np.isfinite(values[order])]
    series = Series(name=name, values=values[order, None], columns=(name,), time=time[order])
    reason = find_season([series], [series.target]).reason
    return reason.replace(" in the training part", "").replace("the training part has", "there are")


def _list_warnings(
    every: Sequence[Column], time: Column | None, target: Column | None, series_column: str
) -> list[str]:
    """What looks wrong in columns of numbers, a sentence each."""
    order = slice(None) if time is None or time.times is None else np.argsort(time.times, kind="stable")
    warnings = []
    for column in every:
        warnings += [column.trouble] if column.trouble else []
        if column.numbers is None:
            continue
        warnings += [explain_code(column.name, code) for code in find_missing_codes(column.numbers)]
        if is_constant(column.numbers):
            warnings.append(f"{column.name} is constant.")
        if target is column and column.missing:
            cells_are = "cell is" if column.missing == 1 else "cells are"
            warnings.append(f"{column.missing:,} {cells_are} empty in {column.name}: see --missing.")
        if target is None or target.numbers is None or column is target or series_column:
            continue
        shift = find_shift(column.numbers[order], target.numbers[order])
        if shift:
            warnings.append(explain_shift(column.name, target.name, shift))
    return warnings
