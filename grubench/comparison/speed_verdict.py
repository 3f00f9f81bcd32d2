"""The part of a verdict that is about speed: how many times as fast, which arm is fastest, what disturbs the times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.finding import MAX_NAMED, Finding, explain_too_few, format_span, summarize_pairs
from grubench.comparison.pairs import (
    MIN_PAIRS,
    TIME,
    compare_neighbors,
    explain_other_kernels,
    explain_untimed,
    read_quantity,
)
from grubench.comparison.statistics import state_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.pairs import Pair

# A spread of the time ratio over pairs, as a share, above which the machine was too restless to trust it.
RESTLESS = 0.1
# How many times as long as a later epoch the first one takes before it is mentioned.
LONG_FIRST_EPOCH = 3.0


def find_speed(comparison: Comparison) -> list[Finding]:
    """Set the times of the arms against each other, or say why they are not."""
    reason = explain_untimed(comparison)
    if reason:
        return [Finding(topic="speed", text=reason)]
    pairs = compare_neighbors(comparison, TIME)
    other_kernels = explain_other_kernels(comparison)
    findings = [Finding(topic="speed", text=other_kernels)] if other_kernels else []
    if len(pairs) <= MAX_NAMED:
        findings += [_find_faster(pair) for pair in pairs]
    else:
        findings.append(summarize_pairs("speed", pairs))
        if not other_kernels:
            findings.append(_find_fastest(comparison, pairs))
    return findings + _find_restless(pairs) + _find_first_epochs(comparison)


def _find_faster(pair: Pair) -> Finding:
    result, interval = pair.result, pair.result.ratio_interval
    faster = f"{pair.first} trained {1 / result.ratio:.2f} times as fast as {pair.second}"
    arms = (pair.first.name, pair.second.name)
    numbers = {"ratio": 1 / result.ratio, "pairs": result.n}
    if result.n < MIN_PAIRS:
        return Finding(topic="speed", text=f"{explain_too_few(result.n)}; {faster}.", numbers=numbers, arms=arms)
    numbers |= {"ratio_low": 1 / interval.high, "ratio_high": 1 / interval.low, "p": pair.p}
    text = (
        f"{'' if pair.differs else 'no difference shown; '}{faster} (95 % interval {1 / interval.high:.2f} to "
        f"{1 / interval.low:.2f}, {state_p(pair.p)}, {result.n} pairs, epochs after the first)."
    )
    return Finding(topic="speed", text=text, numbers=numbers, arms=arms)


def _find_fastest(comparison: Comparison, pairs: Sequence[Pair]) -> Finding:
    """Name the arm of many with the shortest epochs, beside the next and the last."""
    arms = dict.fromkeys(arm for pair in pairs for arm in (pair.first, pair.second))
    epoch_s = {arm: float(np.mean([read_quantity(run, TIME) for run in comparison.arms[arm]])) for arm in arms}
    first, second, *_, last = sorted(epoch_s, key=lambda arm: epoch_s[arm])
    pair = next((pair for pair in pairs if {pair.first, pair.second} == {first, second}), None)
    if pair is None:
        remark = " (they differ in more than one setting, and are not tested)"
    else:
        remark = "" if pair.differs else " (no difference shown between these two)"
    to_second, to_last = epoch_s[second] / epoch_s[first], epoch_s[last] / epoch_s[first]
    return Finding(
        topic="speed",
        text=f"{first} trained fastest, {to_second:.2f} times as fast as {second}, the next{remark}, and {to_last:.2f} "
        f"times as fast as {last}, the slowest (mean epochs).",
        numbers={"ratio_to_next": to_second, "ratio_to_slowest": to_last},
        arms=(first.name, second.name, last.name),
    )


def _find_restless(pairs: Sequence[Pair]) -> list[Finding]:
    """Warn of a machine whose times vary much."""
    restless = [pair for pair in pairs if pair.result.n >= MIN_PAIRS and pair.result.spread > RESTLESS]
    if not restless:
        return []
    worst = max(restless, key=lambda pair: pair.result.spread)
    text = (
        f"the ratio of {worst.first} and {worst.second} varies by {worst.result.spread * 100:.0f} % from pair to pair; "
        "close other programs, or use more --seeds."
    )
    arms = (worst.first.name, worst.second.name)
    return [Finding(topic="speed", text=text, numbers={"spread": worst.result.spread}, arms=arms)]


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
    return [Finding(topic="speed", text=text, numbers=long, arms=tuple(long))]
