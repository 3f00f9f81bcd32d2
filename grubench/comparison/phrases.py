"""Ratios of errors in words: how much lower an error is, how sure that is, and how much better a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.comparison.statistics import ALPHA, format_apart, format_level

if TYPE_CHECKING:
    from grubench.comparison.decision import Decision
    from grubench.comparison.statistics import Interval

# From this ratio on decimals say nothing; below the other, so many decimals are all zeros.
LARGE_RATIO, SMALL_RATIO = 100, 0.001

# From this ratio on a difference is said as "times", below it as a percentage.
TIMES = 1.5
MANY_TIMES = 1000


def write_ratio(ratio: float, decimals: int) -> str:
    """A ratio, which is not rounded to 1; a large one as a whole number."""
    if ratio >= LARGE_RATIO:
        return f"{ratio:,.0f}"
    if ratio >= 10:  # three significant digits
        decimals = 1
    elif ratio < 0.1:
        decimals = max(decimals, 3)
    return format_apart(ratio, 1, decimals) if ratio >= SMALL_RATIO else f"< {SMALL_RATIO:g}"


def write_interval(interval: Interval, decimals: int, alpha: float = ALPHA) -> str:
    """The interval of a ratio, with its level where that is not 95 %: `0.612 to 0.801; 98.3 %`; `any` without ends."""
    level = "" if alpha == ALPHA else f"; {format_level(alpha)}"
    if interval.high == float("inf"):  # too few seeds for any bound
        return f"any{level}"
    return f"{write_ratio(interval.low, decimals)} to {write_ratio(interval.high, decimals)}{level}"


def say_faster(ratio: float) -> str:
    """How many times as fast, or as long; near 1 with two decimals."""
    return f"{ratio:.1f}" if ratio >= 1.15 else f"{ratio:.2f}"


def say_times(ratio: float) -> str:
    """A ratio as so many times; of a large one decimals say nothing."""
    return f"{ratio:.1f}" if ratio < MANY_TIMES else f"more than {MANY_TIMES:,}"


def say_share(share: float) -> str:
    """A share of 1 as a percentage; of a small one the first digit, and none of one that nobody would see."""
    percent = share * 100
    if percent >= 1:
        return f"{percent:.0f} %"
    return f"{percent:.1g} %" if percent >= 0.1 else "less than 0.1 %"


def say_how_much_lower(decision: Decision) -> str:
    """By how much the lower is lower: `4 %`."""
    return say_share(1 - (decision.ratio if decision.ratio < 1 else 1 / decision.ratio))


def say_lower(decision: Decision) -> str:
    """How the lower compares with the other: `4 % lower RMSE than LSTM`, and over how many settings."""
    over = say_settings(decision)
    if decision.lost:
        share = max(decision.superiority, 1 - decision.superiority) * 100
        return (
            f"lower RMSE than {decision.higher}{over} in {share:.0f} % of all pairs of a trial of each "
            "(failed and stuck ones count as worst)"
        )
    return f"{say_how_much_lower(decision)} lower RMSE than {decision.higher}{over}"


def say_settings(decision: Decision) -> str:
    """Over how many settings cells are compared; empty for two arms."""
    return f" over {len(decision.pair.arms)} settings" if decision.pair.is_of_cells else ""


def say_how_sure(decision: Decision) -> str:
    """The interval of the share by which the lower is lower, in brackets; empty where ranks decided."""
    if decision.lost:
        return ""
    return f" ({_say_shares(decision, decision.interval, decision.alpha)})"


def say_how_small(decision: Decision) -> str:
    """The interval that lies within the margin, of the share by which the lower is lower, in brackets."""
    return f" ({_say_shares(decision, decision.within, 2 * decision.within_alpha)})"


def _say_shares(decision: Decision, interval: Interval, alpha: float) -> str:
    """An interval of the share by which the lower is lower: `95 % interval 20 to 39 %`; one above 0 has no 0 in it."""
    low, high = interval.low, interval.high
    least, most = (1 - high, 1 - low) if decision.first_is_lower else (1 - 1 / low, 1 - 1 / high)
    ends = [100 * least, 100 * most]
    decimals = next(number for number in (0, 1, 2, 3) if number == 3 or len({f"{end:.{number}f}" for end in ends}) > 1)
    texts = [format_apart(end, 0, max(decimals, int(least < 0.01))) for end in ends]
    return f"{format_level(alpha)} interval {' to '.join(texts)} %"


def say_ends(decision: Decision) -> str:
    """How much lower and how much higher the lower may be."""
    low, high = decision.interval.low, decision.interval.high
    if high == float("inf"):
        return "anything"
    if not decision.first_is_lower:
        low, high = 1 / high, 1 / low
    return f"anything from {say_share(1 - low)} lower to {say_share(high - 1)} higher"


def say_baseline_is_better(decision: Decision, network: str) -> str:
    """How a baseline compares with a network that is shown to be worse: `is 2.6 times better than the network`.

    Args:
        decision: The network against the baseline.
        network: The network in words.
    """
    if decision.lost:
        return f"is better than {network} in {decision.superiority * 100:.0f} % of its trials, lost ones too"
    if decision.ratio >= TIMES:
        return f"is {say_times(decision.ratio)} times better than {network}"
    return f"has {say_share(1 - 1 / decision.ratio)} lower RMSE than {network}"
