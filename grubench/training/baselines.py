"""Forecasters without parameters, on the data's own values: what a network has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.spec.baselines import PERSISTENCE, SEASONAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.data.windows import Windows


def persistence(windows: Windows, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Repeat the last value seen, in its unit: the shape of `Windows.target_rows`."""
    rows = windows.target_rows(starts)
    if windows.every_step:
        return windows.actual[rows - 1]
    return np.repeat(windows.actual[rows[:, :1] - 1], windows.horizon, axis=1)


def seasonal(windows: Windows, starts: NDArray[np.int64], period: int) -> NDArray[np.float64]:
    """Repeat the last season seen: each step takes the value of the same step a whole number of periods before.

    Args:
        windows: The windows.
        starts: The start rows of the windows to forecast.
        period: Steps in a season, at most the lookback.
    """
    back = period * (1 + np.arange(windows.horizon) // period)
    repeated: NDArray[np.float64] = windows.actual[windows.target_rows(starts) - back]
    return repeated


def forecast_all(windows: Windows, starts: NDArray[np.int64], period: int) -> dict[str, NDArray[np.float64]]:
    """Every baseline that applies: the seasonal one needs a period that fits into the lookback."""
    values = {PERSISTENCE.name: persistence(windows, starts)}
    if 1 < period <= windows.lookback and not windows.every_step:
        values[SEASONAL.name] = seasonal(windows, starts, period)
    return values
