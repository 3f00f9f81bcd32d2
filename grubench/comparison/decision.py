"""What each pair of arms shows: different, equivalent, both, or undecided.

The level of 5 % is shared by all tests of one question (error, speed, baselines) by Holm's correction; an interval
stands at the level at which its test is decided, so that the two never contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.measures import pair_errors, pair_times, read_scores
from grubench.comparison.pairs import Pair, find_pairs
from grubench.comparison.power import MIN_SEEDS, count_seeds_needed
from grubench.comparison.rank_tests import RankTest, rank_against_baseline, rank_pair
from grubench.comparison.reliability import find_reliability
from grubench.comparison.sequential import SequentialEstimate
from grubench.comparison.statistics import (
    ALPHA,
    Corrected,
    Estimate,
    Interval,
    correct,
    estimate_over_seeds,
    estimate_over_series,
)
from grubench.comparison.timing import can_be_timed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.comparison.comparison import Comparison
    from grubench.spec.arms import Arm

UNKNOWN = Interval(low=float("nan"), high=float("nan"))


class Outcome(Enum):
    """What a pair shows.

    `SMALL` is different and equivalent: sure, and too small to matter.
    """

    DIFFERENT = "different"
    SMALL = "different, and too small to matter"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a pair shows of an error or a time.

    Attributes:
        pair: The pair.
        seeds: Seeds that were paired; where trials were lost, those of the arm with fewer.
        series: Series that the statement is about too; 0 where other series are left out of it.
        ratio: The first over the second, a geometric mean; of what was finished, NaN where no seed was by both.
        interval: Its interval, 1 - `alpha`; NaN where ranks decided, or nothing can be said.
        within: The interval that lies within the margin where the two are equivalent.
        p: The corrected p.
        alpha: The level at which this test is decided.
        within_alpha: The level of each of the two tests of equivalence; their interval stands at 1 less twice that.
        outcome: What it shows.
        lost: Whether trials failed or got stuck: then ranks decide, with those last.
        superiority: The probability that a trial of the first is worse than one of the second; lost ones are worst.
        estimate: The logarithm of the ratio; None where ranks decided.
    """

    pair: Pair
    seeds: int
    series: int = 0
    ratio: float
    interval: Interval = UNKNOWN
    within: Interval = UNKNOWN
    within_alpha: float = ALPHA
    p: float = float("nan")
    alpha: float = ALPHA
    outcome: Outcome = Outcome.UNDECIDED
    lost: bool = False
    superiority: float = 0.5
    estimate: Estimate | None = None

    def count_seeds_needed(self, margin: float) -> int | None:
        """Seeds that show a difference as large as the margin in 4 of 5 repetitions; None for more than 10,000."""
        if not self.estimate:
            return None
        return count_seeds_needed(self.estimate, float(np.log1p(margin)), self.alpha)

    @property
    def is_tested(self) -> bool:
        """Whether there was a test: of fewer than 3 seeds, or where all show the same, there is none."""
        return not np.isnan(self.p)

    @property
    def is_sequential(self) -> bool:
        """Whether e-values decided, which hold at every look."""
        return isinstance(self.estimate, SequentialEstimate)

    @property
    def differs(self) -> bool:
        """Whether a difference is shown, however small."""
        return self.outcome in (Outcome.DIFFERENT, Outcome.SMALL)

    @property
    def is_equivalent(self) -> bool:
        """Whether the difference is shown to be within the margin, whether there is one or not."""
        return self.outcome in (Outcome.EQUIVALENT, Outcome.SMALL)

    @property
    def first_is_lower(self) -> bool:
        """Whether the first has the lower error or time."""
        return self.superiority < 0.5 if self.lost else self.ratio < 1

    @property
    def lower(self) -> str:
        """The name of the one with the lower error or time."""
        return self.pair.first if self.first_is_lower else self.pair.second

    @property
    def higher(self) -> str:
        """The name of the other."""
        return self.pair.second if self.first_is_lower else self.pair.first


@dataclass(frozen=True, kw_only=True)
class _Tested:
    """A pair before the correction: its estimate, or what ranks say where trials were lost."""

    pair: Pair
    seeds: int
    mean: float
    p: float
    estimate: Estimate | None = None
    superiority: float = 0.5
    series: int = 0


@lru_cache(maxsize=4)  # the verdict, the tables and the files ask for the same
def decide_errors(comparison: Comparison) -> list[Decision]:
    """Decide each pair of cells and of neighbors by their errors; none of those without a seed or a ratio."""
    tested = [_test_errors(comparison, pair) for pair in find_pairs(comparison)]
    return _correct_pairs([one for one in tested if one], comparison.margin)


@lru_cache(maxsize=4)
def decide_times(comparison: Comparison) -> list[Decision]:
    """Decide each pair of cells and of neighbors by their times, of trials that took turns in one call."""
    values = {pair: pair_times(comparison, pair) for pair in find_pairs(comparison) if can_be_timed(comparison, pair)}
    tested = [_test_mean(pair, logs) for pair, logs in values.items() if logs is not None]
    return _correct_pairs(tested, comparison.margin)


