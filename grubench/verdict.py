"""What a comparison shows, in plain sentences: speed, error, and whether anything beats doing nothing."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from grubench.statistics import Paired, mean_and_spread, paired_ratio

if TYPE_CHECKING:
    from grubench.comparison import Comparison
    from grubench.runs import Run

# Fewer pairs than this, and nothing is said about a difference.
LEAST_PAIRS = 3


def sentences(comparison: Comparison) -> list[str]:
    """The verdict: a sentence of speed and one of error for each pair of arms, then the baselines and the failures."""
    found = []
    for first, second in combinations(comparison.arms, 2):
        pairs = comparison.pairs(first, second)
        if pairs:
            found += [_speed(first, second, pairs), _error(first, second, pairs)]
        else:
            found.append(f"{first} and {second} share no seed that both finished: they cannot be compared in pairs.")
    found += _against_baselines(comparison)
    found += [f"{one.arm} with seed {one.seed} failed: {one.message}" for one in comparison.failures]
    return found


def _speed(first: str, second: str, pairs: list[tuple[Run, Run]]) -> str:
    kernels = [{kernel["kernel"] for kernel in run.environment["kernels"]} for pair in pairs for run in pair]
    if any(one != kernels[0] for one in kernels):
        return (
            f"Speed: {first} and {second} ran on different kernels; "
            "a ratio of their times would compare kernels, not cells."
        )
    ours, theirs = ([pair[arm].metrics["timing"]["epoch_s"] for pair in pairs] for arm in (0, 1))
    ratio = paired_ratio(theirs, ours)
    if ratio.ratio < 1:
        first, second, ratio = second, first, paired_ratio(ours, theirs)
    if ratio.n < LEAST_PAIRS:
        return (
            f"Speed: an epoch of {first} was {ratio.ratio:.2f} times as fast as one of {second}; "
            f"{_few(ratio.n)} cannot tell whether that is chance."
        )
    interval = f"95 % interval {ratio.low:.2f} to {ratio.high:.2f}, {ratio.n} pairs, steady epochs"
    if ratio.differs:
        return f"Speed: {first} trained {ratio.ratio:.2f} times as fast as {second} ({interval})."
    return f"Speed: no difference shown; {first} trained {ratio.ratio:.2f} times as fast as {second} ({interval})."


def _error(first: str, second: str, pairs: list[tuple[Run, Run]]) -> str:
    ours, theirs = ([pair[arm].metrics["test"]["overall"]["rmse_scaled"] for pair in pairs] for arm in (0, 1))
    ratio = paired_ratio(ours, theirs)
    if ratio.ratio > 1:
        first, second, ratio = second, first, paired_ratio(theirs, ours)
    less = f"{first} erred {(1 - ratio.ratio) * 100:.1f} % less than {second} on the test part"
    if ratio.n < LEAST_PAIRS:
        return f"Error: {less}; {_few(ratio.n)} cannot tell whether that is chance."
    numbers = (
        f"RMSE ratio {ratio.ratio:.3f}, 95 % interval {ratio.low:.3f} to {ratio.high:.3f}, "
        f"paired t-test p {_p(ratio)}, {ratio.n} pairs"
    )
    if ratio.differs:
        return f"Error: {less} ({numbers})."
    return f"Error: a tie; {_few(ratio.n)} cannot tell {first} and {second} apart ({numbers})."


def _few(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


def _p(ratio: Paired) -> str:
    return "< 0.001" if ratio.p < 0.001 else f"= {ratio.p:.3f}"


def _against_baselines(comparison: Comparison) -> list[str]:
    """Which arms err less than each baseline, by the mean of the seeds."""
    errors = {
        name: mean_and_spread([run.metrics["test"]["overall"]["rmse_scaled"] for run in runs])[0]
        for name, runs in comparison.arms.items()
        if runs
    }
    return [
        _against(name, measures["overall"]["rmse_scaled"], errors)
        for name, measures in comparison.runs[0].metrics["baselines"].items()
    ]


def _against(baseline: str, error: float, errors: dict[str, float]) -> str:
    what = f"{baseline}, which repeats the last {'value' if baseline == 'persistence' else 'season'}"
    if not error > 0:
        return f"Baseline: {what} makes no error at all."
    shown = ", ".join(f"{one / error:.2f} for {name}" for name, one in errors.items())
    winners = [name for name, one in errors.items() if one < error]
    everyone = len(winners) == len(errors)
    if everyone:
        who = {1: f"{winners[0]} beats", 2: "both beat"}.get(len(errors), "all beat")
    elif winners:
        who = f"only {' and '.join(winners)} {'beats' if len(winners) == 1 else 'beat'}"
    else:
        who = {1: f"{next(iter(errors))} does not beat", 2: "neither beats"}.get(len(errors), "none beats")
    return f"Baseline: {who} {what} (its RMSE times {shown})."
