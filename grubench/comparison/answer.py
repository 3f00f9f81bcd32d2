"""The answer to the question "GRU or LSTM for my data?", in one to three lines that say what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count as count_from
from math import comb
from typing import TYPE_CHECKING

from grubench.comparison.baseline_verdict import describe_baseline
from grubench.comparison.best_arm import find_best_arm
from grubench.comparison.decision import Decision, Outcome, decide_baselines, decide_errors, decide_times
from grubench.comparison.finding import EITHER, MAX_NAMED, NEITHER, UNDECIDED, explain_untested
from grubench.comparison.measures import has_series
from grubench.comparison.pairs import find_cell_pairs
from grubench.comparison.phrases import (
    say_baseline_is_better,
    say_ends,
    say_faster,
    say_how_much_lower,
    say_how_small,
    say_how_sure,
    say_lower,
    say_settings,
)
from grubench.comparison.power import MIN_SEEDS
from grubench.comparison.reliability import find_reliability
from grubench.comparison.remarks import list_remarks
from grubench.comparison.reservations import explain_small_test, find_exact_arms, find_late_falls
from grubench.comparison.timing import is_untimed_together
from grubench.text import count, join_and

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison

# Of fewer trials each, all of one arm and none of the other fail too often by chance (Fisher's exact test: 0.1 for 3).
MIN_FAILED = 4
# More seeds than these nobody trains.
MANY_SEEDS = 100
# A ratio nearer to 1 is 1.
EQUAL = 1e-9


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to use, by what was found.

    Attributes:
        choice: The name of an arm or a cell, or `neither`, `either` or `undecided`.
        text: The choice and why, in words.
        remarks: The best arm of many, and what holds the answer back; a sentence each.
    """

    choice: str
    text: str
    remarks: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The answer, and its remarks in one line where there are any."""
        return [self.text, " ".join(self.remarks)] if self.remarks else [self.text]


def answer(comparison: Comparison) -> Answer:
    """Answer the question that a comparison asks."""
    found = _answer(comparison)
    return replace(found, remarks=list_remarks(comparison, found.choice))


def _answer(comparison: Comparison) -> Answer:
    """The answer without what holds for any."""
    if explain_small_test(comparison):
        return Answer(
            choice=UNDECIDED, text=f"Undecided: {explain_small_test(comparison)}; use more data or a larger --test."
        )
    beaten = _find_better_baseline(comparison)
    if beaten:
        return beaten
    if len(comparison.arms) == 1:
        return _answer_alone(comparison)
    decisions = _list_main_decisions(comparison)
    if len(decisions) == 1 and _list_sides(comparison) <= {decisions[0].pair.first, decisions[0].pair.second}:
        return _answer_pair(comparison, decisions[0])
    return _answer_many(comparison)


def _list_main_decisions(comparison: Comparison) -> list[Decision]:
    """The decisions of the pairs that the question is about: of cells over all settings, else of all neighbors."""
    decisions = decide_errors(comparison)
    return [decision for decision in decisions if decision.pair.is_of_cells] or decisions


def _list_sides(comparison: Comparison) -> set[str]:
    """The names of what the question is about: cells over all settings, else arms."""
    return {arm.cell if find_cell_pairs(comparison) else arm.name for arm in comparison.arms}


def _find_better_baseline(comparison: Comparison) -> Answer | None:
    """The answer where a baseline is better than every network; None where none is shown to be."""
    if all(run.metrics.test.rmse_scaled > 0 for run in comparison.runs):
        for name, scores in comparison.runs[0].metrics.baselines.items():
            if scores.rmse_scaled == 0:  # no ratio, and no test, is needed
                text = f"{_refuse(comparison)}: {describe_baseline(comparison, name)} makes no error at all."
                return Answer(choice=NEITHER, text=text)
    against: dict[str, list[Decision]] = {}
    for decision in decide_baselines(comparison):
        against.setdefault(decision.pair.second, []).append(decision)
    better = [
        min(decisions, key=lambda decision: decision.ratio)
        for decisions in against.values()
        if len(decisions) == len(comparison.arms)
        and all(one.outcome is Outcome.DIFFERENT and not one.first_is_lower for one in decisions)
    ]
    if not better:
        return None
    clearest = max(better, key=lambda decision: decision.ratio)
    name, number = clearest.pair.first, len(comparison.arms)
    best = "better network" if number == 2 else f"best of {number} networks"
    network = f"even the {best}, {name}" if number > 1 else name
    so_far = " so far" if find_late_falls(comparison) else ""
    text = f"{_refuse(comparison)}{so_far}: {describe_baseline(comparison, clearest.pair.second)} "
    typical = ", on a typical series" if has_series(comparison) else ""
    return Answer(choice=NEITHER, text=f"{text}{say_baseline_is_better(clearest, network)}{typical}.")


def _refuse(comparison: Comparison) -> str:
    """That no arm is the answer, in the word for so many."""
    arms = [*comparison.arms, *comparison.failed_arms]
    return {1: f"Not {arms[0]}", 2: "Neither"}.get(len(arms), "None")


def _answer_alone(comparison: Comparison) -> Answer:
    """The answer where a single arm has trials that finished."""
    (alone,) = comparison.arms
    failed = [arm.name for arm in comparison.failed_arms]
    if not failed:
        return Answer(choice=UNDECIDED, text=f"{alone} alone: there is no other arm to compare it with.")
    trials = min(find_reliability(comparison)[name].trials for name in (alone.name, *failed))
    every = f"every trial of {join_and(failed)} failed"
    if trials < MIN_FAILED:
        return Answer(
            choice=UNDECIDED, text=f"Undecided, {alone} for now: {every}, and {explain_untested(trials, MIN_FAILED)}."
        )
    return Answer(choice=alone.name, text=f"{alone}: {every}.")


def _answer_pair(comparison: Comparison, decision: Decision) -> Answer:
    """The answer of two arms, or two cells over all settings."""
    over, margin = say_settings(decision), f"{comparison.margin * 100:g} %"
    opposite = _find_opposite_settings(comparison, decision)
    if opposite:
        return Answer(choice=UNDECIDED, text=opposite)
    if decision.outcome is Outcome.DIFFERENT:
        speed = _say_speed(comparison, decision, decision.lower)
        text = f"{decision.lower}: {say_lower(decision)}{say_how_sure(decision)}{speed}."
        return Answer(choice=decision.lower, text=text)
    if decision.outcome is Outcome.SMALL:
        small = f"{decision.lower} has {say_how_much_lower(decision)} lower RMSE{over}{say_how_small(decision)}"
        speed = _say_speed(comparison, decision)
        return Answer(choice=EITHER, text=f"Either: {small}, less than the margin of {margin}{speed}.")
    if decision.outcome is Outcome.EQUIVALENT:
        speed = _say_speed(comparison, decision)
        return Answer(choice=EITHER, text=f"Either: equivalent within {margin}{over}{speed}.")
    return _answer_undecided(comparison, decision, over)


def _find_opposite_settings(comparison: Comparison, decision: Decision) -> str:
    """The answer where one cell is better in some settings and the other in others; empty where that is not shown."""
    if not decision.pair.is_of_cells:
        return ""
    better: dict[str, list[str]] = {}
    of_settings = {frozenset(one.pair.arms[0]): one for one in decide_errors(comparison) if not one.pair.is_of_cells}
    for arms in decision.pair.arms:
        found = of_settings.get(frozenset(arms))
        if found and found.outcome is Outcome.DIFFERENT:
            lower = arms[0] if found.lower == arms[0].name else arms[1]
            better.setdefault(lower.cell, []).append(" ".join(lower.settings.values()))
    if len(better) < 2:
        return ""
    keys = join_and(key.replace("_", " ") for key in decision.pair.arms[0][0].settings)
    parts = [f"{cell} has lower RMSE at {_name(settings)}" for cell, settings in better.items()]
    return f"It depends on {keys}: {', '.join(parts)}."


def _answer_undecided(comparison: Comparison, decision: Decision, over: str) -> Answer:
    if not decision.is_tested:
        lower = ""
        if decision.ratio > 0 and abs(decision.ratio - 1) >= EQUAL:
            lower = f" ({decision.lower} had {say_how_much_lower(decision)} lower RMSE{over})"
        remedy = f" Use --seeds {MIN_SEEDS} or more." if decision.seeds < MIN_SEEDS else ""
        return Answer(choice=UNDECIDED, text=f"Undecided: {explain_untested(decision.seeds)}{lower}.{remedy}")
    text = f"Undecided after {decision.seeds} seeds: "
    if decision.lost:
        return Answer(choice=UNDECIDED, text=text + _explain_lost(decision))
    ends = say_ends(decision)
    margin = f"{comparison.margin * 100:g} %"
    needed = decision.count_seeds_needed(comparison.margin)
    more = (needed or 0) - decision.seeds
    if comparison.until_decided:
        what = f"a larger --most than {decision.seeds} goes on"
    elif needed is None:
        what = f"more seeds alone would not show {margin}"
    elif more > MANY_SEEDS:
        what = f"more than {MANY_SEEDS} more seeds would be needed to show {margin}"
    elif more > 0:
        what = f"about {count(more, 'more seed')} would show {margin}"
    else:
        what = f"a difference of {margin} would have shown"
    so_far = f"{decision.lower} has {say_how_much_lower(decision)} lower RMSE{over} so far"
    return Answer(choice=UNDECIDED, text=f"{text}{so_far}, {ends} is possible; {what}.")


def _explain_lost(decision: Decision) -> str:
    """Why lost trials leave two arms, or cells, undecided, and what could be done."""
    fewest = next(seeds for seeds in count_from(MIN_SEEDS) if 2 / comb(2 * seeds, seeds) < decision.alpha)
    remedy = "try a lower --learning-rate or --clipnorm 1"
    if decision.seeds < fewest and not decision.pair.is_of_cells:
        return f"they are too few where trials failed or got stuck; use --seeds {fewest} or more, or {remedy}."
    return f"trials failed or got stuck, and the others do not tell; {remedy}."


def _say_speed(comparison: Comparison, decision: Decision, winner: str = "") -> str:
    """How fast the winner trains, or which of two equals trains faster; empty where that was not asked."""
    timed = next((one for one in decide_times(comparison) if one.pair == decision.pair), None)
    if timed is None or not timed.is_tested:
        return "; speed not compared (--fresh times them together)" if is_untimed_together(comparison) else ""
    ratio = timed.ratio if timed.ratio > 1 else 1 / timed.ratio
    if timed.outcome is Outcome.UNDECIDED:
        return "; no difference in speed is shown"
    if timed.outcome is not Outcome.DIFFERENT:
        return ", trained as fast" if winner else "; one trains as fast as the other"
    if winner and timed.lower != winner:
        return f", but took {say_faster(ratio)} times as long to train"
    faster = f"{say_faster(ratio)} times as fast"
    return f", trained {faster}" if winner else f"; the {timed.lower} trains {faster}"


def _answer_many(comparison: Comparison) -> Answer:
    """The answer of more than two arms, or cells: the best one, and which are shown to be worse."""
    decisions = _list_main_decisions(comparison)
    best, chosen_on = find_best_arm(comparison)
    cells = find_cell_pairs(comparison)
    name = best.cell if cells else best.name
    others = _list_sides(comparison) - {name}
    with_best = [decision for decision in decisions if name in (decision.pair.first, decision.pair.second)]
    if not any(decision.is_tested for decision in with_best):
        if decisions and not with_best:
            reason = f"{name} is best of {len(others) + 1} on {chosen_on}, and shares no seed with the others"
        else:
            reason = _explain_no_test(comparison, with_best)
        return Answer(choice=UNDECIDED, text=f"Undecided: {reason}.")
    worse, equal, unclear, better = _sort_others(with_best, name)
    untested = sorted(others - {*worse, *equal, *unclear, *better})
    margin = f"{comparison.margin * 100:g} %"
    if len(equal) == len(others) and all(decision.is_equivalent for decision in decisions):
        return Answer(
            choice=EITHER,
            text=f"Any of {len(others) + 1}: {', '.join([name, _name(_shorten(comparison, equal))])} are equivalent "
            f"within {margin}.",
        )
    parts = (
        ("lower RMSE than", worse, ""),
        ("equivalent to", equal, f" within {margin}"),
        ("undecided against", unclear, ""),
        ("higher test RMSE than", better, ""),
        ("not tested against", untested, ""),
    )
    found = ", ".join(f"{words} {_name(_shorten(comparison, names))}{more}" for words, names, more in parts if names)
    reason = f"best of {len(others) + 1} on {chosen_on}; {found}."
    if worse and not (unclear or better or untested):
        return Answer(choice=name, text=f"{name}: {reason}")
    if better:
        return Answer(choice=UNDECIDED, text=f"Undecided: {name} is {reason}")
    return Answer(choice=UNDECIDED, text=f"Undecided, {name} for now: {reason}")


def _explain_no_test(comparison: Comparison, decisions: Sequence[Decision]) -> str:
    """Why no two arms are tested."""
    if decisions:
        return explain_untested(max(decision.seeds for decision in decisions))
    if find_exact_arms(comparison):
        return "a trial has an error of exactly 0, and there is no ratio to it; is the target constant?"
    return "there are too many arms to test, or they share no seed"


def _sort_others(decisions: Sequence[Decision], name: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """The names of those that an arm is better than, equivalent to, undecided against, and worse than."""
    groups: tuple[list[str], list[str], list[str], list[str]] = ([], [], [], [])
    for decision in decisions:
        other = decision.pair.second if decision.pair.first == name else decision.pair.first
        if decision.outcome is Outcome.DIFFERENT:
            groups[0 if decision.lower == name else 3].append(other)
        else:
            groups[1 if decision.is_equivalent else 2].append(other)
    return groups


def _shorten(comparison: Comparison, names: Sequence[str]) -> list[str]:
    """Arms by their cell and the values of their settings, whose keys the name of the best arm has: `GRU 0.003`."""
    short = {arm.name: arm.short_name for arm in comparison.arms}
    return [short.get(name, name) for name in names]


def _name(names: Sequence[str]) -> str:
    return join_and(names) if len(names) <= MAX_NAMED else f"{len(names)} others"
