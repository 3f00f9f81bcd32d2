"""The part of a verdict that is about the baselines: which arms beat them, and which do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.comparison.decision import decide_baselines
from grubench.comparison.finding import MAX_NAMED, Finding, explain_untested, format_span, name_arms_together
from grubench.comparison.phrases import write_interval, write_ratio
from grubench.spec.baselines import BASELINES, SEASONAL
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.decision import Decision


def find_against_baselines(comparison: Comparison, too_few: str = "") -> list[Finding]:
    """Set the arms against each baseline.

    Args:
        comparison: The comparison.
        too_few: Why nothing is claimed; empty where the test part is large enough.
    """
    decisions = decide_baselines(comparison)
    findings = []
    for name, scores in comparison.runs[0].metrics.baselines.items():
        against = [decision for decision in decisions if decision.pair.second == name]
        findings.append(_state(name, describe_baseline(comparison, name), scores.rmse_scaled, against, too_few))
    return findings


def describe_baseline(comparison: Comparison, name: str) -> str:
    """A baseline in words: `repeating the last value`, `repeating the last 7 steps`."""
    if name == SEASONAL.name:
        return f"repeating the last {count(comparison.spec.data.season, 'step')}"
    return BASELINES[name].action if name in BASELINES else name


def _state(name: str, words: str, error: float, decisions: Sequence[Decision], too_few: str) -> Finding:
    if not error > 0:
        text = f"{words} makes no error at all: no network can do better, and there is no ratio to it."
        return Finding(topic="baseline", title=name, text=text, arms=(name,))
    if not decisions:
        text = f"{words} makes errors, and every arm none at all in a trial: there is no ratio."
        return Finding(topic="baseline", title=name, text=text, arms=(name,))
    if len(decisions) > MAX_NAMED:
        ratios = format_span({decision.pair.first: decision.ratio for decision in decisions}, 2)
    else:
        ratios = ", ".join(f"{decision.pair.first} {_format_ratio(decision)}" for decision in decisions)
    arms = (*(decision.pair.first for decision in decisions), name)
    text = f"{ratios}: {too_few or _judge(decisions)}."
    return Finding(topic="baseline", title=name, text=text, numbers=_list_numbers(decisions), arms=arms)


def _judge(decisions: Sequence[Decision]) -> str:
    """Which arms are better than a baseline, which worse, and which show no difference."""
    total = len(decisions)
    if not any(decision.is_tested for decision in decisions):
        return explain_untested(max(decision.seeds for decision in decisions))
    better = [one.pair.first for one in decisions if one.differs and one.first_is_lower]
    worse = [one.pair.first for one in decisions if one.differs and not one.first_is_lower]
    unclear = [one.pair.first for one in decisions if not one.differs]
    parts = []
    for names, word in ((better, "better"), (worse, "worse"), (unclear, "undecided")):
        if names and len(names) == total > 1:
            parts.append(f"{'both' if total == 2 else 'all'} {word}")
        elif names:
            parts.append(f"{name_arms_together(names, total)} {word}")
    return ", ".join(parts)


def _format_ratio(decision: Decision) -> str:
    ratio = write_ratio(decision.ratio, 2)
    if not decision.is_tested:
        return ratio
    if decision.lost:  # the ratio is of what finished, and says nothing of the trials that failed
        return f"{ratio} (worse in {decision.superiority * 100:.0f} % of trials, lost ones too)"
    return f"{ratio} ({write_interval(decision.interval, 2)})"


def _list_numbers(decisions: Sequence[Decision]) -> dict[str, float]:
    """The ratio of each arm and, where there are enough seeds, its interval and the level of that."""
    numbers = {}
    for decision in decisions:
        numbers[decision.pair.first] = decision.ratio
        if decision.is_tested and not decision.lost:
            numbers[f"{decision.pair.first} low"] = decision.interval.low
            numbers[f"{decision.pair.first} high"] = decision.interval.high
            numbers[f"{decision.pair.first} level"] = 1 - decision.alpha
    return numbers
