"""Statistics against SciPy's and R's own, brute force, and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from grubench.comparison import statistics
from grubench.comparison.statistics import correct, estimate_over_seeds, estimate_over_series, mean_and_spread

values = st.lists(st.floats(-2, 2), min_size=3, max_size=12)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@settings(max_examples=50)
@given(values)
def test_over_seeds_it_is_scipys_t_test(logs: list[float]) -> None:
    assume(np.std(logs) > 1e-6)
    found, reference = estimate_over_seeds(logs), stats.ttest_1samp(logs, 0)
    assert found.p() == pytest.approx(reference.pvalue, rel=1e-6)
    for level in (0.9, 0.95, 0.999):
        expected = reference.confidence_interval(level)
        assert (found.interval(level).low, found.interval(level).high) == pytest.approx(tuple(expected), rel=1e-6)


@settings(max_examples=50)
@given(values, st.floats(0.0001, 0.2))
def test_interval_and_test_never_contradict_each_other(logs: list[float], alpha: float) -> None:
    found = estimate_over_seeds(logs)
    assume(abs(found.p() - alpha) > 1e-9)
    interval = found.interval(1 - alpha)
    assert (found.p() < alpha) is not (interval.low <= 0 <= interval.high)


@settings(max_examples=50)
@given(values)
def test_swapping_the_arms_changes_the_sign_alone(logs: list[float]) -> None:
    there, back = estimate_over_seeds(logs), estimate_over_seeds([-log for log in logs])
    assert there.mean == -back.mean
    assert (there.p(), there.interval().low) == (
        pytest.approx(back.p(), nan_ok=True),
        pytest.approx(-back.interval().high, nan_ok=True),
    )


@pytest.mark.parametrize("logs", [[0.5], [0.0, 0.0, 0.0], [0.7, 0.7, 0.7], [0.1 + 1e-16, 0.1, 0.1, 0.1]])
def test_nothing_follows_from_one_value_or_equal_ones(logs: list[float]) -> None:
    found = estimate_over_seeds(logs)
    assert math.isnan(found.p())
    assert math.isnan(found.interval().low)
    both = estimate_over_series(np.tile(np.array(logs)[:, None], 4))
    assert math.isnan(both.p())


class TestSeedsAndSeries:
    def test_the_variance_is_that_of_its_formula(self) -> None:
        """Against the definition, mean square by mean square."""
        values = np.random.default_rng(3).normal(size=(4, 6))
        mean = values.mean()
        seeds = sum((row.mean() - mean) ** 2 for row in values) / 3
        series = sum((column.mean() - mean) ** 2 for column in values.T) / 5
        residual = sum(
            (values[s, j] - values[s].mean() - values[:, j].mean() + mean) ** 2 for s in range(4) for j in range(6)
        )
        va, vb, ve = seeds / 4, series / 6, residual / (3 * 5) / 24
        variance = max(va + vb - ve, va, vb)
        freedom = min(max(variance**2 / (va**2 / 3 + vb**2 / 5), 3), 8)
        found = estimate_over_series(values)
        assert found.variance == pytest.approx(variance)
        assert found.freedom == pytest.approx(freedom)
        assert found.p() == pytest.approx(2 * stats.t.sf(abs(mean) / np.sqrt(variance), freedom))

    def test_series_that_move_together_are_one(self) -> None:
        """Where all series show the same, the series add nothing, and it is the test over seeds."""
        seeds = np.array([0.1, 0.3, -0.2, 0.25, 0.2])
        found, alone = estimate_over_series(np.tile(seeds[:, None], 7)), estimate_over_seeds(seeds)
        assert (found.mean, found.variance) == (pytest.approx(alone.mean), pytest.approx(alone.variance))
        assert found.freedom == alone.freedom

    @pytest.mark.parametrize(("seeds", "series"), [(3, 4), (5, 8), (10, 20)])
    @pytest.mark.parametrize("spreads", [(1, 1, 1), (1, 0.1, 0.5), (0.1, 1, 0.5), (0, 0, 1)])
    def test_equal_arms_are_called_different_in_five_percent(
        self, seeds: int, series: int, spreads: tuple[float, float, float]
    ) -> None:
        draw = np.random.default_rng(seeds)
        of_seed, of_series, of_both = spreads
        calls = []
        for _ in range(1000):
            values = of_seed * draw.normal(size=(seeds, 1)) + of_series * draw.normal(size=(1, series))
            calls.append(estimate_over_series(values + of_both * draw.normal(size=(seeds, series))).p() < 0.05)
        assert np.mean(calls) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


class TestCorrection:
    @settings(max_examples=50)
    @given(p_values)
    def test_it_is_holms(self, p: list[float]) -> None:
        """Against closed testing: every set of tests with this one is rejected by Bonferroni's."""
        found = correct(dict(enumerate(p)))
        for number in range(len(p)):
            sets = (some for size in range(1, len(p) + 1) for some in itertools.combinations(range(len(p)), size))
            expected = max(min(1, len(some) * min(p[one] for one in some)) for some in sets if number in some)
            assert found[number].p == pytest.approx(expected)

    @settings(max_examples=100)
    @given(p_values, st.integers(1, 3))
    def test_the_level_of_a_test_says_what_its_corrected_p_says(self, p: list[float], families: int) -> None:
        found = correct(dict(enumerate(p)), families)
        for number, before in enumerate(p):
            assume(abs(before - found[number].alpha) > 1e-12)
            assert (before < found[number].alpha) is (found[number].p < statistics.ALPHA)

    def test_what_was_not_tested_does_not_count(self) -> None:
        found = correct({"a": 0.02, "b": math.nan, "c": 0.03})
        assert (found["a"].p, found["c"].p) == (0.04, 0.04)
        assert math.isnan(found["b"].p)

    def test_r(self) -> None:
        # p.adjust(c(0.01, 0.04, 0.03), "holm")
        found = correct({"a": 0.01, "b": 0.04, "c": 0.03})
        assert [one.p for one in found.values()] == pytest.approx([0.03, 0.06, 0.06])


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
    assert statistics.wilcoxon(logs) == pytest.approx(np.mean(np.array(sums) >= observed - 1e-9))


