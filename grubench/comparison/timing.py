"""Which times can be set against each other, and why the others cannot."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from grubench.comparison.comparable import find_differing_machines
from grubench.comparison.measures import took_turns
from grubench.comparison.pairs import find_differing_keys, find_neighbors
from grubench.spec.arms import find_differing_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.pairs import Pair
    from grubench.runs.run import Run
    from grubench.spec.arms import Arm

# Settings whose effect on the time is a question of its own, whatever kernel they lead to.
SPEED_KEYS = {f"training.{name}" for name in ("backend", "precision", "jit", "kernel", "threads", "strategy")}
# Settings that do nothing to the time of a step.
TIMELESS_KEYS = {
    "training.learning_rate",
    "training.epochs",
    "training.seconds",
    "training.shuffle",
    "training.patience",
    "training.min_delta",
    "model.kernel_initializer",
    "model.recurrent_initializer",
}


@lru_cache(maxsize=2)  # asked for each pair
def explain_untimed(comparison: Comparison) -> str:
    """Why no times are compared, and what to do about it; empty where some are."""
    compared = {key.partition(".")[2] for key in find_differing_settings(list(comparison.specs.values()))}
    differing = [key for key in find_differing_machines(comparison.runs) if key not in compared]  # such as threads
    if differing:
        return f"the runs were made with different {', '.join(differing)}; their times are not compared."
    if any(run.environment.shared for run in comparison.runs):
        return "trials shared a machine, and their times say little; train with --jobs 1 (and --fresh) to compare them."
    if any(not run.metrics.timing.steady_epochs for run in comparison.runs):
        more = "a larger --seconds" if comparison.spec.training.seconds else "--epochs 2 or more"
        return f"a single epoch holds the tracing and compilation; use {more} to compare times."
    if is_untimed_together(comparison):
        return "the trials were not timed together, but in calls of their own; --fresh trains them in turns."
    return ""


def is_untimed_together(comparison: Comparison) -> bool:
    """Whether there are pairs of trials, and none took turns, such as where those of one arm are reused."""
    turns = [took_turns(*two) for pair in find_neighbors(comparison) for two in comparison.pairs(*pair.arms[0])]
    return bool(turns) and not any(turns)


@lru_cache(maxsize=2)
def find_timed_apart(comparison: Comparison) -> frozenset[Arm]:
    """The arms with times of other calls than most trials; all of several calls where most have none in common.

    Trials that were resumed did not take turns either.
    """
    calls = Counter(run.environment.call for run in comparison.runs)
    call, most = calls.most_common(1)[0]
    usual = call if 2 * most > calls.total() else None
    apart = {
        arm
        for arm, runs in comparison.arms.items()
        if any(run.environment.call != usual or run.metrics.timing.resumed_after_epochs for run in runs)
    }
    return frozenset(apart if len(comparison.arms) > 1 else ())


def can_be_timed(comparison: Comparison, pair: Pair) -> bool:
    """Whether a ratio of the times of two arms would say something of what they differ in."""
    if any(arm not in comparison.arms for arms in pair.arms for arm in arms):
        return False
    if explain_untimed(comparison) or set(find_differing_keys(comparison, pair)) <= TIMELESS_KEYS:
        return False
    return not have_other_kernels(comparison, pair)


def explain_other_kernels(comparison: Comparison) -> str:
    """Which arms' times are not compared, since what ran them differs and no setting says so; empty where none."""
    apart = [pair for pair in find_neighbors(comparison) if have_other_kernels(comparison, pair)]
    if not apart:
        return ""
    arms = dict.fromkeys(arm for pair in apart for arm in pair.arms[0])
    kernels = ", ".join(f"{arm} on {' and '.join(sorted(_list_kernels(comparison.arms[arm])))}" for arm in arms)
    return (
        f"{kernels}: a ratio of their times would compare kernels, not cells. "
        "The line above the table says which flag to change."
    )


def have_other_kernels(comparison: Comparison, pair: Pair) -> bool:
    """Whether two arms ran on different kernels, though no setting that is compared asks for it."""
    kernels = [[_list_kernels(comparison.arms[arm]) for arm in arms] for arms in pair.arms]
    if all(first == second for first, second in kernels):
        return False
    return not set(find_differing_keys(comparison, pair)) & SPEED_KEYS


def _list_kernels(runs: Sequence[Run]) -> set[str]:
    return {kernel.kernel for run in runs for kernel in run.environment.kernels}
