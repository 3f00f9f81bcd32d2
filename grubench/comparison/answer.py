"""The answer to the question "GRU or LSTM for my data?", in one to three lines that say what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.baseline_verdict import describe_baseline
from grubench.comparison.best_arm import find_best_arm
from grubench.comparison.decision import Decision, Outcome, decide_baselines, decide_errors, decide_times
from grubench.comparison.finding import MAX_NAMED, explain_untested
from grubench.comparison.pairs import find_cell_pairs
from grubench.comparison.power import MIN_SEEDS
from grubench.comparison.reliability import find_reliability
from grubench.comparison.reservations import explain_small_test, find_exact_arms, find_late_falls
from grubench.comparison.timing import is_untimed_together
from grubench.text import count, join_and

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison

# From this ratio on a difference is said as "times", below it as a percentage.
TIMES = 1.5
MANY_TIMES = 1000
EITHER = "either"
NEITHER = "neither"
UNDECIDED = "undecided"


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
    remarks = (*found.remarks, *_list_remarks(comparison, found))
    return replace(found, remarks=remarks)


def _answer(comparison: Comparison) -> Answer:
    """The answer without what holds for any."""
    if explain_small_test(comparison):
        return Answer(
            choice=UNDECIDED, text=f"Undecided: {explain_small_test(comparison)}; use more data or a larger --test."
        )
    if comparison.failed_arms and len(comparison.arms) == 1:
        (left,) = comparison.arms
        failed = join_and(arm.name for arm in comparison.failed_arms)
        return Answer(choice=left.name, text=f"{left}: every trial of {failed} failed.")
    beaten = _find_better_baseline(comparison)
    if beaten:
        return beaten
    if len(comparison.arms) == 1:
        (alone,) = comparison.arms
        return Answer(choice=UNDECIDED, text=f"{alone} alone: there is no other arm to compare it with.")
    decisions = _list_main_decisions(comparison)
    if len(decisions) == 1:
        return _answer_pair(comparison, decisions[0])
    return _answer_many(comparison)


def _list_main_decisions(comparison: Comparison) -> list[Decision]:
    """The decisions of the pairs that the question is about: of cells over all settings, else of all neighbors."""
    decisions = decide_errors(comparison)
    return [decision for decision in decisions if decision.pair.is_of_cells] or decisions


def _find_better_baseline(comparison: Comparison) -> Answer | None:
    """The answer where a baseline is better than the best network; None where none is shown to be."""
    errors = {
        arm.name: np.mean([run.metrics.test.rmse_scaled for run in runs]) for arm, runs in comparison.arms.items()
    }
    best = min(errors, key=lambda name: float(errors[name]))
    if len(errors) > 2:
        best = find_best_arm(comparison)[0].name
    worse = [
        decision
        for decision in decide_baselines(comparison)
        if decision.pair.first == best and decision.outcome is Outcome.DIFFERENT and not decision.first_is_lower
    ]
    if not worse:
        return None
    worst = max(worse, key=lambda decision: decision.ratio)
    name = {1: "the network", 2: "the better network"}.get(len(errors), f"the best of {len(errors)} networks")
    word = "Neither" if len(errors) == 2 else "None"
    text = f"{word}: {describe_baseline(worst.pair.second)} {_say_better(worst.ratio)} {name}."
    return Answer(choice=NEITHER, text=text)


def _say_better(ratio: float) -> str:
    """How much better a forecaster is whose error is 1 / ratio of another's; the other follows."""
    if ratio >= TIMES:
        return f"is {_say_times(ratio)} times better than"
    return f"has {(1 - 1 / ratio) * 100:.0f} % lower RMSE than"


def _say_times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < MANY_TIMES else f"more than {MANY_TIMES:,}"


def _answer_pair(comparison: Comparison, decision: Decision) -> Answer:
    """The answer of two arms, or two cells over all settings."""
    over = f" over {len(decision.pair.arms)} settings" if decision.pair.is_of_cells else ""
    margin = f"{comparison.margin * 100:g} %"
    if decision.outcome is Outcome.DIFFERENT:
        speed = _say_speed(comparison, decision, decision.lower)
        text = f"{decision.lower}: {_say_lower(decision)}{over}{_say_how_sure(decision)}{speed}."
        return Answer(choice=decision.lower, text=text)
    if decision.outcome is Outcome.SMALL:
        small = f"{decision.lower} has {_percent(decision)} lower RMSE{over}{_say_how_sure(decision)}"
        speed = _say_speed(comparison, decision)
        return Answer(choice=EITHER, text=f"Either: {small}, less than the margin of {margin}{speed}.")
    if decision.outcome is Outcome.EQUIVALENT:
        speed = _say_speed(comparison, decision)
        return Answer(choice=EITHER, text=f"Either: equivalent within {margin}{over}{speed}.")
    return _answer_undecided(comparison, decision, over)


