"""Which trials came to nothing: by a gap between the errors, and by their failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration import make_comparison
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from grubench.comparison.reliability import STUCK, find_reliability, find_stuck

errors = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("errors", "stuck"),
    [
        ([0.3, 0.31, 1.2], [False, False, True]),
        ([1.2, 0.3, 1.3, 0.31, 0.29], [True, False, True, False, False]),
        ([0.3, 1.2, 0.31, 1.3], [False, True, False, True]),
        ([0.1, 0.3, 0.31, 0.32, 0.33], [False] * 5),
        ([0.3, 0.4, 0.5, 0.6, 0.7], [False] * 5),
        ([0.3, 1.2], [False, False]),
        ([0.0, 0.0, 0.3], [False] * 3),
    ],
)
def test_a_trial_far_above_most_others_is_stuck(errors: list[float], stuck: list[bool]) -> None:
    assert find_stuck(errors) == stuck


@given(errors, st.floats(0.01, 100))
def test_the_unit_does_not_matter_and_most_trials_are_never_stuck(errors: list[float], factor: float) -> None:
    stuck = find_stuck(errors)
    assert sum(stuck) <= len(errors) / 2
    assert find_stuck([error * 2 ** round(np.log2(factor)) for error in errors]) == stuck
    if any(stuck):
        fine = [error for error, flag in zip(errors, stuck, strict=True) if not flag]
        assert min(error for error, flag in zip(errors, stuck, strict=True) if flag) > STUCK * max(fine)


def test_a_trial_that_still_learns_is_not_stuck() -> None:
    values = np.ones((2, 5))
    values[0, 1] = 4
    found = make_comparison(values)
    (runs, *_) = found.arms.values()
    loss = structs.replace(runs[1].metrics.loss, late_fall=0.5)
    runs[1] = replace(runs[1], metrics=structs.replace(runs[1].metrics, loss=loss))
    assert find_reliability(found)["GRU"].lost == 0


def test_failed_and_stuck_trials_are_counted_with_their_bound() -> None:
    values = np.ones((2, 5))
    values[0, 1] = 4
    failed = np.zeros((2, 5), bool)
    failed[0, 3] = True
    found = find_reliability(make_comparison(values, failed=failed))
    assert (found["GRU"].failed, found["GRU"].stuck, found["GRU"].lost) == ({3}, {1}, 2)
    assert found["LSTM"].lost == 0
    assert found["LSTM"].bound == pytest.approx(1 - 0.05 ** (1 / 5))
