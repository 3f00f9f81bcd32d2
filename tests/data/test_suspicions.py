"""What looks wrong in a column: codes for missing values, constants, the target's own future."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grubench.data.suspicions import explain_code, find_missing_codes, find_shift, is_constant


@pytest.mark.parametrize("code", [-999.0, -9999.0, 9999.0, 99999.9, -1.0])
def test_a_repeated_extreme_far_away_is_a_code(code: float) -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.9, 200)
    values[[3, 50, 120]] = code
    (found,) = find_missing_codes(values)
    assert (found.value, found.rows) == (code, 3)


def test_one_value_a_thousand_times_as_far_away_is_a_code() -> None:
    (found,) = find_missing_codes(np.r_[np.linspace(0.1, 0.9, 99), -3.4028234663852886e38])
    assert explain_code("ndvi", found).endswith("Then say --na -3.4028234663852886e+38.")


@pytest.mark.parametrize(
    "values",
    [
        np.tile([0.0, 1.0], 50),  # a switch
        np.r_[np.linspace(10, 30, 99), -99.0],  # once: an outlier, or a mistake
        np.r_[np.full(99, 5.0), -9999.0, -9999.0],  # nothing to be far from
        np.r_[np.linspace(0, 9999, 100), 9999.0],  # the range ends there
        np.r_[np.linspace(-5, 5, 100), -40.0, -40.0],  # two cold days, and no nines
        np.r_[np.zeros(50), np.linspace(1, 2, 50)],
    ],
)
def test_ordinary_values_are_none(values: np.ndarray) -> None:
    assert find_missing_codes(values) == ()


@given(st.integers(1, 48), st.integers(0, 100))
def test_the_targets_future_is_found_with_its_distance(shift: int, seed: int) -> None:
    target = np.random.default_rng(seed).normal(size=120)
    column = np.roll(target, -shift)
    assert find_shift(column, target) == shift
    assert find_shift(np.roll(target, shift), target) is None  # its past is what a feature may be
    assert find_shift(target, target) is None


def test_a_constant_target_has_no_future() -> None:
    assert find_shift(np.ones(100), np.ones(100)) is None
    assert is_constant(np.array([np.nan, 7.3, 7.3]))
    assert not is_constant(np.array([7.3, 7.4]))
    assert not is_constant(np.array([7.3]))
