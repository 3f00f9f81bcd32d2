"""Forecasters without parameters, in scaled values: what a network has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.spec.baselines import PERSISTENCE, SEASONAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.data.windows import Windows


def persistence(windows: Windows, starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Repeat the last value seen: the shape of `Windows.targets`."""
    if windows.every_step:
        return windows.inputs(starts)[:, :, :1]
    last = windows.rows[starts + windows.lookback - 1, 0]
    return np.repeat(last[:, None], windows.horizon, axis=1)


def seasonal(windows: Windows, starts: NDArray[np.int64], period: int) -> NDArray[np.float32]:
    """Repeat the last season seen: each step takes the value of the same step a whole number of periods before.

    Args:
        windows: The windows.
        starts: The start rows of the windows to forecast.
        period: Steps in a season, at most the lookback.
    """
    back = period * (1 + np.arange(windows.horizon) // period)
    rows = starts[:, None] + windows.lookback + np.arange(windows.horizon) - back
    repeated: NDArray[np.float32] = windows.rows[rows, 0]
    return repeated


def forecast_all(windows: Windows, starts: NDArray[np.int64], period: int) -> dict[str, NDArray[np.float32]]:
    """Every baseline that applies: the seasonal one needs a period that fits into the lookback."""
    values = {PERSISTENCE.name: persistence(windows, starts)}
    if 1 < period <= windows.lookback and not windows.every_step:
        values[SEASONAL.name] = seasonal(windows, starts, period)
    return values