def _answer_undecided(comparison: Comparison, decision: Decision, over: str) -> Answer:
    if not decision.is_tested:
        lower = f" ({decision.lower} had {_percent(decision)} lower RMSE{over})" if decision.ratio > 0 else ""
        remedy = f" Use --seeds {MIN_SEEDS} or more." if decision.seeds < MIN_SEEDS else ""
        return Answer(choice=UNDECIDED, text=f"Undecided: {explain_untested(decision.seeds)}{lower}.{remedy}")
    text = f"Undecided after {decision.seeds} seeds: "
    if decision.lost:
        return Answer(choice=UNDECIDED, text=f"{text}trials failed or got stuck, and the others do not tell{over}.")
    ends = _say_ends(decision)
    margin = f"{comparison.margin * 100:g} %"
    needed = decision.count_seeds_needed(comparison.margin)
    more = (needed or 0) - decision.seeds
    if needed is None:
        what = f"more seeds alone would not settle {margin}"
    elif more > 0:
        what = f"{count(more, 'more seed')} would settle {margin}"
    else:
        what = f"a difference of {margin} would have shown"
    return Answer(choice=UNDECIDED, text=f"{text}{decision.lower} {_percent(decision)} lower{over}, {ends}; {what}.")


def _percent(decision: Decision) -> str:
    """By how much the lower is lower: `4 %`."""
    ratio = decision.ratio if decision.ratio < 1 else 1 / decision.ratio
    share = (1 - ratio) * 100
    return f"{share:.0f} %" if share >= 1 else f"{share:.1g} %"


def _say_lower(decision: Decision) -> str:
    if decision.lost:
        share = max(decision.superiority, 1 - decision.superiority) * 100
        return f"lower RMSE than {decision.higher} in {share:.0f} % of all pairs of trials, failed ones the worst"
    return f"{_percent(decision)} lower RMSE than {decision.higher}"


def _say_how_sure(decision: Decision) -> str:
    """The interval of the share by which the lower is lower."""
    if decision.lost:
        return ""
    low, high = decision.interval.low, decision.interval.high
    shares = (1 - high, 1 - low) if decision.first_is_lower else (1 - 1 / low, 1 - 1 / high)
    level = f"{(1 - decision.alpha) * 100:.3g} % interval "
    least, most = sorted(shares)
    decimals = 0 if most >= 0.02 else 1
    return f" ({level}{least * 100:.{decimals}f} to {most * 100:.{decimals}f} %)"


def _say_ends(decision: Decision) -> str:
    """How much lower and how much higher the lower may be."""
    low, high = decision.interval.low, decision.interval.high
    if not decision.first_is_lower:
        low, high = 1 / high, 1 / low
    return f"anything from {(1 - low) * 100:.0f} % lower to {(high - 1) * 100:.0f} % higher"


def _say_speed(comparison: Comparison, decision: Decision, winner: str = "") -> str:
    """How fast the winner trains, or which of two equals trains faster; empty where that was not asked."""
    timed = next((one for one in decide_times(comparison) if one.pair == decision.pair), None)
    if timed is None or not timed.is_tested:
        return "; not timed together" if is_untimed_together(comparison) else ""
    ratio = timed.ratio if timed.ratio > 1 else 1 / timed.ratio
    if timed.outcome is Outcome.UNDECIDED:
        return "; no difference in speed is shown"
    if timed.outcome is not Outcome.DIFFERENT:
        return ", trained as fast" if winner else "; one trains as fast as the other"
    if winner and timed.lower != winner:
        return f", but took {ratio:.1f} times as long to train"
    return f", trained {ratio:.1f} times as fast" if winner else f"; the {timed.lower} trains {ratio:.1f} times as fast"


