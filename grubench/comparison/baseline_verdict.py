"""The part of a verdict that is about the baselines: which arms beat them, and which do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.comparison.finding import MAX_NAMED, Finding, format_span, name_arms_together
from grubench.comparison.pairs import ERROR, MIN_PAIRS, read_quantity
from grubench.comparison.reservations import explain_small_test, find_exact_arms
from grubench.comparison.statistics import ALPHA, PairedComparison, compare_paired
from grubench.spec.baselines import BASELINES
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grubench.comparison.comparison import Comparison


def find_against_baselines(comparison: Comparison) -> list[Finding]:
    """Set the arms against each baseline."""
    errors = {arm.name: [read_quantity(run, ERROR) for run in runs] for arm, runs in comparison.arms.items()}
    baselines = comparison.runs[0].metrics.baselines.items()
    exact = {arm.name for arm in find_exact_arms(comparison)}
    errors = {name: values for name, values in errors.items() if name not in exact}
    too_few = explain_small_test(comparison)
    return [_find_against(name, scores.rmse_scaled, errors, too_few) for name, scores in baselines]


def _find_against(baseline: str, error: float, errors: Mapping[str, list[float]], too_few: str) -> Finding:
    described = f"{baseline}, which {BASELINES[baseline].description}" if baseline in BASELINES else baseline
    if not error > 0:
        text = f"the error of {described}, is exactly 0: there is nothing to beat, and no ratio to it."
        return Finding(topic="baseline", text=text, arms=(baseline,))
    if not errors:
        text = f"the error of {described}, is above 0, and that of every arm exactly 0 in a trial."
        return Finding(topic="baseline", text=text, arms=(baseline,))
    results = {name: compare_paired(values, [error] * len(values)) for name, values in errors.items()}
    if len(results) > MAX_NAMED:
        ratios = format_span({name: result.ratio for name, result in results.items()}, 2)
    else:
        ratios = "; ".join(f"{name} {_format_ratio(result)}" for name, result in results.items())
    return Finding(
        topic="baseline",
        text=f"{_claim(results, too_few)} {described} (RMSE relative to it: {ratios}).",
        numbers=_ratio_numbers(results),
        arms=(*results, baseline),
    )


def _claim(results: Mapping[str, PairedComparison], too_few: str) -> str:
    """What is claimed of the arms against a baseline, whose name follows; nothing on a small test part."""
    if too_few:
        return f"{too_few} to compare {name_arms_together(list(results), len(results))} with"
    return _judge(results)


def _judge(results: Mapping[str, PairedComparison]) -> str:
    """Which arms beat a baseline, which are worse than it, and which show no difference; its name follows."""
    tested = {name for name, result in results.items() if result.n >= MIN_PAIRS and result.p < ALPHA}
    better = [name for name in results if name in tested and results[name].ratio < 1]
    worse = [name for name in results if name in tested and results[name].ratio > 1]
    unclear = [name for name in results if name not in tested]
    total = len(results)
    parts = []
    if better:
        parts.append(_beat(better, total))
    if worse:
        parts.append(_are_worse(worse, total))
    if unclear:
        names = name_arms_together(unclear, total)
        seeds = [result.n for result in results.values()]
        if max(seeds) < MIN_PAIRS:
            verb = "is" if min(seeds) == 1 else "are"
            parts.append(f"undecided, {count(min(seeds), 'seed')} {verb} too few to test {names} against")
        else:
            parts.append(f"{names} {'shows' if len(unclear) == 1 else 'show'} no difference from")
    return ", ".join(parts)


def _beat(names: list[str], total: int) -> str:
    if len(names) == total == 2:
        return "both beat"
    return f"{name_arms_together(names, total)} {'beats' if len(names) == 1 else 'beat'}"


def _are_worse(names: list[str], total: int) -> str:
    if len(names) == total == 2:
        return "neither beats"
    return f"{name_arms_together(names, total)} {'is' if len(names) == 1 else 'are'} worse than"


def _format_ratio(result: PairedComparison) -> str:
    if result.n < MIN_PAIRS:
        return f"{result.ratio:.2f}"
    return f"{result.ratio:.2f} ({result.ratio_interval.low:.2f} to {result.ratio_interval.high:.2f})"


def _ratio_numbers(results: Mapping[str, PairedComparison]) -> dict[str, float]:
    """The ratio of each arm and, where there are enough seeds, its interval."""
    numbers = {}
    for name, result in results.items():
        numbers[name] = result.ratio
        if result.n >= MIN_PAIRS:
            numbers[f"{name} low"], numbers[f"{name} high"] = result.ratio_interval.low, result.ratio_interval.high
    return numbers
