"""What a comparison shows, in plain sentences: speed, error, what the seeds could have shown, and the baselines.

Over seeds the paired t-test on the logarithms of ratios decides (at 5 %, with Holm's correction where several pairs of
arms are tested); an interval stands beside it. Where it decides nothing, the sentence says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.comparison.baseline_verdict import find_against_baselines
from grubench.comparison.finding import MAX_NAMED, Finding, explain_too_few, summarize_pairs
from grubench.comparison.pairs import ERROR, MIN_PAIRS, compare_neighbors, explain_untested, find_neighbors
from grubench.comparison.reservations import explain_small_test, find_exact, find_lagging, find_small_test
from grubench.comparison.speed_verdict import find_speed
from grubench.comparison.statistics import seeds_needed, smallest_detectable_ratio, state_p
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.pairs import Pair

# The difference in error whose seeds are stated, as a share.
STATED_DIFFERENCE = 0.05


def write_verdict(comparison: Comparison) -> list[Finding]:
    """State what a comparison shows: a small test part, left-out seeds, speed, error, power, baselines, failures."""
    errors = compare_neighbors(comparison, ERROR)
    too_few = explain_small_test(comparison)
    return [
        *find_small_test(comparison),
        *find_unpaired(comparison),
        *find_speed(comparison),
        *find_exact(comparison),
        *find_errors(errors, _equal_time(comparison), too_few),
        *([] if too_few else find_power(errors)),
        *find_against_baselines(comparison),
        *find_lagging(comparison),
        *find_failures(comparison),
    ]


def find_unpaired(comparison: Comparison) -> list[Finding]:
    """Name the seeds that only one arm of a pair finished; or say that there are too many pairs."""
    findings: list[Finding] = []
    untested = explain_untested(comparison)
    if untested:
        return [Finding(topic="pairs", text=untested)]
    for first, second in find_neighbors(comparison):
        ours, theirs = ({run.experiment.seed for run in comparison.arms[arm]} for arm in (first, second))
        single, common = sorted(ours ^ theirs), len(ours & theirs)
        if not single and common:
            continue
        if common:
            seeds = f"seed {single[0]}" if len(single) == 1 else f"seeds {', '.join(map(str, single))}"
            text = (
                f"{first} and {second} share {count(common, 'seed')}; {seeds}, finished by one of them alone, "
                "is left out of their comparison, but not of the tables and the baselines."
            )
        else:
            text = f"{first} and {second} share no seed that both finished; they cannot be compared in pairs."
        findings.append(Finding(topic="pairs", text=text, numbers={"pairs": common}, arms=(first.name, second.name)))
    return findings


def find_errors(pairs: Sequence[Pair], after: str, too_few: str = "") -> list[Finding]:
    """Set the errors of each pair of arms against each other; many pairs in one sentence.

    Args:
        pairs: The pairs.
        after: Words on the training time; empty where it has nothing to do with the errors.
        too_few: Why nothing is claimed; empty where the test part is large enough.
    """
    if len(pairs) <= MAX_NAMED:
        return [_find_error(pair, after, too_few) for pair in pairs]
    return [Finding(topic="error", text=f"{too_few}.") if too_few else summarize_pairs("error", pairs)]


def _find_error(pair: Pair, after: str, too_few: str) -> Finding:
    result, interval = pair.result, pair.result.ratio_interval
    share = 1 - result.ratio
    lower = f"RMSE of {pair.first} is {share * 100:.1f} % lower than that of {pair.second} on the test part{after}"
    arms = (pair.first.name, pair.second.name)
    numbers: dict[str, float] = {"lower_by": share, "pairs": result.n}
    if too_few or result.n < MIN_PAIRS:
        reason = too_few or explain_too_few(result.n)
        return Finding(topic="error", text=f"{reason}; {lower}.", numbers=numbers, arms=arms)
    in_words = (
        f"RMSE ratio {result.ratio:.3f}, 95 % interval {interval.low:.3f} to {interval.high:.3f}, "
        f"paired t-test {state_p(pair.p)}, Wilcoxon {state_p(result.wilcoxon_p)}, A12 {result.a12:.2f}, "
        f"{result.n} pairs"
    )
    numbers |= {
        "ratio": result.ratio,
        "ratio_low": interval.low,
        "ratio_high": interval.high,
        "p": pair.p,
        "wilcoxon_p": result.wilcoxon_p,
        "a12": result.a12,
    }
    no_difference = f"no difference shown between {pair.first} and {pair.second} with {count(result.n, 'seed')}{after}"
    text = f"{lower if pair.differs else no_difference} ({in_words})."
    return Finding(topic="error", text=text, numbers=numbers, arms=arms)


def _equal_time(comparison: Comparison) -> str:
    """What the time of training has to do with an error; empty where it has nothing to do with it."""
    seconds = {run.experiment.training.seconds for run in comparison.runs}
    stopped = any(run.experiment.training.patience for run in comparison.runs)
    equal = len(seconds) == 1 and all(seconds) and not stopped
    return f", after {seconds.pop():g} s of training each" if equal else ""


def find_power(pairs: Sequence[Pair]) -> list[Finding]:
    """State which difference these seeds could have shown, from the spreads seen."""
    tested = [pair for pair in pairs if pair.result.n >= MIN_PAIRS and pair.result.spread > 0]
    if len(tested) <= MAX_NAMED:
        return [_find_power_of_pair(pair) for pair in tested]
    low, high = (choose(tested, key=lambda pair: pair.result.spread) for choose in (min, max))
    text = (
        f"with these spreads, {count(low.result.n, 'seed')} show differences of {_detectable(low):.1f} % to "
        f"{_detectable(high):.1f} % in 4 of 5 repetitions; a difference of {STATED_DIFFERENCE * 100:.0f} % needs "
        f"{_needed(low)} to {_needed(high)} seeds."
    )
    numbers = {"seeds": low.result.n, "percent_low": _detectable(low), "percent_high": _detectable(high)}
    return [Finding(topic="power", text=text, numbers=numbers)]


def _find_power_of_pair(pair: Pair) -> Finding:
    percent = _detectable(pair)
    text = (
        f"with this spread, {count(pair.result.n, 'seed')} show a difference between {pair.first} and {pair.second} of "
        f"{percent:.1f} % in 4 of 5 repetitions; a difference of {STATED_DIFFERENCE * 100:.0f} % needs "
        f"{_needed(pair)} seeds."
    )
    needed = seeds_needed(1 + STATED_DIFFERENCE, pair.result.spread)
    numbers: dict[str, float] = {"seeds": pair.result.n, "percent": percent}
    if needed is not None:
        numbers["seeds_needed"] = max(needed, MIN_PAIRS)
    return Finding(topic="power", text=text, numbers=numbers, arms=(pair.first.name, pair.second.name))


def _detectable(pair: Pair) -> float:
    """The smallest difference that the seeds of a pair show, in percent."""
    return (smallest_detectable_ratio(pair.result.spread, pair.result.n) - 1) * 100


def _needed(pair: Pair) -> str:
    """The seeds that the stated difference needs, in words."""
    needed = seeds_needed(1 + STATED_DIFFERENCE, pair.result.spread)
    return "more than 10,000" if needed is None else str(max(needed, MIN_PAIRS))


def find_failures(comparison: Comparison) -> list[Finding]:
    """Name the trials that failed, each with its reason and remedy."""
    return [
        Finding(
            topic="failed",
            text=f"{failure.arm} with seed {failure.seed}. {failure.message} {failure.remedy}",
            numbers={"seed": failure.seed},
            arms=(failure.arm,),
        )
        for failure in comparison.failures
    ]
