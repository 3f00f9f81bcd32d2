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
