"""Scaling against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from grubench.data.scaling import Scaling

tables = arrays(
    np.float64, st.tuples(st.integers(2, 20), st.integers(1, 4)), elements=st.integers(-1000, 1000).map(float)
)


@given(tables)
def test_min_max_is_scikit_learns(rows: np.ndarray) -> None:
    np.testing.assert_allclose(Scaling.fit("minmax", rows).apply(rows), MinMaxScaler().fit_transform(rows), atol=1e-12)


@given(tables)
def test_standard_is_scikit_learns(rows: np.ndarray) -> None:
    np.testing.assert_allclose(
        Scaling.fit("standard", rows).apply(rows), StandardScaler().fit_transform(rows), atol=1e-9
    )


@given(tables, st.sampled_from(["minmax", "standard", "none"]))
def test_targets_come_back_in_their_unit(rows: np.ndarray, kind: str) -> None:
    scaling = Scaling.fit(kind, rows)
    back = Scaling.from_dict(scaling.to_dict()).target_to_unit(scaling.apply(rows)[:, 0])
    np.testing.assert_allclose(back, rows[:, 0], atol=1e-9)


@pytest.mark.parametrize("kind", ["minmax", "standard"])
def test_a_feature_that_never_changes_is_only_shifted(kind: str) -> None:
    rows = np.full((5, 1), 3.0)
    scaling = Scaling.fit(kind, rows)
    np.testing.assert_array_equal(scaling.apply(rows), np.zeros((5, 1)))
    np.testing.assert_array_equal(scaling.apply(np.array([[5.0], [1.0]])), [[2.0], [-2.0]])


@pytest.mark.parametrize("kind", ["minmax", "standard"])
@pytest.mark.parametrize("value", [14.62, -0.1, 1.7e9, 1e-20])
def test_a_feature_that_is_constant_but_for_rounding_is_only_shifted(kind: str, value: float) -> None:
    rows = np.full((501, 1), value)
    rows[::3] *= 1 + 2e-16
    scaling = Scaling.fit(kind, rows)
    assert scaling.factor.tolist() == [1.0]
    assert scaling.apply(np.array([[value + 0.5]])) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("kind", ["minmax", "standard"])
def test_hundredths_of_a_large_meter_are_no_rounding(kind: str) -> None:
    rows = 1.7e9 + np.arange(10.0)[:, None] / 100
    assert Scaling.fit(kind, rows).factor[0] < 0.1


@pytest.mark.parametrize("kind", ["minmax", "standard"])
def test_values_whose_squares_are_zero_are_scaled(kind: str) -> None:
    rows = np.linspace(0, 1e-300, 11)[:, None]
    assert 0.5 < np.ptp(Scaling.fit(kind, rows).apply(rows)) < 5
