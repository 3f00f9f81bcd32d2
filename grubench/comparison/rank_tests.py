"""Tests where trials failed or got stuck: by ranks and signs of all trials, with those as the worst of all.

Where enough series are tested, what is shown over seeds has to be shown over seeds and series as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from grubench.comparison.measures import read_scores
from grubench.comparison.power import MIN_SEEDS
from grubench.comparison.reliability import find_reliability
from grubench.comparison.sequential import p_of_signs
from grubench.comparison.statistics import a12, estimate_over_seeds, estimate_over_series, mann_whitney

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.pairs import Pair
    from grubench.runs.records import Evaluation
    from grubench.spec.arms import Arm

    # The errors of each seed, `(series or 1,)`; infinite where its trial was lost.
    Errors = dict[int, NDArray[np.float64]]

HALF = 0.5


@dataclass(frozen=True, kw_only=True)
class RankTest:
    """What all trials show, lost ones too.

    Attributes:
        seeds: Trials of the arm with fewer, or seeds that all arms have where cells are compared.
        series: Series that the test is about too; 0 where it is about seeds alone.
        superiority: The probability that the first is worse: 0.5 is no difference.
        p: The p of that; NaN where there are too few seeds.
    """

    seeds: int
    series: int = 0
    superiority: float
    p: float


def rank_pair(comparison: Comparison, pair: Pair) -> RankTest:
    """Test a pair by the ranks of its trials: two arms by Mann and Whitney's test.

    Cells are tested over seeds, by the mean over settings of the difference of a seed's ranks within each setting.
    """
    groups = [tuple(_list_errors(comparison, arm) for arm in arms) for arms in pair.arms]
    means = [tuple(_average(errors) for errors in arms) for arms in groups]
    first, second = ([float(mean[0]) for mean in errors.values()] for errors in means[0])
    shared = len(_share_seeds(groups))
    seeds = shared if pair.is_of_cells else min(len(first), len(second))
    superiority = float(np.mean([a12([*one.values()], [*other.values()]) for one, other in means]))
    if seeds < MIN_SEEDS:
        return RankTest(seeds=seeds, superiority=superiority, p=float("nan"))
    if comparison.until_decided:
        p = _test_signs(means, superiority)
    elif pair.is_of_cells:
        p = estimate_over_seeds(_mean_rank_differences(means)[:, 0]).p()
    else:
        p = mann_whitney(first, second).p
    found = RankTest(seeds=seeds, superiority=superiority, p=p)
    if shared < MIN_SEEDS:
        return found
    return _test_over_series_too(found, _mean_rank_differences(groups))


def rank_against_baseline(comparison: Comparison, arm: Arm, baseline: Evaluation) -> RankTest:
    """Test an arm against a baseline by how many of its trials are worse (sign test)."""
    errors = _list_errors(comparison, arm)
    worse = [bool(mean[0] > baseline.rmse_scaled) for mean in _average(errors).values()]
    p = float("nan")
    if len(worse) >= MIN_SEEDS:
        signs = [1 if one else -1 for one in worse]
        p = p_of_signs(signs) if comparison.until_decided else float(stats.binomtest(sum(worse), len(worse)).pvalue)
    found = RankTest(seeds=len(worse), superiority=float(np.mean(worse)), p=p)
    return _test_over_series_too(found, np.sign(np.array([*errors.values()]) - read_scores(comparison, baseline)))


def _test_over_series_too(tested: RankTest, values: NDArray[np.float64]) -> RankTest:
    """A test over seeds that has to hold over seeds and series as well: the larger p of the two.

    Args:
        tested: What ranks or signs say over seeds.
        values: How much worse the first is in each series, `(seed, series)`; `(seed, 1)` without enough of them.
    """
    series = values.shape[1]
    if series == 1 or np.isnan(tested.p):
        return tested
    found = estimate_over_series(values)
    if (found.mean > 0) != (tested.superiority > HALF):
        return replace(tested, p=1.0, series=series)
    return replace(tested, p=max(tested.p, found.p()) if found.variance > 0 else tested.p, series=series)


def _test_signs(groups: Sequence[tuple[Errors, ...]], superiority: float) -> float:
    """The p, at any look, of a first that is as often worse as better; of a seed, over settings, in most of them."""
    differences = [sum(_compare(one[seed], other[seed]) for one, other in groups) for seed in _share_seeds(groups)]
    p = p_of_signs(differences)
    return p if (float(np.sum(np.sign(differences))) > 0) == (superiority > HALF) else 1.0


def _compare(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Above 0 where the first is worse; 0 where both are lost."""
    return float(first[0] > second[0]) - float(first[0] < second[0])


def _mean_rank_differences(groups: Sequence[tuple[Errors, ...]]) -> NDArray[np.float64]:
    """The mean over settings of the first's rank less the second's, `(seed, series)`, of seeds that all arms have."""
    seeds = _share_seeds(groups)
    ranks = [stats.rankdata([errors[seed] for errors in arms for seed in seeds], axis=0) for arms in groups]
    mean: NDArray[np.float64] = np.mean([both[: len(seeds)] - both[len(seeds) :] for both in ranks], axis=0)
    return mean


def _share_seeds(groups: Sequence[tuple[Errors, ...]]) -> list[int]:
    """The seeds that all arms have."""
    return sorted(set.intersection(*(set(errors) for arms in groups for errors in arms)))


def _list_errors(comparison: Comparison, arm: Arm) -> Errors:
    """The errors of each trial of an arm, by its seed."""
    reliability = find_reliability(comparison)[arm.name]
    errors = {run.experiment.seed: read_scores(comparison, run.metrics.test) for run in comparison.arms.get(arm, [])}
    lost = np.full_like(read_scores(comparison, comparison.runs[0].metrics.test), np.inf)
    return errors | dict.fromkeys(reliability.failed | reliability.stuck, lost)


def _average(errors: Errors) -> Errors:
    """The mean over the series of each trial, `(1,)`."""
    return {seed: of_trial.mean(keepdims=True) for seed, of_trial in errors.items()}
