"""Arms set against each other two by two: which pairs, by which figure, and the lines of a table of many."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.comparison import differing_machines
from grubench.comparison.statistics import ALPHA, Paired, holm, paired, written_p
from grubench.runs.run import shared
from grubench.spec.arms import Arm, find_differing_settings

if TYPE_CHECKING:
    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run

# Fewer pairs of trials than this, and nothing is said about a difference.
LEAST_PAIRS = 3
# More pairs of arms than this stand in a table, and not in a sentence each.
MOST_SENTENCES = 3
# Settings whose effect on the time is a question of its own, whatever kernel they lead to.
OF_SPEED = {f"training.{name}" for name in ("backend", "precision", "jit", "kernel", "threads", "strategy")}
ERROR = "error"
TIME = "time"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms and the runs that they have of the same seeds, the first being the better by the ratio.

    Attributes:
        first: The arm with the smaller figure.
        second: The other.
        found: Their figures compared, first over second.
        p: The p that decides, corrected for the number of pairs of arms.
    """

    first: Arm
    second: Arm
    found: Paired
    p: float

    @property
    def differs(self) -> bool:
        """Whether a difference is called one."""
        return self.found.n >= LEAST_PAIRS and self.p < ALPHA


def neighbours(comparison: Comparison) -> list[tuple[Arm, Arm]]:
    """The pairs of arms to compare: those between which no third arm lies.

    Of cells crossed with settings those pairs remain that differ in one of them: an arm that shares more settings
    with both lies between two that differ in several.
    """
    specs = {name: spec.with_seed(0) for name, spec in comparison.specs.items()}
    apart = {
        frozenset(pair): set(find_differing_settings([specs[one] for one in pair])) for pair in combinations(specs, 2)
    }

    def between(first: Arm, second: Arm) -> bool:
        far = apart[frozenset((first, second))]
        others = specs.keys() - {first, second}
        return any(apart[frozenset((one, first))] < far and apart[frozenset((one, second))] < far for one in others)

    return [pair for pair in combinations(specs, 2) if not between(*pair)]


def compared(comparison: Comparison, kind: str) -> list[Pair]:
    """The neighbours that share seeds, by ERROR or TIME, with Holm's correction of the p values.

    By time only those whose ratio says something of what they differ in.
    """
    found = []
    pairs_of_arms = neighbours(comparison)
    if kind == TIME:
        pairs_of_arms = [pair for pair in pairs_of_arms if not _kernels_apart(comparison, pair)]
    for one, other in pairs_of_arms:
        first, second, pairs = one, other, comparison.pairs(one, other)
        if pairs:
            ours, theirs = ([figure(pair[arm], kind) for pair in pairs] for arm in (0, 1))
            if np.log(ours).sum() > np.log(theirs).sum():
                first, second, ours, theirs = second, first, theirs, ours
            found.append((first, second, paired(ours, theirs)))
    corrected = holm({f"{first}/{second}": one.p for first, second, one in found})
    return [
        Pair(first=first, second=second, found=one, p=corrected[f"{first}/{second}"]) for first, second, one in found
    ]


def figure(run: Run, kind: str) -> float:
    """The scaled RMSE of a run (ERROR), or its seconds an epoch (TIME)."""
    return run.metrics.timing.epoch_s if kind == TIME else run.metrics.test.rmse_scaled


def why_not_timed(comparison: Comparison) -> str:
    """Why the times of the arms are not compared, and what to do about it; empty where they are."""
    asked = {key.partition(".")[2] for key in find_differing_settings(list(comparison.specs.values()))}
    differing = [key for key in differing_machines(comparison.runs) if key not in asked]  # such as threads
    if differing:
        return f"the runs were made with different {', '.join(differing)}; their times are not compared."
    if any(shared(run) for run in comparison.runs):
        return "trials shared a machine, and their times say little; train with --jobs 1 (and --fresh) to compare them."
    if any(not run.metrics.timing.steady_epochs for run in comparison.runs):
        more = "a larger --seconds" if comparison.spec.training.seconds else "--epochs 2 or more"
        return f"a single epoch holds the tracing and compilation; use {more} to compare times."
    return ""


def kernels_apart(comparison: Comparison) -> str:
    """Which arms' times are not compared, since what ran them differs and no setting says so; empty where none."""
    pairs_of_arms = [pair for pair in neighbours(comparison) if _kernels_apart(comparison, pair)]
    if not pairs_of_arms:
        return ""
    arms = dict.fromkeys(arm for pair in pairs_of_arms for arm in pair)
    kernels = ", ".join(f"{arm} on {' and '.join(sorted(_kernels(comparison.arms[arm])))}" for arm in arms)
    return (
        f"{kernels}: a ratio of their times would compare kernels, not cells. "
        "The line above the table says which flag to change."
    )


def _kernels_apart(comparison: Comparison, pair: tuple[Arm, Arm]) -> bool:
    """Whether two arms ran on different kernels, and differ in no setting that asks how that tells in time."""
    first, second = (_kernels(comparison.arms[name]) for name in pair)
    differing = find_differing_settings([comparison.specs[name] for name in pair])
    return first != second and not set(differing) & OF_SPEED


def _kernels(runs: list[Run]) -> set[str]:
    return {kernel.kernel for run in runs for kernel in run.environment.kernels}


def name_pair(first: Arm, second: Arm) -> str:
    """Name two arms together, what they share said once and settings by their values: `GRU / LSTM, 0.001`."""
    parts = [{"cell": arm.cell, **arm.settings} for arm in (first, second)]
    keys = list(dict.fromkeys([*parts[0], *parts[1]]))
    equal = [key for key in keys if parts[0].get(key) == parts[1].get(key)]
    apart = (" ".join(part[key] for key in keys if key in part and key not in equal) for part in parts)
    return ", ".join([" / ".join(apart), *(parts[0][key] for key in equal)])


def lines(comparison: Comparison) -> list[tuple[str, ...]]:
    """A line a pair of arms, to print, where there are too many for sentences: ratios, intervals, corrected p."""
    errors = compared(comparison, ERROR)
    if len(errors) <= MOST_SENTENCES:
        return []
    times = {} if why_not_timed(comparison) else {_arms(pair): pair for pair in compared(comparison, TIME)}
    head = ("", "RMSE ratio", "p", *(("time ratio", "p") if times else ()))
    found = [head]
    # Cell against cell first: that is the question.
    for pair in sorted(errors, key=lambda pair: pair.first.cell == pair.second.cell):
        time = times.get(_arms(pair))
        cells = _cells(_oriented(time, pair)) if time else ("kernels differ", "") if times else ()
        found.append((name_pair(pair.first, pair.second), *_cells(pair), *cells))
    return found


def _arms(pair: Pair) -> frozenset[Arm]:
    return frozenset((pair.first, pair.second))


def _oriented(pair: Pair, like: Pair) -> Pair:
    """The pair with its arms in the order of another."""
    if pair.first == like.first:
        return pair
    return Pair(first=pair.second, second=pair.first, found=pair.found.inverse(), p=pair.p)


def _cells(pair: Pair) -> tuple[str, str]:
    interval = pair.found.ratio_interval
    told = pair.found.n >= LEAST_PAIRS
    shown = f"{pair.found.ratio:.3f}" + (f" ({interval.low:.3f} to {interval.high:.3f})" if told else "")
    return shown, written_p(pair.p).removeprefix("= ") if told else "too few"
