"""By how many steps forecasts lag behind the values that they forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.data.scaling import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.data.windows import Windows

# Lags, in steps, at which forecasts are set against the actual values.
MAX_LAG = 3
# Fewer windows than this show no lag, and a smaller correlation is none.
MIN_WINDOWS = 10
MIN_CORRELATION = 0.5


def read_recent(windows: Windows, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The actual values at the first target of each forecast and at the steps before it, in the data's unit.

    Returns:
        `(forecast, lag)`, NaN where a value was filled. No step before lies in another series: the lookback does not.
    """
    first = windows.target_rows(starts).reshape(-1, windows.outputs)[:, :1]
    lags = 1 if windows.every_step else min(windows.lookback, MAX_LAG)
    rows = first - np.arange(lags + 1)
    return np.where(windows.filled[rows], np.nan, windows.actual[rows])


def find_lag(predicted: NDArray[np.floating], recent: NDArray[np.float64]) -> int | None:
    """By how many steps forecasts lag: the lag at which they correlate most with the actual values.

    Args:
        predicted: The forecasts of the first step, `(forecast,)`.
        recent: `(forecast, lag)`, from `read_recent`.

    Returns:
        The lag, 0 for forecasts in time and 1 for the last value seen again; None where no correlation reaches 0.5, or
        where the forecasts are no nearer to the value so many steps before than the actual values are.
    """
    known = ~np.isnan(recent).any(axis=1)
    columns = np.column_stack([predicted, recent])[known]
    if len(columns) < MIN_WINDOWS:
        return None
    centered = columns - columns.mean(axis=0)
    lengths = np.sqrt(np.square(centered).sum(axis=0))
    if (lengths <= ROUNDING * np.abs(columns).max() * np.sqrt(len(columns))).any():
        return None
    correlations = centered[:, 1:].T @ centered[:, 0] / (lengths[1:] * lengths[0])
    lag = int(correlations.argmax())
    before = columns[:, 1 + lag]
    is_near = np.square(columns[:, 0] - before).sum() < np.square(columns[:, 1] - before).sum()
    return lag if correlations[lag] >= MIN_CORRELATION and (is_near or not lag) else None
