"""Baselines against plain loops."""

from __future__ import annotations

import numpy as np
from conftest import make_dataset, make_series
from hypothesis import given, settings
from hypothesis import strategies as st

from grubench.data import windows
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Window
from grubench.training import baselines


@settings(max_examples=40)
@given(st.integers(4, 12), st.integers(1, 9), st.integers(2, 4))
def test_baselines_equal_plain_loops(lookback: int, horizon: int, period: int) -> None:
    cut = windows.build(
        make_dataset(), Experiment(window=Window(lookback=lookback, horizon=horizon, test=30, validation=0))
    )
    starts = cut.index("test")
    found = baselines.forecast_all(cut, starts, period)
    inputs = make_series().target[starts[:, None] + np.arange(lookback)]
    for window in range(len(starts)):
        assert set(found["persistence"][window]) == {inputs[window, -1]}
        season = inputs[window, -period:]
        expected = [season[step % period] for step in range(horizon)]
        np.testing.assert_array_equal(found["seasonal"][window], np.array(expected))


def test_a_season_longer_than_the_lookback_is_left_out() -> None:
    cut = windows.build(make_dataset(), Experiment(window=Window(lookback=6)))
    assert list(baselines.forecast_all(cut, cut.index("test"), 7)) == ["persistence"]
    assert list(baselines.forecast_all(cut, cut.index("test"), 0)) == ["persistence"]


def test_a_season_of_one_step_is_persistence_and_no_row_of_its_own() -> None:
    cut = windows.build(make_dataset(), Experiment(window=Window(lookback=6)))
    assert list(baselines.forecast_all(cut, cut.index("test"), 1)) == ["persistence"]


def test_persistence_at_every_step_repeats_the_step_before() -> None:
    cut = windows.build(make_dataset(), Experiment(window=Window(lookback=6, every_step=True)))
    starts = cut.index("test")
    steps_in = make_series().target[starts[:, None] + np.arange(6)]
    np.testing.assert_array_equal(baselines.persistence(cut, starts), steps_in)
