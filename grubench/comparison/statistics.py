"""What a few paired trials can tell: differences with intervals, tests, effect sizes, power.

NumPy in, frozen dataclass out. Two questions are kept apart. *Over seeds*: would other seeds show the same? Trials are
paired by their seed, and the paired t-test on logarithms of ratios decides. *Over series*: do two forecasters differ
across the series of a dataset? There the Mann-Whitney test decides, as in the study of Velarde et al. Overlapping
windows are not independent, and are never tested as if they were.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

K = TypeVar("K")

LEVEL = 0.95
POWER = 0.8
ALPHA = 1 - LEVEL
RESAMPLES = 9999
# Fewer or more values than these have Student's interval: see `mean_interval`.
MIN_BOOTSTRAP = 8
MAX_BOOTSTRAP = 1000
# A noncentrality at which the power is 1 to the last digit, and SciPy's distribution overflows not far above.
CERTAIN = 30
# Values that differ by less than this share are equal but for rounding.
ROUNDING = 1e-12
# Where a search for a number of seeds stops.
MAX_SEEDS = 10_000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An interval of an estimate.

    Attributes:
        low: Its lower end; NaN where there are too few values.
        high: Its upper end.
    """

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """Two arms over the same seeds, `first` against `second`; both positive, such as errors or times.

    Attributes:
        n: Pairs.
        difference: The mean of first - second, in their unit.
        difference_interval: Its 95 % interval, see `mean_interval`.
        ratio: The geometric mean of first / second.
        ratio_interval: Its 95 % interval, that of the mean logarithm.
        spread: The sample standard deviation of log(first / second); NaN for a single pair.
        p: Two-sided p of the paired t-test on the logarithms: it decides. NaN for a single pair.
        wilcoxon_p: Two-sided p of the Wilcoxon signed-rank test on the logarithms, exact where there are no ties; with
            n pairs it cannot fall below 2 / 2^n.
        a12: The probability that a trial of the first is larger than one of the second (Vargha-Delaney), ties halved.
    """

    n: int
    difference: float
    difference_interval: Interval
    ratio: float
    ratio_interval: Interval
    spread: float
    p: float
    wilcoxon_p: float
    a12: float

    def inverse(self) -> PairedComparison:
        """The same with the arms swapped."""
        low, high = self.difference_interval.low, self.difference_interval.high
        return replace(
            self,
            difference=-self.difference,
            difference_interval=Interval(low=-high, high=-low),
            ratio=1 / self.ratio,
            ratio_interval=Interval(low=1 / self.ratio_interval.high, high=1 / self.ratio_interval.low),
            a12=1 - self.a12,
        )


def compare_paired(first: ArrayLike, second: ArrayLike, seed: int = 0) -> PairedComparison:
    """Compare two arms over paired trials.

    Args:
        first: `(pair,)`, positive.
        second: `(pair,)`, positive, the same seeds in the same order.
        seed: The seed of the bootstrap.
    """
    ours, theirs = np.asarray(first, float), np.asarray(second, float)
    logs = np.log(ours) - np.log(theirs)  # the same bits with another sign where the arms are swapped: ties stay ties
    ratio = mean_interval(logs, seed)
    return PairedComparison(
        n=len(logs),
        difference=float(np.mean(ours - theirs)),
        difference_interval=mean_interval(ours - theirs, seed),
        ratio=float(np.exp(logs.mean())),
        ratio_interval=Interval(low=float(np.exp(ratio.low)), high=float(np.exp(ratio.high))),
        spread=float(logs.std(ddof=1)) if len(logs) > 1 else np.nan,
        p=t_test(logs),
        wilcoxon_p=float(stats.wilcoxon(logs).pvalue) if len(logs) > 1 and logs.any() else np.nan,
        a12=a12(ours, theirs),
    )


def t_test(values: NDArray[np.float64]) -> float:
    """Two-sided p of a mean of 0; 1 where all values are 0, NaN for a single one."""
    if len(values) < 2:
        return np.nan
    if np.ptp(values) == 0:
        return 1.0 if values[0] == 0 else 0.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(2 * special.stdtr(len(values) - 1, -abs(values.mean() / error)))


def mean_interval(values: NDArray[np.float64], seed: int = 0) -> Interval:
    """The 95 % interval of a mean: a widened BCa bootstrap; Student's for fewer than 8 values or more than 1000.

    No bootstrap interval leaves the range of its values, so that of 5 cannot cover more than 94 % and that of 3 not
    more than 75 %; Student's does. From 8 on the bootstrap, which needs no normal distribution, covers what it should.
    A bootstrap of n values is too narrow by the factor sqrt((n - 1) / n) and by that of the normal to Student's
    distribution; its level is raised so that on normal values it is as wide as Student's. The mean of more than 1000
    is normal enough, and a bootstrap of it takes seconds and gigabytes.

    Args:
        values: `(value,)`.
        seed: The seed of the bootstrap.

    References:
        Efron, "Better Bootstrap Confidence Intervals", 1987. Hesterberg, "What Teachers Should Know About the
        Bootstrap", 2015, section 3.3 (expanded intervals).
    """
    n = len(values)
    if n < 2:
        return Interval(low=np.nan, high=np.nan)
    if np.ptp(values) <= ROUNDING * np.max(np.abs(values)):
        return Interval(low=float(values[0]), high=float(values[0]))
    if not MIN_BOOTSTRAP <= n <= MAX_BOOTSTRAP:
        half = special.stdtrit(n - 1, (1 + LEVEL) / 2) * values.std(ddof=1) / np.sqrt(n)
        return Interval(low=float(values.mean() - half), high=float(values.mean() + half))
    return _bootstrap_mean(values.tobytes(), seed)


