"""The part of a verdict that is about the errors: by how much, how sure, and how many seeds would tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.decision import Decision, Outcome, decide_errors
from grubench.comparison.finding import MAX_DETAILED, MAX_NAMED, Finding, explain_untested
from grubench.comparison.measures import pair_directions, pair_errors
from grubench.comparison.pairs import introduce_pair, name_pair
from grubench.comparison.phrases import write_interval, write_ratio
from grubench.comparison.power import MAX_SEEDS, MIN_SEEDS
from grubench.comparison.statistics import a12, correct, estimate_over_series, format_level, state_p, wilcoxon
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison


def find_errors(comparison: Comparison, too_few: str = "") -> list[Finding]:
    """State what each pair's errors show, of many pairs how many differ.

    Args:
        comparison: The comparison.
        too_few: Why nothing is claimed; empty where the test part is large enough.
    """
    decisions = decide_errors(comparison)
    cells = [decision for decision in decisions if decision.pair.is_of_cells]
    arms = [decision for decision in decisions if not decision.pair.is_of_cells]
    stated = cells + (arms if len(arms) <= MAX_NAMED else [])
    findings = [_state(comparison, decision, too_few) for decision in stated]
    if len(arms) > MAX_NAMED and not too_few:
        findings.append(_summarize(arms))
    return findings


def _state(comparison: Comparison, decision: Decision, too_few: str) -> Finding:
    name = name_pair(decision.pair)
    numbers: dict[str, float] = {"seeds": decision.seeds}
    if not np.isnan(decision.ratio):  # no seed was finished by both
        numbers |= {"ratio": decision.ratio}
    arms = (decision.pair.first, decision.pair.second)
    if too_few or not decision.is_tested:
        reason = too_few or explain_untested(decision.seeds)
        ratio = f"{write_ratio(decision.ratio, 3)}; " if decision.ratio > 0 else ""
        return Finding(
            topic="error", text=f"{introduce_pair(decision.pair)} {ratio}{reason}.", numbers=numbers, arms=arms
        )
    numbers |= {"p": decision.p}
    if decision.lost:
        numbers |= {"superiority": decision.superiority}
        test = "t-test of ranks" if decision.pair.is_of_cells else "Mann-Whitney"
        if comparison.until_decided:
            test = "e-value of signs"
        text = (
            f"{name}: {decision.lower} lower in {max(decision.superiority, 1 - decision.superiority) * 100:.0f} % of "
            f"all pairs of trials, failed and stuck ones counted as worst ({test}), {state_p(decision.p)}, "
            f"{_count_samples(decision)}: {decision.outcome.value}."
        )
        return Finding(topic="error", text=text, numbers=numbers, arms=arms)
    numbers |= {"ratio_low": decision.interval.low, "ratio_high": decision.interval.high}
    interval = write_interval(decision.interval, 3, decision.alpha)
    text = (
        f"{introduce_pair(decision.pair)} {write_ratio(decision.ratio, 3)} ({interval}), "
        f"{state_p(decision.p)}, "
        f"{_count_samples(decision)}: {decision.outcome.value}{_explain_outcome(decision, comparison.margin)}."
    )
    return Finding(topic="error", text=text + _share_of_series(comparison, decision), numbers=numbers, arms=arms)


def _count_samples(decision: Decision) -> str:
    seeds = count(decision.seeds, "seed")
    return f"{seeds} and {decision.series} series" if decision.series else seeds


def _explain_outcome(decision: Decision, margin: float) -> str:
    """By which interval two are equivalent; how many seeds would tell, where these do not."""
    if decision.is_equivalent:
        within = f"{format_level(2 * decision.within_alpha)} interval {write_interval(decision.within, 3)}"
        return f" within {margin * 100:g} % ({within})" if decision.outcome is Outcome.EQUIVALENT else f" ({within})"
    if decision.outcome is not Outcome.UNDECIDED or decision.is_sequential:
        return ""
    needed = decision.count_seeds_needed(margin)
    if needed is None:
        return f"; not even {MAX_SEEDS:,} seeds would show {margin * 100:g} %"
    return f"; {needed:,} seeds would show {margin * 100:g} %"


def _share_of_series(comparison: Comparison, decision: Decision) -> str:
    """On how many series each is better."""
    if not decision.series:
        return ""
    values = pair_errors(comparison, decision.pair)
    assert values is not None
    lower = int(np.sum(values.mean(axis=0) < 0))
    return f" {decision.pair.first} is lower on {lower} of {decision.series} series."


def _summarize(decisions: Sequence[Decision]) -> Finding:
    """State in one sentence how many of many pairs differ; the table of pairs has the numbers."""
    if not any(decision.is_tested for decision in decisions):
        most = max(decision.seeds for decision in decisions)
        return Finding(topic="error", text=f"{explain_untested(most)}.", numbers={"seeds": most})
    differing = [name_pair(decision.pair) for decision in decisions if decision.differs]
    equivalent = sum(decision.is_equivalent for decision in decisions)
    named = f" ({'; '.join(differing)})" if 0 < len(differing) <= MAX_NAMED else ""
    verb = "is" if equivalent == 1 else "are"
    text = f"of {len(decisions)} pairs of arms {len(differing)} differ{named}, {equivalent} {verb} equivalent."
    return Finding(topic="error", text=text, numbers={"differing": len(differing), "tested": len(decisions)})


def find_effects(comparison: Comparison) -> list[Finding]:
    """For those who look twice: Wilcoxon's test and the effect size of each pair."""
    findings = []
    for decision in decide_errors(comparison):
        values = pair_errors(comparison, decision.pair)
        if values is None or not (decision.is_tested or decision.lost) or decision.pair.is_of_cells:
            continue
        p = wilcoxon(values.mean(axis=1))
        first, second = (
            [run.metrics.test.rmse_scaled for run in comparison.arms[arm]] for arm in decision.pair.arms[0]
        )
        effect = a12(first, second)
        text = f"{name_pair(decision.pair)}: Wilcoxon signed-rank {state_p(p)}, A12 {effect:.2f}."
        numbers = {"wilcoxon_p": p, "a12": effect}
        findings.append(Finding(topic="error", text=text, numbers=numbers, is_detail=True))
    return _cut(findings, "Wilcoxon's test and A12")


