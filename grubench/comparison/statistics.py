"""What a few paired trials can tell: means with their uncertainty, tests, and corrections for several of them.

NumPy in, frozen dataclass out. Trials are paired by their seed. Over seeds Student's t on the logarithms of ratios
decides; over seeds and series the same with the variance of crossed random effects, so that both would have to be
others. Windows that overlap are not independent, and are never tested as if they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

K = TypeVar("K")

ALPHA = 0.05
LEVEL = 1 - ALPHA
# Logarithms of ratios that differ by less are equal but for the rounding of float32.
ROUNDING = 1e-6
# No number is written with more.
MOST_DECIMALS = 9


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An interval of an estimate.

    Attributes:
        low: Its lower end; NaN where there are too few values.
        high: Its upper end.
    """

    low: float
    high: float

    def exp(self) -> Interval:
        """That of a ratio, from that of its logarithm."""
        return Interval(low=float(np.exp(self.low)), high=float(np.exp(self.high)))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds, or over seeds and series, and what its uncertainty is made of.

    Attributes:
        mean: The mean.
        seeds: How many seeds there are.
        series: How many series; 0 where the mean is over seeds alone.
        of_seeds: Variance of a seed's mean over the seeds; NaN where nothing can be said of other seeds.
        of_series: Variance of the mean that the series bring.
        of_both: Variance of the mean that is neither the seeds' nor the series' alone; it is in both of the others.
    """

    mean: float
    seeds: int
    series: int = 0
    of_seeds: float
    of_series: float = 0.0
    of_both: float = 0.0

    @property
    def spread(self) -> float:
        """The sample standard deviation over the seeds."""
        return float(np.sqrt(self.of_seeds))

    @property
    def variance(self) -> float:
        """The variance of the mean."""
        seeds = self.of_seeds / self.seeds
        return float(np.max([seeds + self.of_series - self.of_both, seeds, self.of_series]))

    @property
    def freedom(self) -> float:
        """Degrees of freedom, after Welch and Satterthwaite; of seeds alone one fewer than there are."""
        if not self.series:
            return self.seeds - 1
        seeds = self.of_seeds / self.seeds
        parts = seeds**2 / (self.seeds - 1) + self.of_series**2 / (self.series - 1)
        fewest, most = min(self.seeds, self.series) - 1, self.seeds + self.series - 2
        return float(np.clip(self.variance**2 / parts if parts > 0 else fewest, fewest, most))

    def p(self) -> float:
        """Two-sided p of a mean of 0; NaN where nothing can be said of other seeds."""
        if not self.variance > 0:
            return float("nan")
        return float(2 * special.stdtr(self.freedom, -abs(self.mean) / np.sqrt(self.variance)))

    def p_within(self, limit: float) -> float:
        """The p of two one-sided tests of a mean that is not between -limit and limit (Schuirmann 1987)."""
        if not self.variance > 0:
            return float("nan")
        return float(special.stdtr(self.freedom, (abs(self.mean) - limit) / np.sqrt(self.variance)))

    def interval(self, level: float = LEVEL) -> Interval:
        """Student's interval of the mean."""
        if not self.variance > 0:
            return Interval(low=float("nan"), high=float("nan"))
        half = float(special.stdtrit(self.freedom, (1 + level) / 2) * np.sqrt(self.variance))
        return Interval(low=self.mean - half, high=self.mean + half)

    def interval_within(self, alpha: float) -> Interval:
        """The interval that lies within a limit where `p_within` of it is below alpha."""
        return self.interval(1 - 2 * alpha)


def estimate_over_seeds(values: ArrayLike) -> Estimate:
    """The mean of paired values over seeds. Of one value, or of equal ones, nothing follows for other seeds.

    Args:
        values: `(seed,)`.
    """
    array = np.asarray(values, float)
    known = len(array) > 1 and not _are_equal(array)
    return Estimate(
        mean=float(array.mean()), seeds=len(array), of_seeds=float(array.var(ddof=1)) if known else float("nan")
    )


def estimate_over_series(values: ArrayLike) -> Estimate:
    """The mean of paired values over seeds and series, both taken as drawn from many.

    Where every seed says the same of each series, nothing follows for other seeds.

    With `va` the variance of the seeds' means over n, `vb` that of the series' means over m and `ve` the residual
    variance over nm, the variance of the mean is `max(va + vb - ve, va, vb)`; its degrees of freedom are
    Satterthwaite's.

    Args:
        values: `(seed, series)`, two or more of each.

    References:
        Owen, "The pigeonhole bootstrap", 2007 (the variance of crossed random effects).
    """
    array = np.asarray(values, float)
    seeds, series = array.shape
    if seeds < 2 or all(_are_equal(of_series) for of_series in array.T):
        return Estimate(mean=float(array.mean()), seeds=seeds, series=series, of_seeds=float("nan"))
    of_seed, of_series, mean = array.mean(axis=1), array.mean(axis=0), float(array.mean())
    residual = array - of_seed[:, None] - of_series + mean
    freedom = (seeds - 1) * (series - 1)
    return Estimate(
        mean=mean,
        seeds=seeds,
        series=series,
        of_seeds=float(of_seed.var(ddof=1)),
        of_series=float(of_series.var(ddof=1) / series),
        of_both=float(np.square(residual).sum() / freedom / array.size),
    )


