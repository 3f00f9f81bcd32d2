"""What a few paired trials can tell: means, intervals, and whether a difference is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two arms over the same seeds, `first` against `second`.

    Attributes:
        n: Pairs.
        ratio: The geometric mean of first / second.
        low: The lower end of the ratio's 95 % interval; NaN for a single pair.
        high: Its upper end.
        p: Two-sided p of the paired t-test on the logarithms; NaN for a single pair.
    """

    n: int
    ratio: float
    low: float
    high: float
    p: float

    @property
    def differs(self) -> bool:
        """Whether the 95 % interval leaves out 1."""
        return self.low > 1 or self.high < 1


def paired_ratio(first: Sequence[float], second: Sequence[float]) -> Paired:
    """The ratio of two positive quantities over paired trials, with Student's interval of its logarithm.

    A ratio of times or of errors is skewed and its logarithm is not; the interval is
    `exp(mean(d) +- t(0.975, n - 1) sd(d) / sqrt(n))` with `d = log(first / second)`.

    Args:
        first: `(pair,)`, positive.
        second: `(pair,)`, positive, the same seeds in the same order.
    """
    logs = np.log(np.asarray(first, float) / np.asarray(second, float))
    n, mean = len(logs), float(logs.mean())
    if n < 2:
        return Paired(n=n, ratio=float(np.exp(mean)), low=np.nan, high=np.nan, p=np.nan)
    error = float(logs.std(ddof=1)) / np.sqrt(n)
    if error == 0:
        ratio = float(np.exp(mean))
        return Paired(n=n, ratio=ratio, low=ratio, high=ratio, p=1.0 if mean == 0 else 0.0)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return Paired(
        n=n, ratio=float(np.exp(mean)), low=float(np.exp(mean - reach)), high=float(np.exp(mean + reach)), p=p
    )


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the sample standard deviation (NaN for a single value)."""
    array = np.asarray(values, float)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else float("nan")
