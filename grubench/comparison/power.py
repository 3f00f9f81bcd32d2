"""How many seeds a difference needs, from the spread that was seen and how well that is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from grubench.comparison.statistics import ALPHA

if TYPE_CHECKING:
    from grubench.comparison.statistics import Estimate

POWER = 0.8
# How sure the upper bound of a spread is.
BOUND = 0.8
# A noncentrality at which the power is 1 to the last digit, and SciPy's distribution overflows not far above.
CERTAIN = 30
# Where a search for a number of seeds stops.
MAX_SEEDS = 10_000
# Fewer seeds than this claim nothing.
MIN_SEEDS = 3


def compute_power(effect: float, error: float, freedom: float, alpha: float = ALPHA) -> float:
    """The probability that a two-sided t-test shows a difference.

    Args:
        effect: The true mean (here: of logarithms of ratios).
        error: Its standard error.
        freedom: Degrees of freedom.
        alpha: The level of the test.

    References:
        Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988: the noncentral t distribution.
    """
    critical, shift = special.stdtrit(freedom, 1 - alpha / 2), abs(effect) / error
    if shift > CERTAIN + critical:
        return 1.0
    upper, lower = stats.nct.sf(critical, freedom, shift), stats.nct.cdf(-critical, freedom, shift)
    # Far out SciPy's lower tail underflows to NaN, where it is 0.
    return float(upper + np.nan_to_num(lower))


def bound_spread(estimate: Estimate) -> Estimate:
    """The estimate with variances that are below the true ones in only 1 of 5 repetitions.

    The spread of 3 seeds is often half of the true one by chance: seeds counted from it alone are too few. The same
    holds for few series.
    """
    of_seeds = estimate.of_seeds * _bound_variance(estimate.seeds - 1)
    if not estimate.series:
        return replace(estimate, of_seeds=of_seeds)
    own = max(estimate.of_series - estimate.of_both, 0.0) * _bound_variance(estimate.series - 1)
    of_both = estimate.of_both * _bound_variance((estimate.seeds - 1) * (estimate.series - 1))
    return replace(estimate, of_seeds=of_seeds, of_series=own + of_both, of_both=of_both)


def _bound_variance(freedom: int) -> float:
    """The upper bound of a variance as a multiple of that of a sample with these degrees of freedom."""
    return freedom / float(stats.chi2.ppf(1 - BOUND, freedom))


def count_seeds_needed(estimate: Estimate, effect: float, alpha: float = ALPHA) -> int | None:
    """The fewest seeds that show a true effect in 80 % of repetitions, whatever 4 of 5 true spreads are.

    Args:
        estimate: What was measured.
        effect: The effect, in its unit.
        alpha: The level of the test.

    Returns:
        The seeds; None where 10,000 are too few, as where the series differ more than seeds can tell.
    """
    bound = bound_spread(estimate)
    if not bound.variance > 0:
        return None

    def reaches(seeds: int) -> bool:
        of_both = bound.of_both * bound.seeds / seeds
        of_series = max(bound.of_series - bound.of_both, 0.0) + of_both if bound.series else 0.0
        planned = replace(bound, seeds=seeds, of_series=of_series, of_both=of_both)
        return compute_power(effect, float(np.sqrt(planned.variance)), planned.freedom, alpha) >= POWER

    low, high = MIN_SEEDS, MAX_SEEDS
    if not reaches(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle + 1, high)
    return low