def _are_equal(values: NDArray[np.float64]) -> bool:
    """Whether values are the same but for rounding."""
    return bool(np.ptp(values) <= ROUNDING * max(1.0, float(np.max(np.abs(values)))))


def wilcoxon(values: NDArray[np.float64]) -> float:
    """Two-sided p of the Wilcoxon signed-rank test of a median of 0; it cannot fall below 2 / 2^n. NaN without values.

    Args:
        values: `(pair,)`.
    """
    return float(stats.wilcoxon(values).pvalue) if len(values) > 1 and values.any() else float("nan")


def a12(first: ArrayLike, second: ArrayLike) -> float:
    """P(first > second) + P(first = second) / 2 over all pairs of trials: 0.5 is no effect.

    References:
        Vargha & Delaney, "A Critique and Improvement of the CL Common Language Effect Size Statistics", 2000.
    """
    n, m = len(np.asarray(first)), len(np.asarray(second))
    ranks = stats.rankdata(np.concatenate([np.asarray(first, float), np.asarray(second, float)]))
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def median_interval(values: Sequence[float]) -> Interval:
    """The 95 % interval of a median from order statistics; NaN where there are fewer than 6 values, too few for one.

    References:
        Conover, "Practical Nonparametric Statistics", 1999, section 3.2 (`scipy.stats.quantile_test`).
    """
    interval: Any = stats.quantile_test(values, q=float(np.median(values)), p=0.5).confidence_interval(LEVEL)
    return Interval(low=float(interval.low), high=float(interval.high))


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """One of several tests after Holm's correction.

    Attributes:
        p: The corrected p; NaN where there was none.
        alpha: The level at which this test is decided: p before the correction is below it where, and only where, the
            corrected p is below the level of all tests. An interval of 1 - alpha says the same as the decision.
    """

    p: float
    alpha: float


def correct(p_values: Mapping[K, float], families: int = 1) -> dict[K, Corrected]:
    """Holm's correction of several p values, at 5 % for all of them; NaN stays NaN and does not count.

    Args:
        p_values: By the name of the test.
        families: Families of tests that share the 5 %, this one among them, each an equal part of it (Bonferroni).

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    known = sorted(((name, p) for name, p in p_values.items() if not np.isnan(p)), key=lambda item: item[1])
    corrected = {name: Corrected(p=float("nan"), alpha=ALPHA / families / max(len(known), 1)) for name in p_values}
    largest, alpha = 0.0, 0.0
    for rank, (name, p) in enumerate(known):
        multiplier = (len(known) - rank) * families
        if largest < ALPHA:  # after the first that is not rejected, no other is
            alpha = ALPHA / multiplier
        largest = max(largest, min(1.0, multiplier * p))
        corrected[name] = Corrected(p=largest, alpha=alpha)
    return corrected


@dataclass(frozen=True, kw_only=True)
class MannWhitney:
    """Two groups of values by their ranks.

    Attributes:
        u: The Mann-Whitney U of the first.
        p: Its two-sided p.
    """

    u: float
    p: float


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> MannWhitney:
    """The two-sided Mann-Whitney test of two groups of values; infinite ones are the largest, and equal.

    References:
        Mann & Whitney, 1947; SciPy's `mannwhitneyu` with its defaults, as Velarde et al. call it.
    """
    if len({*first, *second}) == 1:  # SciPy would divide by a variance of 0
        return MannWhitney(u=len(first) * len(second) / 2, p=1.0)
    ranks = stats.rankdata([*first, *second])
    result = stats.mannwhitneyu(ranks[: len(first)], ranks[len(first) :], alternative="two-sided")
    return MannWhitney(u=float(result.statistic), p=float(result.pvalue))


def bound_share(count: int, total: int) -> float:
    """The upper end of the exact one-sided 95 % interval of a share.

    References:
        Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934.
    """
    return 1.0 if count == total else float(stats.beta.ppf(LEVEL, count + 1, total - count))


def format_p(p: float) -> str:
    """A p value to three decimals, more where they would hide on which side of 5 % it is: `0.012`, `< 0.001`."""
    if np.isnan(p):
        return "unknown"
    return "< 0.001" if p < 0.001 else format_apart(p, ALPHA, 3)


def format_level(alpha: float) -> str:
    """The level of an interval, from that of its test: `97.5 %`."""
    return f"{(1 - alpha) * 100:.3g} %"


def format_apart(value: float, limit: float, decimals: int) -> str:
    """A number that is not rounded to a limit which it does not have: with more decimals where it lies near.

    Args:
        value: The number.
        limit: What it must not seem to be.
        decimals: How many decimals it has elsewhere.
    """
    while decimals < MOST_DECIMALS and value != limit and float(f"{value:.{decimals}f}") == limit:
        decimals += 1
    return f"{value:.{decimals}f}"


def state_p(p: float) -> str:
    """A p value with its name: `p = 0.012`, `p < 0.001`."""
    return f"p = {format_p(p)}" if p >= 0.001 else f"p {format_p(p)}"


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the sample standard deviation (NaN for a single value)."""
    array = np.asarray(values, float)
    if len(array) > 1 and np.ptp(array) == 0:  # their mean may be off by a rounding
        return float(array[0]), 0.0
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else float("nan")
