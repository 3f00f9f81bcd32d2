"""Arms set against each other two by two: which pairs, by which quantity, and with which result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.comparable import find_differing_machines
from grubench.comparison.statistics import ALPHA, PairedComparison, compare_paired, holm
from grubench.spec.arms import Arm, find_differing_settings, flatten_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run
    from grubench.spec.experiment import Experiment

# Fewer pairs of trials than this, and nothing is said about a difference.
MIN_PAIRS = 3
# More pairs of arms than this are not tested: corrected for so many, hardly any would differ, and nobody reads them.
MAX_TESTED = 1000
# Settings whose effect on the time is a question of its own, whatever kernel they lead to.
SPEED_KEYS = {f"training.{name}" for name in ("backend", "precision", "jit", "kernel", "threads", "strategy")}
ERROR = "error"
TIME = "time"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms and the runs that they have of the same seeds, the first being the better by the ratio.

    Attributes:
        first: The arm with the smaller value.
        second: The other.
        result: Their values compared, first over second.
        p: The p that decides, corrected for the number of pairs of arms.
    """

    first: Arm
    second: Arm
    result: PairedComparison
    p: float

    @property
    def differs(self) -> bool:
        """Whether a difference is called one."""
        return self.result.n >= MIN_PAIRS and self.p < ALPHA

    def orient_like(self, other: Pair) -> Pair:
        """The pair with its arms in the order of another."""
        if self.first == other.first:
            return self
        return Pair(first=self.second, second=self.first, result=self.result.inverse(), p=self.p)


@lru_cache(maxsize=2)  # the verdict, the tables and the files ask for the same pairs
def find_neighbors(comparison: Comparison) -> list[tuple[Arm, Arm]]:
    """Find the pairs of arms to compare: those between which no third arm lies.

    Of cells crossed with settings those pairs remain that differ in one of them: an arm that shares more settings
    with both lies between two that differ in several.
    """
    arms = list(comparison.arms)
    differing = _find_differing_bits([spec.with_seed(0) for spec in comparison.specs.values()])
    neighbors = []
    for place, keys in enumerate(differing):
        # Of the settings in which this arm differs from each other (the columns), a third (the rows) differs in fewer.
        from_this = ~(keys[:, None] & ~keys).astype(bool) & (keys[:, None] != keys)
        from_other = ~(differing & ~keys).astype(bool) & (differing != keys)
        is_between = (from_this & from_other).any(axis=0)
        neighbors += [(arms[place], arms[other]) for other in range(place + 1, len(arms)) if not is_between[other]]
    return neighbors


def _find_differing_bits(specs: Sequence[Experiment]) -> NDArray[np.uint64]:
    """For each two of some specs the settings in which they differ, a bit each: `(spec, spec)`."""
    flat = [flatten_spec(spec) for spec in specs]
    bits = np.zeros((len(specs), len(specs)), np.uint64)
    for number, key in enumerate(find_differing_settings(specs)):
        values: dict[str, int] = {}
        codes = np.array([values.setdefault(repr(settings[key]), len(values)) for settings in flat])
        bits |= (codes[:, None] != codes).astype(np.uint64) << np.uint64(number)
    return bits


def explain_untested(comparison: Comparison) -> str:
    """Why no pairs of arms are tested; empty where they are."""
    pairs = len(find_neighbors(comparison))
    if pairs <= MAX_TESTED:
        return ""
    return f"{pairs:,} pairs of arms are too many to test (the most is {MAX_TESTED:,}); compare fewer arms."


@lru_cache(maxsize=4)
def compare_neighbors(comparison: Comparison, quantity: str) -> list[Pair]:
    """Compare the neighbors that share seeds, by ERROR or TIME, with Holm's correction of the p values.

    By time only those whose ratio says something of what they differ in, and none with an error of 0. None where there
    are too many.
    """
    results: dict[tuple[Arm, Arm], PairedComparison] = {}
    neighbors = [] if explain_untested(comparison) else find_neighbors(comparison)
    if quantity == TIME:
        neighbors = [pair for pair in neighbors if not _have_other_kernels(comparison, pair)]
    for first, second in neighbors:
        pairs = comparison.pairs(first, second)
        if pairs:
            ours, theirs = ([read_quantity(pair[place], quantity) for pair in pairs] for place in (0, 1))
            if not min(*ours, *theirs) > 0:  # there is no ratio to an error of 0
                continue
            if np.log(ours).sum() > np.log(theirs).sum():
                results[second, first] = compare_paired(theirs, ours)
            else:
                results[first, second] = compare_paired(ours, theirs)
    corrected = holm({pair: result.p for pair, result in results.items()})
    return [
        Pair(first=first, second=second, result=result, p=corrected[first, second])
        for (first, second), result in results.items()
    ]


def read_quantity(run: Run, quantity: str) -> float:
    """The scaled RMSE of a run (ERROR), or its seconds per epoch (TIME)."""
    return run.metrics.timing.epoch_s if quantity == TIME else run.metrics.test.rmse_scaled


def explain_untimed(comparison: Comparison) -> str:
    """Why the times of the arms are not compared, and what to do about it; empty where they are."""
    compared = {key.partition(".")[2] for key in find_differing_settings(list(comparison.specs.values()))}
    differing = [key for key in find_differing_machines(comparison.runs) if key not in compared]  # such as threads
    if differing:
        return f"the runs were made with different {', '.join(differing)}; their times are not compared."
    if any(run.environment.shared for run in comparison.runs):
        return "trials shared a machine, and their times say little; train with --jobs 1 (and --fresh) to compare them."
    if any(not run.metrics.timing.steady_epochs for run in comparison.runs):
        more = "a larger --seconds" if comparison.spec.training.seconds else "--epochs 2 or more"
        return f"a single epoch holds the tracing and compilation; use {more} to compare times."
    return ""


def explain_other_kernels(comparison: Comparison) -> str:
    """Which arms' times are not compared, since what ran them differs and no setting says so; empty where none."""
    pairs_of_arms = [pair for pair in find_neighbors(comparison) if _have_other_kernels(comparison, pair)]
    if not pairs_of_arms:
        return ""
    arms = dict.fromkeys(arm for pair in pairs_of_arms for arm in pair)
    kernels = ", ".join(f"{arm} on {' and '.join(sorted(_kernels(comparison.arms[arm])))}" for arm in arms)
    return (
        f"{kernels}: a ratio of their times would compare kernels, not cells. "
        "The line above the table says which flag to change."
    )


def _have_other_kernels(comparison: Comparison, pair: tuple[Arm, Arm]) -> bool:
    """Whether two arms ran on different kernels, though no setting that is compared asks for it."""
    first, second = (_kernels(comparison.arms[arm]) for arm in pair)
    if first == second:
        return False
    differing = find_differing_settings([comparison.arms[arm][0].experiment for arm in pair])
    return not set(differing) & SPEED_KEYS


def _kernels(runs: list[Run]) -> set[str]:
    return {kernel.kernel for run in runs for kernel in run.environment.kernels}


def name_pair(first: Arm, second: Arm) -> str:
    """Name two arms together, what they share said once and settings by their values: `GRU / LSTM, 0.001`."""
    parts = [{"cell": arm.cell, **arm.settings} for arm in (first, second)]
    keys = list(dict.fromkeys([*parts[0], *parts[1]]))
    equal = [key for key in keys if parts[0].get(key) == parts[1].get(key)]
    apart = (" ".join(part[key] for key in keys if key in part and key not in equal) for part in parts)
    return ", ".join([" / ".join(apart), *(parts[0][key] for key in equal)])
