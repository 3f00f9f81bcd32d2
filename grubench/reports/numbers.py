"""How a number is written, and a mean with its spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from grubench.comparison.statistics import mean_and_spread

if TYPE_CHECKING:
    from collections.abc import Sequence

# What stands for NaN, infinity and a missing number.
NONE = "\N{EN DASH}"
# A smaller number is written with a power of ten.
SMALLEST = 1e-4


def format_number(value: float | None) -> str:
    """A number with four significant digits; a whole one in full."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == int(value) and (abs(value) >= 1 or value == 0):
        return f"{int(value):,}"
    return f"{value:,.{_decimals(value)}f}" if abs(value) >= SMALLEST else f"{value:.2e}"


def format_mean(values: Sequence[float], joint: str, mark: str = "") -> str:
    """The mean and, behind `joint`, the standard deviation, to the digits that it leaves sure.

    Args:
        values: Finite values; without any, a dash stands there.
        joint: What stands between mean and deviation.
        mark: What stands behind them.
    """
    if not values:
        return NONE
    mean, spread = mean_and_spread(values)
    if not spread > 0:
        return format_number(mean) + mark
    if max(abs(mean), spread) < SMALLEST:
        return f"{mean:.2e}{joint}{spread:.0e}{mark}"
    of_spread = 1 - math.floor(math.log10(spread))
    decimals = max(0, min(_decimals(mean), of_spread) if abs(mean) >= spread else of_spread)
    deviation = f"{spread:,.{decimals}f}"
    if not float(deviation.replace(",", "")):
        deviation = f"{spread:.0e}"
    text = f"{mean:,.{decimals}f}"
    if not float(text.replace(",", "")):  # a mean that is rounded to 0 has no sign
        text = text.removeprefix("-")
    return f"{text}{joint}{deviation}{mark}"


def _decimals(value: float) -> int:
    """Decimals that show four significant digits."""
    return max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
