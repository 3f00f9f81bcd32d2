"""Statistics against SciPy's own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from grubench.statistics import mean_and_spread, paired_ratio

pairs = st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.1, 100)), min_size=2, max_size=12)


@given(pairs)
def test_the_ratio_is_scipys_paired_t_test_on_logarithms(values: list[tuple[float, float]]) -> None:
    first, second = np.array(values).T
    assume(np.std(np.log(first / second)) > 1e-6)
    ours = paired_ratio(first, second)
    theirs = stats.ttest_rel(np.log(first), np.log(second))
    low, high = np.exp(theirs.confidence_interval(0.95))
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert (ours.low, ours.high) == (pytest.approx(low, rel=1e-6), pytest.approx(high, rel=1e-6))
    assert ours.ratio == pytest.approx(stats.gmean(first) / stats.gmean(second))
    assert ours.differs == (theirs.pvalue < 0.05)


@given(pairs)
def test_swapping_the_arms_inverts_the_ratio(values: list[tuple[float, float]]) -> None:
    first, second = np.array(values).T
    there, back = paired_ratio(first, second), paired_ratio(second, first)
    assert there.ratio * back.ratio == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1)


def test_one_pair_has_no_interval() -> None:
    found = paired_ratio([2.0], [1.0])
    assert found.ratio == pytest.approx(2)
    assert math.isnan(found.low)
    assert not found.differs


def test_equal_arms_do_not_differ() -> None:
    assert not paired_ratio([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).differs


def test_mean_and_sample_deviation() -> None:
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(math.sqrt(2)))
    assert math.isnan(mean_and_spread([1.0])[1])
