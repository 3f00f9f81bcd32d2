"""Statistics against SciPy's, statsmodels' and R's own, brute force, and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from grubench.comparison import statistics
from grubench.comparison.statistics import compare_paired, mean_and_spread

positive = st.floats(0.1, 100)
pairs = st.lists(st.tuples(positive, positive), min_size=3, max_size=12)


@settings(max_examples=30)
@given(pairs)
def test_the_decision_is_scipys_paired_t_test_on_logarithms(values: list[tuple[float, float]]) -> None:
    first, second = np.array(values).T
    assume(np.std(np.log(first / second)) > 1e-6)
    found = compare_paired(first, second)
    assert found.p == pytest.approx(stats.ttest_rel(np.log(first), np.log(second)).pvalue, rel=1e-6)
    assert found.ratio == pytest.approx(stats.gmean(first) / stats.gmean(second))
    assert found.difference == pytest.approx(np.mean(first) - np.mean(second), abs=1e-9)


@settings(max_examples=30)
@given(pairs)
def test_swapping_the_arms_inverts_everything(values: list[tuple[float, float]]) -> None:
    first, second = np.array(values).T
    there, back = compare_paired(first, second), compare_paired(second, first)
    assert there.ratio * back.ratio == pytest.approx(1)
    assert there.a12 + back.a12 == pytest.approx(1)
    assert there.p == pytest.approx(back.p, nan_ok=True)
    assert there.wilcoxon_p == pytest.approx(back.wilcoxon_p, nan_ok=True)


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=8, unique=True))
def test_wilcoxon_is_exact(first: list[float]) -> None:
    """Against the definition: the rank sums of all 2^n ways to sign the differences."""
    draw = np.random.default_rng(len(first))
    second = draw.uniform(0.1, 10, len(first))
    logs = np.log(np.array(first) / second)
    ranks = stats.rankdata(abs(logs))
    assume(len(set(ranks)) == len(ranks))
    observed = abs(np.sum(np.sign(logs) * ranks))
    sums = [abs(np.dot(signs, ranks)) for signs in itertools.product((-1, 1), repeat=len(ranks))]
    assert compare_paired(first, second).wilcoxon_p == pytest.approx(np.mean(np.array(sums) >= observed - 1e-9))


def test_a12_by_brute_force() -> None:
    first, second = [1.0, 2.0, 2.0], [2.0, 0.0]
    larger = sum((one > other) + 0.5 * (one == other) for one in first for other in second)
    assert statistics.a12(first, second) == larger / 6


class TestFiguresOfR:
    """What R 4.2.2 prints, with the call that made it (`options(digits = 10)`)."""

    X = (0.98, 1.05, 1.12, 0.93, 1.2)
    Y = (1.1, 1.21, 1.15, 1.08, 1.31)

    def test_paired_t_test(self) -> None:
        found = compare_paired(self.X, self.Y)
        # t.test(log(x), log(y), paired = TRUE)$p.value, and exp() of its $conf.int
        assert found.p == pytest.approx(0.009453727348, rel=1e-8)
        assert found.ratio_interval.low == pytest.approx(0.8470182121, rel=1e-8)
        assert found.ratio_interval.high == pytest.approx(0.9585127841, rel=1e-8)
        # t.test(x, y, paired = TRUE)$estimate and $conf.int
        assert found.difference == pytest.approx(-0.114, rel=1e-8)
        assert found.difference_interval.low == pytest.approx(-0.1776769075, rel=1e-8)
        assert found.difference_interval.high == pytest.approx(-0.05032309254, rel=1e-8)

    def test_wilcoxon_signed_rank(self) -> None:
        # wilcox.test(log(x), log(y), paired = TRUE, exact = TRUE)$p.value
        assert compare_paired(self.X, self.Y).wilcoxon_p == pytest.approx(0.0625)
        seven = (0.98, 1.05, 1.12, 0.93, 1.2, 1.31, 0.87), (1.1, 0.91, 1.15, 1.08, 1.11, 1.46, 0.89)
        assert compare_paired(*seven).wilcoxon_p == pytest.approx(0.46875)

    def test_mann_whitney(self) -> None:
        g = [0.0492, 0.0611, 0.0553, 0.0347, 0.0402, 0.0388, 0.0362, 0.0577, 0.0490, 0.0521]
        l = [0.0541, 0.0633, 0.0592, 0.0411, 0.0477, 0.0450, 0.0423, 0.0595, 0.0535, 0.0568]  # noqa: E741
        # wilcox.test(g, l, exact = FALSE, correct = TRUE); wilcox.test(g[1:6], l[1:6], exact = TRUE)
        large, small = statistics.mann_whitney(g, l), statistics.mann_whitney(g[:6], l[:6])
        assert (large.u, large.p) == (34, pytest.approx(0.241321593, rel=1e-8))
        assert (small.u, small.p) == (12, pytest.approx(0.3939393939, rel=1e-8))

    def test_holm(self) -> None:
        # p.adjust(c(0.01, 0.04, 0.03), "holm")
        assert statistics.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})

    def test_power(self) -> None:
        # power.t.test(n = 10, delta = 1, sd = 1, type = "paired")$power
        assert statistics.power(1.0, 1.0, 10) == pytest.approx(0.8030962087, abs=1e-6)
        # power.t.test(n = 5, delta = 0.1, sd = 0.08, type = "paired", strict = TRUE)$power
        assert statistics.power(0.1, 0.08, 5) == pytest.approx(0.5621718247, abs=1e-6)
        # power.t.test(n = 5, sd = 0.08, power = 0.8, type = "paired", strict = TRUE, tol = 1e-12)$delta
        assert math.log(statistics.smallest_detectable_ratio(0.08, 5)) == pytest.approx(0.1345597573, rel=1e-8)
        # power.t.test(delta = 0.05, sd = 0.1, power = 0.8, type = "paired", strict = TRUE)$n is 33.37
        assert statistics.seeds_needed(math.exp(0.05), 0.1) == 34

    def test_bca_bootstrap(self) -> None:
        values = np.array([0.02, -0.05, 0.11, 0.08, 0.03, 0.15, -0.02, 0.07, 0.3, 0.01, 0.06, 0.04])
        # n <- 12; tail <- pnorm(sqrt(n / (n - 1)) * qt(0.025, n - 1)); set.seed(1)
        # boot.ci(boot(v, function(v, i) mean(v[i]), R = 200000), conf = 1 - 2 * tail, type = "bca")
        found = statistics.mean_interval(values)
        assert found.low == pytest.approx(0.02333333, abs=0.004)
        assert found.high == pytest.approx(0.1483333, abs=0.004)


def test_mann_whitney_by_brute_force() -> None:
    """U counts the pairs in which the first is larger; p over all ways to share out the values."""
    first, second = [0.11, 0.42, 0.35, 0.28], [0.31, 0.52, 0.61, 0.44, 0.48]
    pooled = np.array(first + second)

    def u(chosen: tuple[int, ...]) -> int:
        one, other = pooled[list(chosen)], np.delete(pooled, chosen)
        return int(np.sum(one[:, None] > other[None, :]))

    every = np.array([u(chosen) for chosen in itertools.combinations(range(9), 4)])
    found = statistics.mann_whitney(first, second)
    observed = u((0, 1, 2, 3))
    assert found.u == observed
    extreme = np.mean(np.abs(every - 10) >= abs(observed - 10))
    assert found.p == pytest.approx(extreme)


def test_power_is_what_simulation_finds() -> None:
    draw = np.random.default_rng(1)
    for n, effect in ((3, 2.0), (5, 1.0), (10, 1.0), (20, 0.3)):
        samples = draw.normal(effect, 1.0, (4000, n))
        found = np.mean(stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05)
        assert statistics.power(effect, 1.0, n) == pytest.approx(found, abs=0.025)


def test_what_is_detectable_and_what_it_needs_are_each_others_inverse() -> None:
    for spread, n in ((0.02, 5), (0.1, 8), (0.5, 12)):
        ratio = statistics.smallest_detectable_ratio(spread, n)
        assert statistics.seeds_needed(ratio * 1.0001, spread) == n
    assert statistics.seeds_needed(1.0, 0.1) is None
    assert statistics.seeds_needed(1.000001, 5.0) is None
    assert math.isnan(statistics.smallest_detectable_ratio(0.1, 1))


def draws(seeds: int, effect: float, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Errors of `count` comparisons: a trial's error is log-normal, its seed's luck is shared by the arms in part."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(0, 0.05, (count, seeds))
    one, other = (draw.normal(0, 0.05, (count, seeds)) for _ in range(2))
    return list(zip(np.exp(shared + one + effect), np.exp(shared + other), strict=True))


def called(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The share of comparisons that are called a difference."""
    return float(np.mean([statistics.t_test(np.log(one / other)) < statistics.ALPHA for one, other in pairs]))


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_equal_cells_are_called_different_in_five_percent(seeds: int) -> None:
    """A/A: 4,000 comparisons; the sampling error of 5 % is 0.34 %, of which three are allowed."""
    assert called(draws(seeds, 0.0, 4000, seed=seeds)) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.parametrize(("seeds", "effect"), [(5, 0.1), (5, 0.2), (10, 0.05), (20, 0.05)])
