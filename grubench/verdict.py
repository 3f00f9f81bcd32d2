"""What a comparison shows, in plain sentences: speed, error, what the seeds could have told, and the baselines.

Over seeds the paired t-test on the logarithms of ratios decides (at 5 %, with Holm's correction where several pairs of
arms are tested); an interval stands beside it. A tie is called one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison import differing_machines
from grubench.statistics import ALPHA, Paired, detectable, holm, paired, seeds_needed, written_p

if TYPE_CHECKING:
    from grubench.comparison import Comparison
    from grubench.runs import Run

# Fewer pairs than this, and nothing is said about a difference.
LEAST_PAIRS = 3
# A spread of the time ratio over pairs, as a share, above which the machine was too restless to trust it.
RESTLESS = 0.1
# How many times a steady epoch the first one takes before it is worth a word.
STICKS_OUT = 3.0
# The difference in error whose seeds are told, as a share.
STATED_DIFFERENCE = 0.05


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms and the runs that they have of the same seeds, the first being the better by the ratio.

    Attributes:
        first: The arm with the smaller figure.
        second: The other.
        found: Their figures compared, first over second.
        p: The p that decides, corrected for the number of pairs of arms.
    """

    first: str
    second: str
    found: Paired
    p: float

    @property
    def differs(self) -> bool:
        """Whether a difference is called one."""
        return self.found.n >= LEAST_PAIRS and self.p < ALPHA


def sentences(comparison: Comparison) -> list[str]:
    """The verdict: speed and error for each pair of arms, what the seeds could have told, baselines, failures."""
    found = [
        f"{first} and {second} share no seed that both finished: they cannot be compared in pairs."
        for first, second in combinations(comparison.arms, 2)
        if not comparison.pairs(first, second)
    ]
    found += _alone(comparison)
    found += _speed(comparison)
    errors = compared(comparison, ("test", "overall", "rmse_scaled"))
    found += [_error(pair, _equal_time(comparison)) for pair in errors]
    found += _power(errors)
    found += _against_baselines(comparison)
    found += [f"Failed: {one.arm} with seed {one.seed}. {one.message} {one.remedy}" for one in comparison.failures]
    return found


def _alone(comparison: Comparison) -> list[str]:
    """A word on seeds that only one arm of a pair finished."""
    found = []
    for first, second in combinations(comparison.arms, 2):
        ours, theirs = ({run.experiment.seed for run in comparison.arms[name]} for name in (first, second))
        alone, both = sorted(ours ^ theirs), len(ours & theirs)
        if alone and both:
            seeds = f"seed{'s' * (len(alone) > 1)} {', '.join(map(str, alone))}"
            found.append(
                f"Pairs: {both} of {first} and {second}; {seeds} of one of them alone {_is(alone)} left out of what "
                "follows, the tables and baselines apart."
            )
    return found


def _is(items: list[int]) -> str:
    return "is" if len(items) == 1 else "are"


def compared(comparison: Comparison, path: tuple[str, ...]) -> list[Pair]:
    """Every pair of arms that share seeds, by a figure of their metrics, with Holm's correction of the p values."""
    found = []
    for one, other in combinations(comparison.arms, 2):
        first, second, pairs = one, other, comparison.pairs(one, other)
        if pairs:
            ours, theirs = ([_figure(pair[arm], path) for pair in pairs] for arm in (0, 1))
            if np.log(ours).sum() > np.log(theirs).sum():
                first, second, ours, theirs = second, first, theirs, ours
            found.append((first, second, paired(ours, theirs)))
    corrected = holm({f"{first}/{second}": one.p for first, second, one in found})
    return [
        Pair(first=first, second=second, found=one, p=corrected[f"{first}/{second}"]) for first, second, one in found
    ]


def _figure(run: Run, path: tuple[str, ...]) -> float:
    value = run.metrics
    for key in path:
        value = value[key]
    return float(value)  # type: ignore[arg-type]


def _speed(comparison: Comparison) -> list[str]:
    differing = differing_machines(comparison.runs)
    if differing:
        return [f"Speed: the runs were made with different {', '.join(differing)}; their times are not compared."]
    kernels = {name: _kernels(runs) for name, runs in comparison.arms.items()}
    if len({frozenset(found) for found in kernels.values() if found}) > 1:
        shown = ", ".join(f"{name} on {' and '.join(sorted(found))}" for name, found in kernels.items())
        return [
            f"Speed: {shown}: a ratio of their times would compare kernels, not cells. "
            "The line above the table says which flag to change."
        ]
    if any(not run.metrics["timing"]["steady_epochs"] for run in comparison.runs):
        return ["Speed: a single epoch holds the tracing and compilation; use --epochs 2 or more to compare times."]
    found = []
    for pair in compared(comparison, ("timing", "epoch_s")):
        found.append(_faster(pair))
        if pair.found.n >= LEAST_PAIRS and pair.found.spread > RESTLESS:
            found.append(
                f"Speed: the ratio of {pair.first} and {pair.second} varies by {pair.found.spread * 100:.0f} % "
                "from pair to pair; close other programs, or use more --seeds."
            )
    return found + _first_epochs(comparison)


def _kernels(runs: list[Run]) -> set[str]:
    return {kernel["kernel"] for run in runs for kernel in run.environment["kernels"]}


