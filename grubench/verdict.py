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
    found += _against_persistence(comparison)
    found += [f"{one.arm} with seed {one.seed} failed: {one.message}" for one in comparison.failures]
    return found


def _speed(first: str, second: str, pairs: list[tuple[Run, Run]]) -> str:
    kernels = [{kernel["kernel"] for kernel in run.environment["kernels"]} for pair in pairs for run in pair]
    if any(one != kernels[0] for one in kernels):
        return f"Speed: {first} and {second} ran on different kernels; a ratio of their times would compare kernels, not cells."
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
    return f"Speed: no difference shown; {first} against {second} {ratio.ratio:.2f} ({interval})."


def _error(first: str, second: str, pairs: list[tuple[Run, Run]]) -> str:
    ours, theirs = ([pair[arm].metrics["test"]["overall"]["rmse_scaled"] for pair in pairs] for arm in (0, 1))
    ratio = paired_ratio(ours, theirs)
    if ratio.ratio > 1:
        first, second, ratio = second, first, paired_ratio(theirs, ours)
    less = f"{(1 - ratio.ratio) * 100:.1f} %"
    if ratio.n < LEAST_PAIRS:
        return f"Error: {first} erred {less} less than {second} (test RMSE); {_few(ratio.n)} cannot tell whether that is chance."
    numbers = f"RMSE ratio {ratio.ratio:.3f}, 95 % interval {ratio.low:.3f} to {ratio.high:.3f}, p {_p(ratio)}, {ratio.n} pairs"
    if ratio.differs:
        return f"Error: {first} erred {less} less than {second} on the test part ({numbers})."
    return f"Error: a tie; {_few(ratio.n)} cannot tell {first} and {second} apart ({numbers})."


def _few(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


def _p(ratio: Paired) -> str:
    return "< 0.001" if ratio.p < 0.001 else f"= {ratio.p:.3f}"


def _against_persistence(comparison: Comparison) -> list[str]:
    """Which arms beat repeating the last value: skill above 0 on the mean of the seeds."""
    skills = {
        name: mean_and_spread([run.metrics["test"]["overall"]["skill"] for run in runs])[0]
        for name, runs in comparison.arms.items()
        if runs and all(run.metrics["test"]["overall"].get("skill") is not None for run in runs)
    }
    if not skills:
        return []
    shown = ", ".join(f"{name} {skill * 100:+.1f} %" for name, skill in skills.items())
    winners = [name for name, skill in skills.items() if skill > 0]
    if not winners:
        none = "Neither beats" if len(skills) == 2 else "None beats"
        return [f"Baseline: {none} persistence, which repeats the last value (skill {shown})."]
    if len(winners) == len(skills):
        each = "Both beat" if len(skills) == 2 else "All beat"
        return [f"Baseline: {each} persistence, which repeats the last value (skill {shown})."]
    return [f"Baseline: only {', '.join(winners)} beats persistence, which repeats the last value (skill {shown})."]