@lru_cache(maxsize=4)
def decide_baselines(comparison: Comparison) -> list[Decision]:
    """Decide each arm against each baseline, baseline after baseline; none of those with an error of 0."""
    tested = [
        _test_baseline(comparison, arm, name)
        for name in comparison.runs[0].metrics.baselines
        for arm in comparison.arms
    ]
    return _correct_pairs([one for one in tested if one], comparison.margin)


def _test_errors(comparison: Comparison, pair: Pair) -> _Tested | None:
    reliability = find_reliability(comparison)
    values = pair_errors(comparison, pair)
    if any(reliability[arm.name].lost for arms in pair.arms for arm in arms):
        mean = float("nan") if values is None else float(values.mean())
        return _take_ranks(pair, mean, rank_pair(comparison, pair))
    return None if values is None else _test_mean(pair, values, sequential=comparison.until_decided)


def _test_mean(pair: Pair, values: NDArray[np.float64], *, sequential: bool = False) -> _Tested:
    """Student's t of paired values, `(seed, series or 1)`; e-values where seeds were added until they decided."""
    found = estimate(values)
    if sequential:
        found = SequentialEstimate.watch(found)
    p = found.p() if found.seeds >= MIN_SEEDS else float("nan")
    return _Tested(pair=pair, seeds=found.seeds, mean=found.mean, p=p, estimate=found)


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean of paired values, over seeds, `(seed, 1)`, or over seeds and series, `(seed, series)`."""
    return estimate_over_series(values) if values.shape[1] > 1 else estimate_over_seeds(values[:, 0])


def _test_baseline(comparison: Comparison, arm: Arm, name: str) -> _Tested | None:
    """An arm against a baseline; where trials were lost, by how many of all are better than it (sign test)."""
    baseline = comparison.runs[0].metrics.baselines[name]
    scores = read_scores(comparison, baseline)
    errors = np.array([read_scores(comparison, run.metrics.test) for run in comparison.arms[arm]])
    if not (np.all(scores > 0) and np.all(errors > 0)):  # the means over the series may have a ratio all the same
        scores, errors = scores.mean(keepdims=True), errors.mean(axis=1, keepdims=True)
    if not (np.all(scores > 0) and np.all(errors > 0)):
        return None
    pair = Pair(first=arm.name, second=name, arms=())
    logs = np.log(errors) - np.log(scores)
    if not find_reliability(comparison)[arm.name].lost:
        return _test_mean(pair, logs, sequential=comparison.until_decided)
    return _take_ranks(pair, float(logs.mean()), rank_against_baseline(comparison, arm, baseline))


def _take_ranks(pair: Pair, mean: float, found: RankTest) -> _Tested:
    return _Tested(
        pair=pair, seeds=found.seeds, series=found.series, mean=mean, p=found.p, superiority=found.superiority
    )


def _correct_pairs(tested: Sequence[_Tested], margin: float) -> list[Decision]:
    """Decide tested pairs; those of cells and the others are two families where there are both."""
    of_cells, of_arms = ([one for one in tested if one.pair.is_of_cells == flag] for flag in (True, False))
    families = [family for family in (of_cells, of_arms) if family]
    differ: dict[Pair, Corrected] = {}
    within: dict[Pair, Corrected] = {}
    for family in families:
        differ |= correct({one.pair: one.p for one in family}, len(families))
        within |= correct({one.pair: _test_within(one, margin) for one in family}, len(families))
    return [_decide(one, differ[one.pair], within[one.pair]) for one in tested]


def _test_within(tested: _Tested, margin: float) -> float:
    """The p of a difference that is not within the margin; NaN where nothing is tested."""
    return float("nan") if np.isnan(tested.p) or not tested.estimate else tested.estimate.p_within(np.log1p(margin))


def _decide(tested: _Tested, corrected: Corrected, within: Corrected) -> Decision:
    found = tested.estimate
    if not found:
        outcome = Outcome.DIFFERENT if corrected.p < ALPHA else Outcome.UNDECIDED
        return Decision(
            pair=tested.pair,
            seeds=tested.seeds,
            series=tested.series,
            ratio=float(np.exp(tested.mean)),
            p=corrected.p,
            alpha=corrected.alpha,
            outcome=outcome,
            lost=True,
            superiority=tested.superiority,
        )
    enough = found.seeds >= MIN_SEEDS
    return Decision(
        pair=tested.pair,
        seeds=found.seeds,
        series=found.series,
        ratio=float(np.exp(found.mean)),
        interval=found.interval(1 - corrected.alpha).exp() if enough else UNKNOWN,
        within=found.interval_within(within.alpha).exp() if enough else UNKNOWN,
        within_alpha=within.alpha,
        p=corrected.p,
        alpha=corrected.alpha,
        outcome=judge(corrected.p, within.p),
        estimate=found,
    )


def judge(different_p: float, within_p: float) -> Outcome:
    """What a pair shows.

    Each p is corrected on its own: a level that grew because pairs differ does not hold for how many are equivalent.

    Args:
        different_p: The corrected p of no difference; NaN where nothing is tested.
        within_p: The corrected p of a difference that is not within the margin.
    """
    if different_p < ALPHA:
        return Outcome.SMALL if within_p < ALPHA else Outcome.DIFFERENT
    return Outcome.EQUIVALENT if within_p < ALPHA else Outcome.UNDECIDED
