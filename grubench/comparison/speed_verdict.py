"""The part of a verdict that is about speed: how many times as fast, which arm is fastest, what disturbs the times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.decision import decide_times
from grubench.comparison.finding import MAX_NAMED, Finding, explain_untested, format_span, name_arms_together
from grubench.comparison.measures import pair_times, took_turns
from grubench.comparison.pairs import find_neighbors, name_pair
from grubench.comparison.phrases import write_interval, write_ratio
from grubench.comparison.power import MIN_SEEDS
from grubench.comparison.statistics import Interval, state_p
from grubench.comparison.timing import can_be_timed, explain_other_kernels, explain_untimed
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.decision import Decision
    from grubench.runs.run import Run

# A spread of the time ratio over pairs, as a share, above which the machine was too restless to trust it.
RESTLESS = 0.1
# How many times as long as a later epoch the first one takes before it is mentioned.
LONG_FIRST_EPOCH = 3.0


def find_speed(comparison: Comparison) -> list[Finding]:
    """Set the times of the arms against each other, or say why they are not."""
    reason = explain_untimed(comparison)
    if reason:
        return [Finding(topic="speed", text=reason)]
    decisions = decide_times(comparison)
    other_kernels = explain_other_kernels(comparison)
    findings = [Finding(topic="speed", text=other_kernels)] if other_kernels else []
    cells = [decision for decision in decisions if decision.pair.is_of_cells]
    arms = [decision for decision in decisions if not decision.pair.is_of_cells]
    findings += [_state(comparison, decision) for decision in cells]
    if len(arms) <= MAX_NAMED:  # where there are cells over all settings, those are the question
        findings += [replace(_state(comparison, decision), is_detail=bool(cells)) for decision in arms]
    if len(arms) > MAX_NAMED:
        findings.append(_find_fastest(comparison, arms))
    findings += _find_untimed(comparison, arms)
    return findings + _find_restless(comparison, decisions) + _find_first_epochs(comparison)


def _find_untimed(comparison: Comparison, timed: Sequence[Decision]) -> list[Finding]:
    """Name the pairs of which no trials took turns, where others did."""
    known = {decision.pair for decision in timed}
    pairs = [pair for pair in find_neighbors(comparison) if pair not in known and can_be_timed(comparison, pair)]
    if not pairs or not known:
        return []
    names = "; ".join(map(name_pair, pairs)) if len(pairs) <= MAX_NAMED else f"{len(pairs)} pairs"
    return [Finding(topic="speed", text=f"{names}: not timed together; --fresh trains them in turns.")]


def _state(comparison: Comparison, decision: Decision) -> Finding:
    """How many times as fast the faster is."""
    inverted = decision.ratio if not decision.first_is_lower else 1 / decision.ratio
    faster = f"{decision.lower} {write_ratio(inverted, 2)} times as fast as {decision.higher}"
    where = ", all settings" if decision.pair.is_of_cells else ""
    shared = min(len(comparison.pairs(*arms)) for arms in decision.pair.arms)
    where += f", of the {decision.seeds} seeds in {shared} that took turns" if decision.seeds < shared else ""
    arms = (decision.pair.first, decision.pair.second)
    numbers = {"ratio": decision.ratio, "seeds": decision.seeds}
    if not decision.is_tested:
        text = f"{faster}{where}; {explain_untested(decision.seeds)}."
        return Finding(topic="speed", text=text, numbers=numbers, arms=arms)
    low, high = decision.interval.low, decision.interval.high
    numbers |= {"ratio_low": low, "ratio_high": high, "p": decision.p}
    ends = Interval(low=1 / high, high=1 / low) if decision.first_is_lower else decision.interval
    interval = write_interval(ends, 2, decision.alpha)
    text = f"{faster}{where} ({interval}), {state_p(decision.p)}: {decision.outcome.value}."
    return Finding(topic="speed", text=text, numbers=numbers, arms=arms)


def _find_fastest(comparison: Comparison, decisions: Sequence[Decision]) -> Finding:
    """Name the arm of many with the shortest epochs, and the arms than which it is shown to be faster."""
    arms = dict.fromkeys(arm for decision in decisions for arm in decision.pair.arms[0])
    in_turns = _list_in_turns([comparison.arms[arm] for arm in arms])
    if len(in_turns) < MIN_SEEDS:
        text = f"{count(len(in_turns), 'seed')} of which all arms took turns in one call, too few to tell."
        return Finding(topic="speed", text=text, numbers={"seeds": len(in_turns)})
    logs = np.log([[run.metrics.timing.epoch_s for run in runs] for runs in in_turns]).mean(axis=0)
    fastest = list(arms)[int(np.argmin(logs))].name
    tested = [one for one in decisions if fastest in (one.pair.first, one.pair.second)]
    slower = [one.higher for one in tested if one.differs and one.lower == fastest]
    unclear = len(tested) - len(slower)
    untested = len(arms) - 1 - len(tested)
    other = "other " if slower else ""
    why = "they differ in several settings, or in none that changes the time"
    parts = [
        f"shown to be faster than {name_arms_together(slower, len(arms))}" if slower else "",
        f"no difference shown to the {count(unclear, f'{other}arm')} that it is tested against" if unclear else "",
        f"not tested against {count(untested, 'other')} ({why})" if untested else "",
    ]
    found = "; ".join(part for part in parts if part)
    return Finding(
        topic="speed",
        text=f"{fastest} has the shortest epochs (geometric means of {len(in_turns)} seeds): {found}.",
        numbers={"slower": len(slower), "tested": len(tested), "untested": untested},
        arms=(fastest, *slower),
    )


def _list_in_turns(arms: Sequence[Sequence[Run]]) -> list[tuple[Run, ...]]:
    """The runs of each seed that every arm trained in the same call, one of each arm."""
    by_seed = [{run.experiment.seed: run for run in runs} for runs in arms]
    seeds = sorted(set.intersection(*map(set, by_seed)))
    matched = [tuple(runs[seed] for runs in by_seed) for seed in seeds]
    return [runs for runs in matched if all(took_turns(runs[0], run) for run in runs)]


def _find_restless(comparison: Comparison, decisions: Sequence[Decision]) -> list[Finding]:
    """Warn of a machine whose times vary much."""
    spreads = {}
    for decision in decisions:
        logs = pair_times(comparison, decision.pair)
        if decision.seeds >= MIN_SEEDS and logs is not None and logs.std(ddof=1) > RESTLESS:
            spreads[decision.pair] = float(logs.std(ddof=1))
    if not spreads:
        return []
    worst = max(spreads, key=lambda pair: spreads[pair])
    text = f"the time ratio varies by {spreads[worst] * 100:.0f} % from seed to seed; close other programs."
    return [Finding(topic="speed", text=text, numbers={"spread": spreads[worst]}, arms=(worst.first, worst.second))]


def _find_first_epochs(comparison: Comparison) -> list[Finding]:
    """Mention first epochs that took much longer than the others, which are the ones compared."""
    shares = {
        arm.name: float(np.median([run.metrics.timing.first_epoch_s / run.metrics.timing.epoch_s for run in runs]))
        for arm, runs in comparison.arms.items()
    }
    long = {name: share for name, share in shares.items() if share > LONG_FIRST_EPOCH}
    if not long:
        return []
    text = (
        f"the first epoch took {format_span(long, 1)} times as long as a later one, because of tracing and "
        "compilation; it is left out, but counts in short trainings."
    )
    return [Finding(topic="speed", text=text, numbers=long, arms=tuple(long), is_detail=True)]
