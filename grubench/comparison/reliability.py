"""Which trials came to nothing: those that failed, and those that got stuck far above their arm's others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from grubench.comparison.statistics import bound_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison

# A trial is stuck where it no longer learns, and its error is more than this many times that of the next better one.
STUCK = 2.0
# Of fewer trials it cannot be told which are stuck.
MIN_TRIALS = 3


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How many trials of an arm came to nothing.

    Attributes:
        trials: Trials that were begun.
        failed: The seeds of those that failed.
        stuck: The seeds of those that got stuck.
    """

    trials: int
    failed: frozenset[int]
    stuck: frozenset[int]

    @property
    def lost(self) -> int:
        """The trials that failed or got stuck."""
        return len(self.failed) + len(self.stuck)

    @property
    def bound(self) -> float:
        """The largest share of trials that may come to nothing, as the exact 95 % bound."""
        return bound_share(self.lost, self.trials)


@lru_cache(maxsize=4)  # the verdict, the tables and the files ask for the same
def find_reliability(comparison: Comparison) -> dict[str, Reliability]:
    """The reliability of each arm that was trained, by its name."""
    failed: dict[str, set[int]] = {arm.name: set() for arm in (*comparison.arms, *comparison.failed_arms)}
    for failure in comparison.failures:
        failed.setdefault(failure.arm, set()).add(failure.seed)
    runs = {arm.name: of_arm for arm, of_arm in comparison.arms.items()}
    found = {}
    for name, seeds in failed.items():
        errors = [run.metrics.test.rmse_scaled for run in runs.get(name, [])]
        far = [run for run, flag in zip(runs.get(name, []), find_stuck(errors), strict=True) if flag]
        stuck = {run.experiment.seed for run in far if not run.metrics.loss.is_still_learning}
        found[name] = Reliability(trials=len(errors) + len(seeds), failed=frozenset(seeds), stuck=frozenset(stuck))
    return found


def find_stuck(errors: Sequence[float]) -> list[bool]:
    """Which trials of an arm got stuck: those above a gap, of more than a factor of 2, between its sorted errors.

    Half of the trials or more lie below the gap: a single trial that did much better than the others makes none of
    them stuck.

    Args:
        errors: The errors of its finished trials.
    """
    if len(errors) < MIN_TRIALS:
        return [False] * len(errors)
    upper = sorted(errors)[(len(errors) - 1) // 2 :]
    limit = next((low for low, high in pairwise(upper) if high > STUCK * low > 0), upper[-1])
    return [error > limit for error in errors]