def find_directions(comparison: Comparison) -> list[Finding]:
    """For those who look twice: directional accuracy over seeds and series, where enough series are tested."""
    values = {decision.pair: pair_directions(comparison, decision.pair) for decision in decide_errors(comparison)}
    estimates = {pair: estimate_over_series(of_pair) for pair, of_pair in values.items() if of_pair is not None}
    enough = {pair: found for pair, found in estimates.items() if found.seeds >= MIN_SEEDS and found.variance > 0}
    corrected = correct({pair: found.p() for pair, found in enough.items()})
    findings = []
    for pair, found in enough.items():
        interval = found.interval(1 - corrected[pair].alpha)
        mean, low, high = map(_write_points, (found.mean, interval.low, interval.high))
        text = (
            f"{name_pair(pair)}: directional accuracy {mean} percentage points ({low} to {high}, "
            f"{state_p(corrected[pair].p)}, {count(found.seeds, 'seed')} and {found.series} series)."
        )
        numbers = {"difference": found.mean, "low": interval.low, "high": interval.high, "p": corrected[pair].p}
        findings.append(Finding(topic="series", text=text, numbers=numbers, is_detail=True))
    return _cut(findings, "directional accuracy")


def _write_points(share: float) -> str:
    """A difference of shares in percentage points, with its sign; 0 has none."""
    text = f"{share * 100:+.1f}"
    return text if float(text) else "0.0"


def _cut(findings: list[Finding], measure: str) -> list[Finding]:
    """The first of very many findings, a pair each, and how many more there are."""
    if len(findings) <= MAX_DETAILED:
        return findings
    text = f"{measure} of {count(len(findings) - MAX_DETAILED, 'more pair')} not shown."
    return [*findings[:MAX_DETAILED], Finding(topic=findings[0].topic, text=text, is_detail=True)]