def _faster(pair: Pair) -> str:
    ratio = 1 / pair.found.ratio
    if pair.found.n < LEAST_PAIRS:
        return (
            f"Speed: an epoch of {pair.first} was {ratio:.2f} times as fast as one of {pair.second}; "
            f"{_seeds(pair.found.n)} cannot tell whether that is chance."
        )
    interval = pair.found.ratio_interval
    numbers = (
        f"95 % interval {1 / interval.high:.2f} to {1 / interval.low:.2f}, p {written_p(pair.p)}, "
        f"{pair.found.n} pairs, epochs after the first"
    )
    called = "" if pair.differs else "no difference shown; "
    return f"Speed: {called}{pair.first} trained {ratio:.2f} times as fast as {pair.second} ({numbers})."


def _first_epochs(comparison: Comparison) -> list[str]:
    """A word on first epochs that took much longer than the others, which are the ones compared."""
    found = []
    for name, runs in comparison.arms.items():
        shares = [run.history()["seconds"][0] / run.metrics["timing"]["epoch_s"] for run in runs]
        if shares and np.median(shares) > STICKS_OUT and runs[0].metrics["loss"]["epochs"] > 1:
            found.append(
                f"Speed: the first epoch of {name} took {np.median(shares):.1f} times a later one, for tracing and "
                "compilation; it is left out, and weighs in short trainings."
            )
    return found


def _equal_time(comparison: Comparison) -> str:
    """What the time of training has to do with an error; empty where it has nothing to do with it."""
    seconds = {run.experiment.training.seconds for run in comparison.runs}
    return f", after {seconds.pop():g} s of training each" if len(seconds) == 1 and all(seconds) else ""


def _error(pair: Pair, after: str) -> str:
    found = pair.found
    less = f"{pair.first} erred {(1 - found.ratio) * 100:.1f} % less than {pair.second} on the test part{after}"
    if found.n < LEAST_PAIRS:
        return f"Error: {less}; {_seeds(found.n)} cannot tell whether that is chance."
    interval = found.ratio_interval
    numbers = (
        f"RMSE ratio {found.ratio:.3f}, 95 % interval {interval.low:.3f} to {interval.high:.3f}, "
        f"paired t-test p {written_p(pair.p)}, Wilcoxon p {written_p(found.wilcoxon_p)}, A12 {found.a12:.2f}, "
        f"{found.n} pairs"
    )
    if pair.differs:
        return f"Error: {less} ({numbers})."
    return f"Error: a tie; {_seeds(found.n)} cannot tell {pair.first} and {pair.second} apart{after} ({numbers})."


def _power(pairs: list[Pair]) -> list[str]:
    """What these seeds could have told, from the spread seen, for each pair that was compared."""
    found = []
    for pair in pairs:
        spread, n = pair.found.spread, pair.found.n
        if n < LEAST_PAIRS or not spread > 0:
            continue
        needed = seeds_needed(1 + STATED_DIFFERENCE, spread)
        seeds = "more than 10,000" if needed is None else str(max(needed, LEAST_PAIRS))
        shown = f"{(detectable(spread, n) - 1) * 100:.1f} %"
        found.append(
            f"Power: with this spread, {n} seeds show a difference between {pair.first} and {pair.second} of {shown} "
            f"in 4 of 5 repetitions; one of {STATED_DIFFERENCE * 100:.0f} % needs {seeds}."
        )
    return found


def _against_baselines(comparison: Comparison) -> list[str]:
    """For each baseline, the arms that err less, those that err more, and those that cannot be told from it."""
    errors = {
        name: [_figure(run, ("test", "overall", "rmse_scaled")) for run in runs]
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
    ratios = {name: paired(values, [error] * len(values)) for name, values in errors.items()}
    told = {name for name, one in ratios.items() if one.n >= LEAST_PAIRS and one.p < ALPHA}
    better = [name for name, one in ratios.items() if name in told and one.ratio < 1]
    worse = [name for name, one in ratios.items() if name in told and one.ratio > 1]
    unclear = [name for name in ratios if name not in told]
    parts = [_both(better, ratios, "both beat") or _beat(better)] * bool(better)
    parts += [_both(worse, ratios, "neither beats") or _err(worse)] * bool(worse)
    few = max(one.n for one in ratios.values()) < LEAST_PAIRS
    no = f"{_seeds(min(one.n for one in ratios.values()))} cannot tell {' and '.join(unclear)} from"
    parts += [no if few else f"{' and '.join(unclear)} cannot be told from"] * bool(unclear)
    shown = "; ".join(f"{name} {_times(one)}" for name, one in ratios.items())
    return f"Baseline: {', '.join(parts)} {what} (RMSE as a multiple of its: {shown})."


def _both(names: list[str], everyone: dict[str, Paired], words: str) -> str:
    return words if len(names) == len(everyone) == 2 else ""


def _beat(names: list[str]) -> str:
    return f"{' and '.join(names)} {'beats' if len(names) == 1 else 'beat'}"


def _err(names: list[str]) -> str:
    return f"{' and '.join(names)} {'errs' if len(names) == 1 else 'err'} more than"


def _times(ratio: Paired) -> str:
    interval = ratio.ratio_interval
    return f"{ratio.ratio:.2f}" + (f" ({interval.low:.2f} to {interval.high:.2f})" if ratio.n >= LEAST_PAIRS else "")


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"