def _answer_many(comparison: Comparison) -> Answer:
    """The answer of more than two arms, or cells: the best one, and which are shown to be worse."""
    decisions = _list_main_decisions(comparison)
    best, chosen_on = find_best_arm(comparison)
    cells = find_cell_pairs(comparison)
    name = best.cell if cells else best.name
    with_best = [decision for decision in decisions if name in (decision.pair.first, decision.pair.second)]
    if not any(decision.is_tested for decision in with_best):
        return Answer(choice=UNDECIDED, text=f"Undecided: {_explain_no_test(comparison, decisions)}.")
    worse, equal, unclear, better = _sort_others(with_best, name)
    parts = []
    if worse:
        parts.append(f"lower RMSE than {_name(worse)}")
    if equal:
        parts.append(f"equivalent to {_name(equal)} within {comparison.margin * 100:g} %")
    if unclear:
        parts.append(f"undecided against {_name(unclear)}")
    if better:
        parts.append(f"higher test RMSE than {_name(better)}")
    number = len({arm.cell for arm in comparison.arms}) if cells else len(comparison.arms)
    reason = f"best of {number} on {chosen_on}; {', '.join(parts)}."
    if worse and not unclear and not better:
        return Answer(choice=name, text=f"{name}: {reason}")
    return Answer(choice=UNDECIDED, text=f"Undecided, {name} for now: {reason}")


def _explain_no_test(comparison: Comparison, decisions: Sequence[Decision]) -> str:
    """Why no two arms are tested."""
    if decisions:
        return explain_untested(max(decision.seeds for decision in decisions))
    if find_exact_arms(comparison):
        return "a trial has an error of exactly 0, and there is no ratio to it"
    return "there are too many arms to test, or they share no seed"


def _sort_others(decisions: Sequence[Decision], name: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """The names of those that an arm is better than, equivalent to, undecided against, and worse than."""
    groups: tuple[list[str], list[str], list[str], list[str]] = ([], [], [], [])
    for decision in decisions:
        other = decision.pair.second if decision.pair.first == name else decision.pair.first
        if decision.outcome is Outcome.DIFFERENT:
            groups[0 if decision.lower == name else 3].append(other)
        else:
            groups[2 if decision.outcome is Outcome.UNDECIDED else 1].append(other)
    return groups


def _name(names: Sequence[str]) -> str:
    return join_and(names) if len(names) <= MAX_NAMED else f"{len(names)} others"


def _list_remarks(comparison: Comparison, found: Answer) -> list[str]:
    """What holds an answer back: no better than a baseline, training cut short, lost trials, one split."""
    remarks = []
    if len(comparison.arms) > 2 and find_cell_pairs(comparison):
        best, chosen_on = find_best_arm(comparison)
        remarks.append(f"Best of {len(comparison.arms)} arms on {chosen_on}: {best.name}.")
    undecided = "" if found.choice == NEITHER else _find_unbeaten(comparison)
    if undecided:
        remarks.append(f"No network is shown to beat {undecided}.")
    falls = find_late_falls(comparison)
    if falls:
        names = join_and(falls) if len(falls) <= MAX_NAMED else f"{len(falls)} arms"
        remarks.append(f"{names} still learned when training ended: this compares speed of learning (--until-learned).")
    lost = {name: one for name, one in find_reliability(comparison).items() if one.lost}
    if lost:
        texts = [f"{one.lost} of {one.trials} {name}" for name, one in lost.items()]
        remarks.append(f"Trials failed or got stuck: {join_and(texts[:MAX_NAMED])}.")
    remarks.append("Seen on one split in time.")
    return remarks


def _find_unbeaten(comparison: Comparison) -> str:
    """The baseline with the lowest error that no network is shown to beat, in words; empty where there is none."""
    if explain_small_test(comparison):
        return ""
    decisions = [decision for decision in decide_baselines(comparison) if decision.is_tested]
    beaten = {one.pair.second for one in decisions if one.differs and one.first_is_lower}
    errors = {
        name: scores.rmse_scaled
        for name, scores in comparison.runs[0].metrics.baselines.items()
        if name not in beaten and any(one.pair.second == name for one in decisions)
    }
    if not errors:
        return ""
    name = min(errors, key=lambda name: errors[name])
    best = min(decision.ratio for decision in decisions if decision.pair.second == name)
    so_far = f"; so far it is {_say_times(best)} times better" if best >= TIMES else ""
    return f"{describe_baseline(name)}{so_far}"