@lru_cache(maxsize=1024)  # the terminal, the files and the report show the same intervals
def _bootstrap_mean(values_bytes: bytes, seed: int) -> Interval:
    """The widened BCa interval of a mean, of the bytes of its values."""
    values = np.frombuffer(values_bytes)
    n = len(values)
    tail = float(stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf((1 - LEVEL) / 2, n - 1)))
    interval = stats.bootstrap(
        (values,), np.mean, confidence_level=1 - 2 * tail, n_resamples=RESAMPLES, rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(low=float(interval.low), high=float(interval.high))


def median_interval(values: Sequence[float]) -> Interval:
    """The 95 % interval of a median from order statistics; NaN where there are fewer than 6 values, too few for one.

    References:
        Conover, "Practical Nonparametric Statistics", 1999, section 3.2 (`scipy.stats.quantile_test`).
    """
    interval: Any = stats.quantile_test(values, q=float(np.median(values)), p=0.5).confidence_interval(LEVEL)
    return Interval(low=float(interval.low), high=float(interval.high))


def a12(first: ArrayLike, second: ArrayLike) -> float:
    """P(first > second) + P(first = second) / 2 over all pairs of trials: 0.5 is no effect.

    References:
        Vargha & Delaney, "A Critique and Improvement of the CL Common Language Effect Size Statistics", 2000.
    """
    n, m = len(np.asarray(first)), len(np.asarray(second))
    ranks = stats.rankdata(np.concatenate([np.asarray(first, float), np.asarray(second, float)]))
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def holm(p_values: Mapping[K, float]) -> dict[K, float]:
    """Holm's correction of several p values; NaN stays NaN and does not count.

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    known = sorted(((name, p) for name, p in p_values.items() if not np.isnan(p)), key=lambda item: item[1])
    corrected, running = dict(p_values), 0.0
    for rank, (name, p) in enumerate(known):
        running = max(running, min(1.0, (len(known) - rank) * p))
        corrected[name] = running
    return corrected


def power(effect: float, spread: float, n: int) -> float:
    """The probability that the two-sided paired t-test at 5 % shows a difference.

    Args:
        effect: The true mean of the paired differences (here: of logarithms of ratios).
        spread: Their standard deviation.
        n: Pairs.

    References:
        Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988: the noncentral t distribution.
    """
    if n < 2:
        return 0.0
    critical = stats.t.ppf((1 + LEVEL) / 2, n - 1)
    shift = effect / spread * np.sqrt(n)
    if shift > CERTAIN:
        return 1.0
    upper, lower = stats.nct.sf(critical, n - 1, shift), stats.nct.cdf(-critical, n - 1, shift)
    # Far out SciPy's lower tail underflows to NaN, where it is 0.
    return float(upper + np.nan_to_num(lower))


def smallest_detectable_ratio(spread: float, n: int) -> float:
    """The smallest ratio above 1 that n pairs of this spread (of logarithms) show in 80 % of repetitions."""
    from scipy.optimize import brentq

    if n < 2 or not spread > 0:
        return np.nan
    return float(np.exp(brentq(lambda effect: power(effect, spread, n) - POWER, 1e-9 * spread, 1e3 * spread)))


def seeds_needed(ratio: float, spread: float) -> int | None:
    """The fewest pairs that show a true ratio in 80 % of repetitions; None where 10,000 are too few."""
    effect = abs(np.log(ratio))
    if not spread > 0 or effect == 0:
        return None
    low, high = 2, MAX_SEEDS
    if power(effect, spread, high) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, spread, middle) >= POWER else (middle + 1, high)
    return low


@dataclass(frozen=True, kw_only=True)
class MannWhitney:
    """Two forecasters over the series of a dataset.

    Attributes:
        u: The Mann-Whitney U of the first.
        p: Its two-sided p.
    """

    u: float
    p: float


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> MannWhitney:
    """The two-sided Mann-Whitney test of two forecasters' measures over series, `(series,)` each.

    References:
        Mann & Whitney, 1947; SciPy's `mannwhitneyu` with its defaults, as Velarde et al. call it.
    """
    if len({*first, *second}) == 1:  # SciPy would divide by a variance of 0
        return MannWhitney(u=len(first) * len(second) / 2, p=1.0)
    result = stats.mannwhitneyu(first, second, alternative="two-sided")
    return MannWhitney(u=float(result.statistic), p=float(result.pvalue))


def format_p(p: float) -> str:
    """A p value to three decimals: `0.012`, `< 0.001`."""
    return "unknown" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def state_p(p: float) -> str:
    """A p value with its name: `p = 0.012`, `p < 0.001`."""
    return f"p = {format_p(p)}" if p >= 0.001 else f"p {format_p(p)}"


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the sample standard deviation (NaN for a single value)."""
    array = np.asarray(values, float)
    if len(array) > 1 and np.ptp(array) == 0:  # their mean may be off by a rounding
        return float(array[0]), 0.0
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else float("nan")