def test_different_cells_are_called_so_as_often_as_the_power_says(seeds: int, effect: float) -> None:
    """A/B: the spread of a paired difference is 0.05 sqrt(2)."""
    said = statistics.power(effect, 0.05 * math.sqrt(2), seeds)
    assert called(draws(seeds, effect, 4000, seed=7)) == pytest.approx(said, abs=3 * math.sqrt(0.25 / 4000))


@pytest.mark.parametrize(("seeds", "count"), [(3, 2000), (5, 2000), (8, 1000), (20, 1000)])
def test_the_interval_covers_the_truth(seeds: int, count: int) -> None:
    truth = 0.1
    found = [statistics.mean_interval(np.log(one / other)) for one, other in draws(seeds, truth, count, seed=3)]
    assert 0.93 <= np.mean([interval.low <= truth <= interval.high for interval in found]) <= 0.97


def test_a_single_value_has_no_interval() -> None:
    interval = statistics.mean_interval(np.array([1.5]))
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_without_a_spread_nothing_is_said_about_power() -> None:
    assert math.isnan(statistics.smallest_detectable_ratio(0.0, 5))
    assert statistics.seeds_needed(1.1, 0.0) is None


@pytest.mark.parametrize(
    ("p", "cell", "stated"),
    [
        (0.0123, "0.012", "p = 0.012"),
        (0.001, "0.001", "p = 0.001"),
        (0.0009, "< 0.001", "p < 0.001"),
        (math.nan, "unknown", "p unknown"),
    ],
)
def test_p_is_written_to_three_decimals(p: float, cell: str, stated: str) -> None:
    assert (statistics.format_p(p), statistics.state_p(p)) == (cell, stated)


def test_mean_and_sample_deviation() -> None:
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(math.sqrt(2)))
    assert math.isnan(mean_and_spread([1.0])[1])
