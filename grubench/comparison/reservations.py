"""What limits a verdict, whatever the tests say: a small test part, errors of 0, forecasts that lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.finding import MAX_NAMED, Finding, name_arms_together
from grubench.comparison.pairs import ERROR, MIN_PAIRS, find_neighbors, read_quantity
from grubench.comparison.statistics import ALPHA, compare_paired
from grubench.spec.baselines import PERSISTENCE
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run
    from grubench.spec.arms import Arm

# Fewer targets than this that do not overlap say too little about the values to come.
MIN_TARGETS = 20


def count_test_targets(comparison: Comparison) -> int:
    """The measured targets of the test part that do not overlap, over all series."""
    return comparison.runs[0].metrics.data.separate_targets


def explain_small_test(comparison: Comparison) -> str:
    """Say that so few test targets show nothing; empty where there are enough."""
    targets = count_test_targets(comparison)
    if targets >= MIN_TARGETS:
        return ""
    return f"undecided, {count(targets, 'test target')} {'is' if targets == 1 else 'are'} too few"


def find_small_test(comparison: Comparison) -> list[Finding]:
    """Warn of a small test part."""
    if not explain_small_test(comparison):
        return []
    targets = count_test_targets(comparison)
    text = (
        f"it has {count(targets, 'target')} that {'does' if targets == 1 else 'do'} not overlap, and fewer than "
        f"{MIN_TARGETS} are too few to tell which forecasts are better on other data. Use more data, a larger --test "
        "or a shorter --horizon."
    )
    return [Finding(topic="test part", text=text, numbers={"targets": targets})]


def find_exact_arms(comparison: Comparison) -> list[Arm]:
    """Find the arms of which a trial has an error of 0: no ratio can be formed with it."""
    return [arm for arm, runs in comparison.arms.items() if not all(read_quantity(run, ERROR) > 0 for run in runs)]


def find_exact(comparison: Comparison) -> list[Finding]:
    """Say which arms are not compared because an error of theirs is 0."""
    exact = find_exact_arms(comparison)
    neighbors = [pair for pair in find_neighbors(comparison) if set(pair) & set(exact)]
    if not neighbors:
        return []
    names = name_arms_together([arm.name for arm in exact], len(comparison.arms))
    verb = "has" if len(exact) == 1 else "have"
    text = f"{names} {verb} a trial with a test error of exactly 0; there is no ratio to it, and nothing to compare."
    return [Finding(topic="error", text=text, arms=tuple(arm.name for arm in exact[:MAX_NAMED]))]


def find_lagging(comparison: Comparison) -> list[Finding]:
    """Name the arms whose forecasts are the last value again, one step late, and no better than it."""
    if explain_small_test(comparison):
        return []
    lagging = [arm.name for arm, runs in comparison.arms.items() if _lag_by_one_step(runs) and not _beat_it(runs)]
    if not lagging:
        return []
    names = name_arms_together(lagging, len(comparison.arms))
    text = (
        f"the forecasts of {names} mostly repeat the last value: they correlate most with the value one step before "
        f"the one that they forecast, and do not beat {PERSISTENCE.name}, which repeats it exactly."
    )
    return [Finding(topic="baseline", text=text, arms=(*lagging, PERSISTENCE.name))]


def _lag_by_one_step(runs: Sequence[Run]) -> bool:
    """Whether most forecasts, over seeds and series, correlate most with the value one step before the actual one."""
    lags = [lag for run in runs for lag in run.metrics.test.lags.values() if lag is not None]
    return bool(lags) and np.mean(np.array(lags) == 1) > 0.5


def _beat_it(runs: Sequence[Run]) -> bool:
    """Whether an arm's errors are below those of persistence, by the test where there are enough seeds for one."""
    errors = [read_quantity(run, ERROR) for run in runs]
    baseline = runs[0].metrics.baselines[PERSISTENCE.name].rmse_scaled
    if not (baseline > 0 and all(error > 0 for error in errors)):
        return baseline > 0
    result = compare_paired(errors, [baseline] * len(errors))
    return result.ratio < 1 and (result.n < MIN_PAIRS or result.p < ALPHA)
