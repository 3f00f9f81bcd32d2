"""What holds an answer back, a sentence each: baselines, training cut short, lost trials, one split in time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grubench.comparison.baseline_verdict import describe_baseline
from grubench.comparison.best_arm import find_best_arm
from grubench.comparison.decision import decide_baselines
from grubench.comparison.finding import MAX_NAMED, NEITHER
from grubench.comparison.pairs import find_cell_pairs
from grubench.comparison.phrases import TIMES, say_baseline_is_better, say_times
from grubench.comparison.power import MIN_SEEDS
from grubench.comparison.reliability import find_reliability
from grubench.comparison.reservations import UNTIL_LEARNED, advise_longer, explain_small_test, find_late_falls
from grubench.text import count, join_and, join_or
from grubench.training.fit_record import MIN_EPOCHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grubench.comparison.comparison import Comparison


def list_remarks(comparison: Comparison, choice: str) -> tuple[str, ...]:
    """List what holds an answer back.

    Args:
        comparison: The comparison.
        choice: What the answer names.
    """
    is_neither = choice == NEITHER  # the answer says already that a baseline is better
    return (
        *([] if is_neither else _name_best_arm(comparison, choice)),
        *([] if is_neither or explain_small_test(comparison) else _name_baseline(comparison, choice)),
        *_name_learning(comparison, is_neither=is_neither),
        *_count_lost(comparison),
        _describe_split(comparison),
    )


def advise_again(comparison: Comparison) -> str:
    """The command of a comparison with what its answer asks for, more seeds or longer training; empty for neither."""
    command = comparison.command
    if explain_small_test(comparison) or len(comparison.arms) < 2:
        return ""
    if max(len(runs) for runs in comparison.arms.values()) < MIN_SEEDS:
        return f"{re.sub(r' --seeds[ =][0-9]+', '', command)} --seeds {MIN_SEEDS}"
    longer = find_late_falls(comparison) and advise_longer(comparison) == UNTIL_LEARNED
    return f"{command.replace(' --fresh', '')} {UNTIL_LEARNED}" if longer and UNTIL_LEARNED not in command else ""


def _describe_split(comparison: Comparison) -> str:
    """On what the answer rests."""
    window = comparison.spec.window
    if window.scale_fit == "all" and window.scaling != "none":
        return "Tested on one stretch of time (one split), and scaled by its values too."
    return "Tested on one stretch of time (one split)."


def _name_best_arm(comparison: Comparison, choice: str) -> Iterator[str]:
    """The best arm, where the answer names a cell."""
    cells = {arm.cell for arm in comparison.arms}
    if len(comparison.arms) > 2 and find_cell_pairs(comparison):
        best, chosen_on = find_best_arm(comparison)
        where = f"of {len(comparison.arms)} arms on {chosen_on}"
        if choice in cells - {best.cell}:
            yield f"That is on average; the best {where} is {best.name}."
        else:
            yield f"Best {where}: {best.name}."


def _name_baseline(comparison: Comparison, choice: str) -> Iterator[str]:
    """The baseline that is shown to be better than the best arm, else that with the lowest error that none beats."""
    decisions = decide_baselines(comparison)
    names = [arm.name for arm in comparison.arms]
    best = choice if choice in names else find_best_arm(comparison)[0].name
    worse = [one for one in decisions if one.pair.first == best and one.differs and not one.first_is_lower]
    if worse:
        worst = max(worse, key=lambda decision: decision.ratio)
        described = describe_baseline(comparison, worst.pair.second)
        yield f"{described[0].upper()}{described[1:]} {say_baseline_is_better(worst, best)}."
        return
    beaten = {one.pair.second for one in decisions if one.differs and one.first_is_lower}
    errors = {
        name: scores.rmse_scaled
        for name, scores in comparison.runs[0].metrics.baselines.items()
        if name not in beaten and any(one.pair.second == name for one in decisions)
    }
    if errors:
        name = min(errors, key=lambda name: errors[name])
        ratio = min(decision.ratio for decision in decisions if decision.pair.second == name)
        unbeaten = [describe_baseline(comparison, other) for other in errors]
        so_far = f"; so far {describe_baseline(comparison, name)} is {say_times(ratio)} times better"
        simpler = f", which {'is' if len(errors) == 1 else 'are'} simpler"
        yield f"No network is shown to beat {join_or(unbeaten)}{so_far if ratio >= TIMES else simpler}."


def _name_learning(comparison: Comparison, *, is_neither: bool) -> Iterator[str]:
    """The arms that were still learning; or that there were too few epochs to tell."""
    falls, epochs = find_late_falls(comparison), max(run.metrics.loss.epochs for run in comparison.runs)
    if falls:
        names = join_and(falls) if len(falls) <= MAX_NAMED else f"{len(falls)} arms"
        advice = advise_longer(comparison)
        so = f"train longer ({advice})" if is_neither else f"this compares speed of learning ({advice})"
        verb = "was" if len(falls) == 1 else "were"
        yield f"{names} {verb} still learning when training ended: {so}."
    elif epochs < MIN_EPOCHS:
        yield f"{count(epochs, 'epoch')} {'is' if epochs == 1 else 'are'} too few to tell whether training was over."


def _count_lost(comparison: Comparison) -> Iterator[str]:
    """The trials that failed or got stuck."""
    lost = {name: one for name, one in find_reliability(comparison).items() if one.lost}
    if lost:
        texts = [f"{one.lost} of {one.trials} {name}" for name, one in lost.items()]
        yield f"Trials failed or got stuck: {join_and(texts[:MAX_NAMED])}."