def test_a12_by_brute_force() -> None:
    first, second = [1.0, 2.0, 2.0], [2.0, 0.0]
    larger = sum((one > other) + 0.5 * (one == other) for one in first for other in second)
    assert statistics.a12(first, second) == larger / 6


class TestFiguresOfR:
    """What R 4.2.2 prints, with the call that made it (`options(digits = 10)`)."""

    X = (0.98, 1.05, 1.12, 0.93, 1.2)
    Y = (1.1, 1.21, 1.15, 1.08, 1.31)

    def test_paired_t_test(self) -> None:
        found = estimate_over_seeds(np.log(self.X) - np.log(self.Y))
        # t.test(log(x), log(y), paired = TRUE)$p.value, and exp() of its $conf.int
        assert found.p() == pytest.approx(0.009453727348, rel=1e-8)
        assert found.interval().exp().low == pytest.approx(0.8470182121, rel=1e-8)
        assert found.interval().exp().high == pytest.approx(0.9585127841, rel=1e-8)

    def test_wilcoxon_signed_rank(self) -> None:
        # wilcox.test(log(x), log(y), paired = TRUE, exact = TRUE)$p.value
        assert statistics.wilcoxon(np.log(self.X) - np.log(self.Y)) == pytest.approx(0.0625)
        seven = (0.98, 1.05, 1.12, 0.93, 1.2, 1.31, 0.87), (1.1, 0.91, 1.15, 1.08, 1.11, 1.46, 0.89)
        assert statistics.wilcoxon(np.log(seven[0]) - np.log(seven[1])) == pytest.approx(0.46875)

    def test_mann_whitney(self) -> None:
        g = [0.0492, 0.0611, 0.0553, 0.0347, 0.0402, 0.0388, 0.0362, 0.0577, 0.0490, 0.0521]
        l = [0.0541, 0.0633, 0.0592, 0.0411, 0.0477, 0.0450, 0.0423, 0.0595, 0.0535, 0.0568]  # noqa: E741
        # wilcox.test(g, l, exact = FALSE, correct = TRUE); wilcox.test(g[1:6], l[1:6], exact = TRUE)
        large, small = statistics.mann_whitney(g, l), statistics.mann_whitney(g[:6], l[:6])
        assert (large.u, large.p) == (34, pytest.approx(0.241321593, rel=1e-8))
        assert (small.u, small.p) == (12, pytest.approx(0.3939393939, rel=1e-8))


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


def test_lost_trials_are_the_last_and_equal() -> None:
    """Where two of five are infinite, against the same ranks written down."""
    first, second = [1.0, 2.0, math.inf, math.inf, 1.5], [3.0, 4.0, 5.0, 6.0, 7.0]
    by_ranks = stats.mannwhitneyu([1, 3, 9.5, 9.5, 2], [4, 5, 6, 7, 8])
    assert statistics.mann_whitney(first, second).p == pytest.approx(by_ranks.pvalue)


@pytest.mark.parametrize(
    ("count", "total", "bound"),
    [(0, 3, 0.6315969), (0, 20, 0.1391083), (1, 5, 0.6574083), (3, 3, 1.0)],
)
def test_the_bound_of_a_share_is_exact(count: int, total: int, bound: float) -> None:
    # binom.test(count, total, alternative = "less")$conf.int[2]
    assert statistics.bound_share(count, total) == pytest.approx(bound, abs=1e-6)
    if bound < 1:
        assert stats.binom.cdf(count, total, bound) == pytest.approx(0.05, abs=1e-6)


def draws(seeds: int, effect: float, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Errors of `count` comparisons: a trial's error is log-normal, its seed's luck is shared by the arms in part."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(0, 0.05, (count, seeds))
    one, other = (draw.normal(0, 0.05, (count, seeds)) for _ in range(2))
    return list(zip(np.exp(shared + one + effect), np.exp(shared + other), strict=True))


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_equal_cells_are_called_different_in_five_percent(seeds: int) -> None:
    """A/A: 2,000 comparisons; of the sampling error of 5 % three are allowed."""
    called = [estimate_over_seeds(np.log(one / other)).p() < 0.05 for one, other in draws(seeds, 0.0, 2000, seeds)]
    assert np.mean(called) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("seeds", [3, 5, 8, 20])
def test_the_interval_covers_the_truth(seeds: int) -> None:
    found = [estimate_over_seeds(np.log(one / other)).interval() for one, other in draws(seeds, 0.1, 1000, seed=3)]
    assert 0.93 <= np.mean([interval.low <= 0.1 <= interval.high for interval in found]) <= 0.97


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
