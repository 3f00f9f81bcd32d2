"""How many seeds a difference needs, against R and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from grubench.comparison.power import bound_spread, compute_power, count_seeds_needed
from grubench.comparison.statistics import Estimate, estimate_over_seeds, estimate_over_series


def power(effect: float, spread: float, n: int, alpha: float = 0.05) -> float:
    return compute_power(effect, spread / math.sqrt(n), n - 1, alpha)


def test_the_figures_of_r() -> None:
    # power.t.test(n = 10, delta = 1, sd = 1, type = "paired")$power
    assert power(1.0, 1.0, 10) == pytest.approx(0.8030962087, abs=1e-6)
    # power.t.test(n = 5, delta = 0.1, sd = 0.08, type = "paired", strict = TRUE)$power
    assert power(0.1, 0.08, 5) == pytest.approx(0.5621718247, abs=1e-6)


@pytest.mark.parametrize(("n", "effect", "alpha"), [(3, 2.0, 0.05), (5, 1.0, 0.05), (10, 1.0, 0.01), (20, 0.3, 0.025)])
def test_power_is_what_simulation_finds(n: int, effect: float, alpha: float) -> None:
    samples = np.random.default_rng(1).normal(effect, 1.0, (4000, n))
    found = np.mean(stats.ttest_1samp(samples, 0, axis=1).pvalue < alpha)
    assert power(effect, 1.0, n, alpha) == pytest.approx(found, abs=0.025)


def test_the_spread_is_bounded_from_above_in_four_of_five_cases() -> None:
    draw = np.random.default_rng(0)
    for n in (3, 5, 10):
        bounds = [bound_spread(estimate_over_seeds(draw.normal(size=n))).spread for _ in range(2000)]
        assert np.mean(np.array(bounds) > 1) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
def test_the_seeds_that_are_named_reach_the_power_in_most_cases(n: int, alpha: float) -> None:
    """Of pilots of n seeds, at least 78 % name a number of seeds that shows the effect in 80 % of repetitions."""
    draw, spread, effect = np.random.default_rng(n), 0.1, math.log(1.05)
    reached = []
    for _ in range(300):
        needed = count_seeds_needed(estimate_over_seeds(draw.normal(0, spread, n)), effect, alpha)
        reached.append(needed is None or power(effect, spread, needed, alpha) >= 0.8)
    assert np.mean(reached) >= 0.78


def test_more_seeds_do_not_help_where_the_series_differ() -> None:
    draw = np.random.default_rng(2)
    values = draw.normal(0, 1, (1, 5)) + draw.normal(0, 0.01, (6, 5))
    assert count_seeds_needed(estimate_over_series(values), math.log(1.05)) is None
    alike = draw.normal(0, 0.1, (6, 1)) + draw.normal(0, 0.001, (6, 5))
    needed = count_seeds_needed(estimate_over_series(alike), math.log(1.05))
    assert needed is not None
    assert needed == pytest.approx(count_seeds_needed(estimate_over_seeds(alike.mean(axis=1)), math.log(1.05)), abs=1)


@pytest.mark.parametrize(("seeds", "series", "spread"), [(5, 8, 0.1), (5, 8, 0.2)])
def test_more_seeds_help_where_luck_differs_from_series_to_series(seeds: int, series: int, spread: float) -> None:
    """What is neither the seeds' nor the series' own shrinks with more seeds: a number is named, and it suffices."""
    draw, effect = np.random.default_rng(seeds), math.log(1.05)
    needed = [
        count_seeds_needed(estimate_over_series(spread * draw.normal(size=(seeds, series))), effect) for _ in range(60)
    ]
    assert np.mean([one is None for one in needed]) <= 0.5
    enough = int(np.median([one for one in needed if one is not None]))
    repetitions = [
        estimate_over_series(effect + spread * draw.normal(size=(enough, series))).p() < 0.05 for _ in range(300)
    ]
    assert np.mean(repetitions) >= 0.75


def simulate_power(
    draw: np.random.Generator, effect: float, seeds: int, series: int, spreads: tuple[float, ...]
) -> float:
    """The share of 1,500 repetitions in which an effect is shown; `spreads` are of seeds, of series and of both."""
    of_seeds, of_series, of_both = spreads
    size = (1500, seeds, series)
    values = effect + of_both * draw.normal(size=size)
    values += of_seeds * draw.normal(size=(1500, seeds, 1)) + of_series * draw.normal(size=(1500, 1, series))
    rows, columns, mean = values.mean(axis=2), values.mean(axis=1), values.mean(axis=(1, 2))
    rest = values - rows[:, :, None] - columns[:, None, :] + mean[:, None, None]
    a, b = rows.var(axis=1, ddof=1) / seeds, columns.var(axis=1, ddof=1) / series
    both = (rest**2).sum(axis=(1, 2)) / ((seeds - 1) * (series - 1)) / (seeds * series)
    variance = np.maximum.reduce([a + b - both, a, b])
    freedom = variance**2 / (a**2 / (seeds - 1) + b**2 / (series - 1))
    freedom = np.clip(freedom, min(seeds, series) - 1, seeds + series - 2)
    return float(np.mean(2 * stats.t.sf(abs(mean) / np.sqrt(variance), freedom) < 0.05))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "series", "spreads", "share"),
    [
        (3, 10, (0.05, 0.03, 0.1), 0.78),
        (5, 8, (0.0, 0.03, 0.05), 0.78),
        (10, 10, (0.05, 0.0, 0.1), 0.78),
        (5, 8, (0.05, 0.05, 0.05), 0.75),  # no number of seeds is enough
        (5, 4, (0.05, 0.03, 0.1), 0.5),  # the same; four series tell little of how much series differ
    ],
)
def test_the_seeds_that_are_named_over_series_reach_the_power(
    seeds: int, series: int, spreads: tuple[float, ...], share: float
) -> None:
    """Of 300 pilots, those that name a number which is enough, or say that none is, against simulated powers."""
    draw, effect = np.random.default_rng(7), math.log(1.05)
    sizes = np.unique(np.geomspace(3, 400, 16).astype(int))
    powers = [simulate_power(draw, effect, int(size), series, spreads) for size in sizes]
    right = []
    for _ in range(300):
        values = spreads[2] * draw.normal(size=(seeds, series))
        values += spreads[0] * draw.normal(size=(seeds, 1)) + spreads[1] * draw.normal(size=(1, series))
        needed = count_seeds_needed(estimate_over_series(values), effect)
        reached = needed is None or np.interp(math.log(min(needed, 400)), np.log(sizes), powers) >= 0.795
        right.append(reached)
    assert np.mean(right) >= share


@pytest.mark.parametrize("series", [4, 10])
def test_what_series_differ_by_is_bounded_in_four_of_five_cases(series: int) -> None:
    draw = np.random.default_rng(series)
    values = draw.normal(size=(1000, 1, series)) + 0.01 * draw.normal(size=(1000, 5, series))
    bounds = [bound_spread(estimate_over_series(one)).of_series for one in values]
    assert np.mean(np.array(bounds) > 1 / series) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6])
def test_the_search_finds_the_fewest_seeds(alpha: float) -> None:
    """Against trying one number after the other."""
    draw = np.random.default_rng(9)
    for _ in range(20):
        found = estimate_over_seeds(0.05 * draw.normal(size=4))
        spread = bound_spread(found).spread
        fewest = next(n for n in range(3, 10_000) if power(0.1, spread, n, alpha) >= 0.8)
        assert count_seeds_needed(found, 0.1, alpha) == fewest


def test_without_a_spread_nothing_is_said() -> None:
    assert count_seeds_needed(Estimate(mean=0.1, seeds=3, of_seeds=math.nan), 0.05) is None
