"""The season of a file of the user's own: from the calendar, and only where the training part bears it out."""

from __future__ import annotations

import numpy as np
import pytest

from grubench.data import season
from grubench.data.series import Series


def make(values: np.ndarray, step: str) -> Series:
    """Values one step apart, from 1 January 2020 on."""
    number, unit = int(step[:-1] or 1), step[-1]
    time = np.datetime64("2020-01-01", unit) + number * np.arange(len(values))
    return Series(name="s", values=values[:, None], columns=("x",), time=time.astype("datetime64[us]"))


def find(values: np.ndarray, step: str) -> season.FoundSeason:
    made = make(values, step)
    return season.find_season([made], [made.target])


def wave(period: int, seasons: int, noise: float = 0.3) -> np.ndarray:
    """A sine wave on a trend and a random walk, with noise."""
    rows = np.arange(period * seasons)
    draw = np.random.default_rng(0).normal(size=(2, len(rows)))
    return np.sin(2 * np.pi * rows / period) + noise * draw[0] + 0.05 * draw[1].cumsum() + 0.01 * rows


@pytest.mark.parametrize(
    ("step", "period", "name"),
    [
        ("1h", 24, "a day"),
        ("30m", 48, "a day"),
        ("5m", 288, "a day"),
        ("1m", 1440, "a day"),
        ("6h", 4, "a day"),
        ("1D", 7, "a week"),
        ("7D", 52, "a year"),
        ("1M", 12, "a year"),
        ("3M", 4, "a year"),
        ("1s", 60, "a minute"),
        ("1h", 168, "a week"),
        ("1D", 365, "a year"),
    ],
)
def test_a_season_of_the_calendar_is_found_and_says_why(step: str, period: int, name: str) -> None:
    found = find(wave(period, 10), step)
    assert found.steps == period
    assert found.reason.startswith(f"Season of {period} steps: {name}, autocorrelation 0.")
    assert found.reason.endswith("in the training part.")


@pytest.mark.parametrize("period", [5, 17, 30, 36])
def test_a_season_that_the_calendar_does_not_have_is_none(period: int) -> None:
    assert find(wave(period, 20), "1h").steps == 0


@pytest.mark.parametrize("kind", ["white noise", "random walk", "trend"])
@pytest.mark.parametrize(("step", "rows"), [("1h", 200), ("1h", 1500), ("1D", 40), ("1D", 300), ("1M", 60), ("3M", 30)])
def test_chance_is_seldom_taken_for_a_season(kind: str, step: str, rows: int) -> None:
    draw = np.random.default_rng(1).normal(size=(100, rows))
    values = {"white noise": draw, "random walk": draw.cumsum(axis=1), "trend": draw + 0.3 * np.arange(rows)}[kind]
    assert sum(find(row, step).steps > 0 for row in values) <= 4


def test_why_there_is_none_is_said() -> None:
    assert "the autocorrelation" not in find(np.ones(100), "1M").reason
    rows = np.random.default_rng(0).normal(size=500)
    assert find(rows, "1h").reason.startswith("No season: a day (24 steps) has autocorrelation ")
    assert find(rows[:20], "1M").reason == (
        "No season: the training part has fewer than 3 times 12 steps (a year); --period sets one."
    )
    assert find(rows, "1Y").reason.startswith("No season: timestamps the first day of each year suggest none")
    numbered = Series(name="s", values=rows[:, None], columns=("x",), time=np.arange(500))
    assert "no timestamps" in season.find_season([numbered], [rows]).reason


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9 / 3])
def test_a_constant_has_none(constant: float) -> None:
    assert find(np.full(500, constant), "1h").steps == 0


def test_the_test_part_has_no_say() -> None:
    made = make(np.concatenate([np.random.default_rng(0).normal(size=300), wave(24, 30)]), "1h")
    assert season.find_season([made], [made.target[:300]]).steps == 0


@pytest.mark.parametrize("period", [4, 7])
def test_the_level_is_the_centered_mean_of_one_season(period: int) -> None:
    values = np.random.default_rng(0).normal(size=40)
    half = period // 2
    weights = np.full(2 * half + 1, 1 / period)
    if period % 2 == 0:
        weights[[0, -1]] /= 2
    expected = [
        values[row] - sum(weights * values[row - half : row + half + 1]) for row in range(half, len(values) - half)
    ]
    np.testing.assert_allclose(season._remove_level(values, period), expected, atol=1e-12)
