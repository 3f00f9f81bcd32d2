"""The tables that stand below a comparison's own: many pairs of arms, and forecasters over series."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.decision import decide_baselines, decide_errors, decide_times
from grubench.comparison.finding import MAX_NAMED
from grubench.comparison.pairs import Pair, name_pair
from grubench.comparison.phrases import write_interval, write_ratio
from grubench.comparison.power import MIN_SEEDS
from grubench.comparison.reservations import explain_small_test
from grubench.comparison.series_tests import PERSISTENCE, average_over_seeds, compare_over_series
from grubench.comparison.statistics import format_level, format_p, state_p
from grubench.reports.columns import list_test_columns
from grubench.reports.numbers import NONE
from grubench.reports.rows import format_cell, make_target_rows
from grubench.training.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.decision import Decision

TARGETS_TITLE = "Test error of each target, in its own unit where not scaled"


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table of texts.

    Attributes:
        title: What stands above it.
        head: The headings of its columns; that of the names is empty.
        lines: Its lines, the name first.
    """

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def make_tables(comparison: Comparison) -> list[TextTable]:
    """Make the tables of pairs, of arms against baselines, and of the study's test: those that there are."""
    tables = [tabulate_pairs(comparison), tabulate_baselines(comparison), tabulate_series(comparison)]
    return [table for table in tables if table]


def list_tables(comparison: Comparison) -> list[TextTable]:
    """Make every table below a comparison's own, that of targets too, as files show them."""
    targets = tabulate_targets(comparison)
    return [*([targets] if targets else []), *make_tables(comparison)]


def tabulate_targets(comparison: Comparison) -> TextTable | None:
    """Make a line a target and forecaster where a few targets have different units, which no mean can be taken over."""
    rows, columns = make_target_rows(comparison), list_test_columns()
    if not rows:
        return None
    lines = tuple((row.name, *(format_cell(row, column) for column in columns)) for row in rows)
    return TextTable(title=TARGETS_TITLE, head=("", *(column.heading for column in columns)), lines=lines)


def tabulate_pairs(comparison: Comparison) -> TextTable | None:
    """Make a line a pair of arms, where there are too many for sentences: ratios, intervals, corrected p."""
    errors = decide_errors(comparison)
    if len(errors) <= MAX_NAMED:
        return None
    times = {decision.pair: decision for decision in decide_times(comparison)}
    lines = []
    # Cell against cell first: that is the question.
    for decision in sorted(errors, key=_are_of_one_cell):
        cells = _format_decision(times.get(decision.pair)) if times else ()
        lines.append((name_pair(decision.pair), *_format_decision(decision), *cells))
    return TextTable(
        title=f"Pairs, first over second, with intervals at the level of each test; p (Holm) of {_name_tests(errors)}",
        head=("", "RMSE ratio", "p", *(("time ratio", "p") if times else ())),
        lines=tuple(lines),
    )


def _name_tests(decisions: Sequence[Decision]) -> str:
    """The tests that decided errors, as far as there are some that each of them decided."""
    by_mean = [decision for decision in decisions if not decision.lost]
    by_rank = [decision for decision in decisions if decision.lost]
    over = "seeds and series" if any(decision.series for decision in decisions) else "seeds"
    if any(decision.is_sequential for decision in by_mean):
        return f"e-values over {over}, which hold at every look{', of signs where trials were lost' if by_rank else ''}"
    tests = [f"Student's paired t-test over {over}"] if by_mean else []
    if any(not decision.pair.is_of_cells for decision in by_rank):
        tests.append("Mann-Whitney's test where trials were lost (ranks)")
    if any(decision.pair.is_of_cells for decision in by_rank):
        tests.append("a t-test of ranks over all settings where trials were lost")
    return ", ".join(tests)


def tabulate_baselines(comparison: Comparison) -> TextTable | None:
    """Make a line an arm and baseline, where there are too many arms for sentences."""
    if len(comparison.arms) <= MAX_NAMED or explain_small_test(comparison):
        return None
    arms = {arm.name: arm for arm in comparison.arms}
    lines = []
    for decision in decide_baselines(comparison):
        ratio, p = _format_decision(decision)
        level = format_level(decision.alpha) if decision.is_tested and not decision.lost else ""
        found = "undecided"
        if decision.differs:
            found = "better" if decision.first_is_lower else "worse"
        name = f"{arms[decision.pair.first].short_name} / {decision.pair.second}"
        lines.append((name, ratio, level, p, found if decision.is_tested else ""))
    if not lines:
        return None
    return TextTable(
        title="Arms against baselines: the arm's RMSE over the baseline's, its interval at the level of its test, and "
        "p (Holm over arms and baselines)",
        head=("", "RMSE ratio", "level", "p", "the arm is"),
        lines=tuple(lines),
    )


def _are_of_one_cell(decision: Decision) -> bool:
    first, second = decision.pair.arms[0]
    return first.cell == second.cell


def _format_decision(decision: Decision | None) -> tuple[str, str]:
    """The ratio with its interval, and p; what ranks decided has no interval."""
    if decision is None:
        return "not timed", ""
    ratio = NONE if isnan(decision.ratio) else write_ratio(decision.ratio, 3)  # none where no seed was finished by both
    if not decision.is_tested:
        return ratio, "too few" if decision.seeds < MIN_SEEDS else "all same"
    if decision.lost:
        return f"{ratio} (ranks)", format_p(decision.p)
    return f"{ratio} ({write_interval(decision.interval, 3)})", format_p(decision.p)


def tabulate_series(comparison: Comparison) -> TextTable | None:
    """Make a line a forecaster (mean and deviation over series) and a line a pair (U and p), a column a measure.

    The deviation is the population's, as the study prints it; p is Holm's where several pairs are tested.
    """
    tests = compare_over_series(comparison)
    if not tests:
        return None
    keys = list(dict.fromkeys(test.measure for test in tests))
    values = {key: average_over_seeds(comparison, key) for key in keys}
    lines = [
        (arm.short_name, *(f"{np.mean(values[key][arm]):.4f} ± {np.std(values[key][arm]):.4f}" for key in keys))
        for arm in values[keys[0]]
    ]
    for pair in dict.fromkeys((test.first, test.second) for test in tests):
        of_pair = {test.measure: test for test in tests if (test.first, test.second) == pair}
        cells = (f"U = {of_pair[key].u:g}, {state_p(of_pair[key].corrected_p)}" for key in keys)
        lines.append((name_pair(Pair(first=pair[0].name, second=pair[1].name, arms=(pair,))), *cells))
    count = len(values[keys[0]][PERSISTENCE])
    return TextTable(
        title=f"The study's test over its {count} series, which says nothing of other seeds: mean ± deviation; "
        "Mann-Whitney U, two-sided p (Holm)",
        head=("", *(METRICS[key].column for key in keys)),
        lines=tuple(lines),
    )
