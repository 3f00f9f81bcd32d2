"""What a comparison shows, in plain sentences: speed, error, and whether anything beats doing nothing."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from grubench.comparison import differing_machines
from grubench.statistics import Paired, paired_ratio

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
    found += [f"Failed: {one.arm} with seed {one.seed}. {one.message} {one.remedy}" for one in comparison.failures]
    return found


def _speed(first: str, second: str, pairs: list[tuple[Run, Run]]) -> str:
    kernels = [{kernel["kernel"] for kernel in run.environment["kernels"]} for pair in pairs for run in pair]
    if any(one != kernels[0] for one in kernels):
        return (
            f"Speed: {first} and {second} ran on different kernels; "
            "a ratio of their times would compare kernels, not cells."
        )
    differing = differing_machines([run for pair in pairs for run in pair])
    if differing:
        return f"Speed: {first} and {second} ran with different {', '.join(differing)}; their times are not compared."
    ours, theirs = ([pair[arm].metrics["timing"]["epoch_s"] for pair in pairs] for arm in (0, 1))
    ratio = paired_ratio(theirs, ours)
    if ratio.ratio < 1:
        first, second, ratio = second, first, paired_ratio(ours, theirs)
    if ratio.n < LEAST_PAIRS:
        return (
            f"Speed: an epoch of {first} was {ratio.ratio:.2f} times as fast as one of {second}; "
            f"{_few(ratio.n)} cannot tell whether that is chance."
        )
    interval = f"95 % interval {ratio.low:.2f} to {ratio.high:.2f}, {ratio.n} pairs, epochs after the first"
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
    """For each baseline, the arms that err less, those that err more, and those that cannot be told from it."""
    errors = {
        name: [run.metrics["test"]["overall"]["rmse_scaled"] for run in runs]
        for name, runs in comparison.arms.items()
        if runs
    }
    return [
        _against(name, measures["overall"]["rmse_scaled"], errors)
        for name, measures in comparison.runs[0].metrics["baselines"].items()
    ]


def _against(baseline: str, error: float, errors: dict[str, list[float]]) -> str:
    what = f"{baseline}, which repeats the last {'value' if baseline == 'persistence' else 'season'}"
    if not error > 0:
        return f"Baseline: {what}, makes no error at all."
    ratios = {name: paired_ratio(values, [error] * len(values)) for name, values in errors.items()}
    shown = "; ".join(f"{name} {_times(ratio)}" for name, ratio in ratios.items())
    better = [name for name, ratio in ratios.items() if ratio.n >= LEAST_PAIRS and ratio.high < 1]
    worse = [name for name, ratio in ratios.items() if ratio.n >= LEAST_PAIRS and ratio.low > 1]
    unclear = [name for name in ratios if name not in better + worse]
    parts = [_both(better, ratios, "both beat") or _beat(better)] * bool(better)
    parts += [_both(worse, ratios, "neither beats") or _err(worse)] * bool(worse)
    parts += [f"{' and '.join(unclear)} cannot be told from"] * bool(unclear)
    return f"Baseline: {', '.join(parts)} {what} (RMSE as a multiple of its: {shown})."


def _both(names: list[str], everyone: dict[str, Paired], words: str) -> str:
    return words if len(names) == len(everyone) == 2 else ""


def _beat(names: list[str]) -> str:
    return f"{' and '.join(names)} {'beats' if len(names) == 1 else 'beat'}"


def _err(names: list[str]) -> str:
    return f"{' and '.join(names)} {'errs' if len(names) == 1 else 'err'} more than"


def _times(ratio: Paired) -> str:
    if ratio.n < LEAST_PAIRS:
        return f"{ratio.ratio:.2f}"
    return f"{ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
