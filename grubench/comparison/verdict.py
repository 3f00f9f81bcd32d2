"""What a comparison shows, in plain sentences: speed, error, what the seeds could have told, and the baselines.

Over seeds the paired t-test on the logarithms of ratios decides (at 5 %, with Holm's correction where several pairs of
arms are tested); an interval stands beside it. A tie is called one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.pairs import (
    ERROR,
    LEAST_PAIRS,
    MOST_SENTENCES,
    TIME,
    compared,
    figure,
    kernels_apart,
    neighbours,
    why_not_timed,
)
from grubench.comparison.statistics import ALPHA, Paired, detectable, paired, seeds_needed, written_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.pairs import Pair

# A spread of the time ratio over pairs, as a share, above which the machine was too restless to trust it.
RESTLESS = 0.1
# How many times a steady epoch the first one takes before it is worth a word.
STICKS_OUT = 3.0
# The difference in error whose seeds are told, as a share.
STATED_DIFFERENCE = 0.05


def sentences(comparison: Comparison) -> list[str]:
    """The verdict: speed and error for each pair of arms, what the seeds could have told, baselines, failures."""
    found = _unpaired(comparison)
    found += _speed(comparison)
    errors = compared(comparison, ERROR)
    after = _equal_time(comparison)
    found += [_error(pair, after) for pair in errors] if len(errors) <= MOST_SENTENCES else [_many(errors, "Error")]
    found += _power(errors)
    found += _against_baselines(comparison)
    found += [f"Failed: {one.arm} with seed {one.seed}. {one.message} {one.remedy}" for one in comparison.failures]
    return found


def _unpaired(comparison: Comparison) -> list[str]:
    """A word on seeds that only one arm of a pair finished."""
    found = []
    for first, second in neighbours(comparison):
        ours, theirs = ({run.experiment.seed for run in comparison.arms[name]} for name in (first, second))
        alone, both = sorted(ours ^ theirs), len(ours & theirs)
        if not both:
            found.append(f"{first} and {second} share no seed that both finished: they cannot be compared in pairs.")
        elif alone:
            seeds = f"seed {alone[0]}" if len(alone) == 1 else f"seeds {', '.join(map(str, alone))}"
            found.append(
                f"Pairs: {both} of {first} and {second}; {seeds} of one of them alone "
                f"{'is' if len(alone) == 1 else 'are'} left out of what follows, the tables and baselines apart."
            )
    return found


def _many(pairs: Sequence[Pair], what: str) -> str:
    """One sentence for many pairs; the table of pairs has the figures."""
    if max(pair.found.n for pair in pairs) < LEAST_PAIRS:
        return f"{what}: {_seeds(max(pair.found.n for pair in pairs))} cannot tell any difference from chance."
    differing = [f"{pair.first} from {pair.second}" for pair in pairs if pair.differs]
    told = f"{len(differing)} of {len(pairs)} pairs of neighbours differ" if differing else "no two neighbours differ"
    named = f": {'; '.join(differing)}" if 0 < len(differing) <= MOST_SENTENCES else ""
    return f"{what}: {told} (paired t-tests, Holm's correction over {len(pairs)} pairs){named}."


def _speed(comparison: Comparison) -> list[str]:
    why = why_not_timed(comparison)
    if why:
        return [f"Speed: {why}"]
    pairs = compared(comparison, TIME)
    apart = kernels_apart(comparison)
    found = [f"Speed: {apart}"] * bool(apart)
    few = len(pairs) <= MOST_SENTENCES
    found += [_faster(pair) for pair in pairs] if few else [_many(pairs, "Speed")]
    if not few and not apart:
        found.append(_fastest(comparison, pairs))
    restless = [pair for pair in pairs if pair.found.n >= LEAST_PAIRS and pair.found.spread > RESTLESS]
    if restless:
        most = max(restless, key=lambda pair: pair.found.spread)
        found.append(
            f"Speed: the ratio of {most.first} and {most.second} varies by {most.found.spread * 100:.0f} % "
            "from pair to pair; close other programs, or use more --seeds."
        )
    return found + _first_epochs(comparison)


def _faster(pair: Pair) -> str:
    ratio = 1 / pair.found.ratio
    if pair.found.n < LEAST_PAIRS:
        return (
            f"Speed: an epoch of {pair.first} was {ratio:.2f} times as fast as one of {pair.second}; "
            f"{_seeds(pair.found.n)} cannot tell whether that is chance."
        )
    interval = pair.found.ratio_interval
    numbers = (
        f"95 % interval {1 / interval.high:.2f} to {1 / interval.low:.2f}, p {written_p(pair.p)}, "
        f"{pair.found.n} pairs, epochs after the first"
    )
    called = "" if pair.differs else "no difference shown; "
    return f"Speed: {called}{pair.first} trained {ratio:.2f} times as fast as {pair.second} ({numbers})."


def _fastest(comparison: Comparison, pairs: Sequence[Pair]) -> str:
    """Of many arms the one with the shortest epochs, beside the next and the last."""
    arms = dict.fromkeys(arm for pair in pairs for arm in (pair.first, pair.second))
    epochs = {name: float(np.mean([figure(run, TIME) for run in comparison.arms[name]])) for name in arms}
    first, second, *_, last = sorted(epochs, key=lambda name: epochs[name])
    pair = next((pair for pair in pairs if {pair.first, pair.second} == {first, second}), None)
    if pair is None:
        sure = " (they differ in more than one setting, and are not tested)"
    else:
        sure = "" if pair.differs else " (these seeds cannot tell the two apart)"
    return (
        f"Speed: {first} trained fastest, {epochs[second] / epochs[first]:.2f} times as fast as {second}, the next"
        f"{sure}, and {epochs[last] / epochs[first]:.2f} times as fast as {last}, the slowest (mean epochs)."
    )


def _first_epochs(comparison: Comparison) -> list[str]:
    """A word on first epochs that took much longer than the others, which are the ones compared."""
    shares = {
        arm.name: float(np.median([run.metrics.timing.first_epoch_s / run.metrics.timing.epoch_s for run in runs]))
        for arm, runs in comparison.arms.items()
    }
    long = {name: share for name, share in shares.items() if share > STICKS_OUT}
    if not long:
        return []
    shown = _span([f"{share:.1f}" for share in long.values()], list(long))
    return [
        f"Speed: the first epoch took {shown} times a later one, for tracing and compilation; it is left out, and "
        "weighs in short trainings."
    ]


def _span(figures: list[str], names: list[str]) -> str:
    """The figures of a few arms each by its name, of many from the least to the most."""
    if len(figures) > MOST_SENTENCES:
        return f"{min(figures, key=float)} to {max(figures, key=float)}"
    return " and ".join(f"{one} ({name})" for one, name in zip(figures, names, strict=True))


def _equal_time(comparison: Comparison) -> str:
    """What the time of training has to do with an error; empty where it has nothing to do with it."""
    seconds = {run.experiment.training.seconds for run in comparison.runs}
    stopped = any(run.experiment.training.patience for run in comparison.runs)
    equal = len(seconds) == 1 and all(seconds) and not stopped
    return f", after {seconds.pop():g} s of training each" if equal else ""


def _error(pair: Pair, after: str) -> str:
    found = pair.found
    less = f"{pair.first} erred {(1 - found.ratio) * 100:.1f} % less than {pair.second} on the test part{after}"
    if found.n < LEAST_PAIRS:
        return f"Error: {less}; {_seeds(found.n)} cannot tell whether that is chance."
    interval = found.ratio_interval
    numbers = (
        f"RMSE ratio {found.ratio:.3f}, 95 % interval {interval.low:.3f} to {interval.high:.3f}, "
        f"paired t-test p {written_p(pair.p)}, Wilcoxon p {written_p(found.wilcoxon_p)}, A12 {found.a12:.2f}, "
        f"{found.n} pairs"
    )
    if pair.differs:
        return f"Error: {less} ({numbers})."
    return f"Error: a tie; {_seeds(found.n)} cannot tell {pair.first} and {pair.second} apart{after} ({numbers})."


def _power(pairs: list[Pair]) -> list[str]:
    """What these seeds could have told, from the spreads seen."""
    told = [pair for pair in pairs if pair.found.n >= LEAST_PAIRS and pair.found.spread > 0]
    if len(told) > MOST_SENTENCES:
        least, most = (f(told, key=lambda pair: pair.found.spread) for f in (min, max))
        return [
            f"Power: with these spreads, {_seeds(least.found.n)} show differences of {_shown(least)} to {_shown(most)} "
            f"in 4 of 5 repetitions; one of {STATED_DIFFERENCE * 100:.0f} % needs {_needed(least)} to {_needed(most)}."
        ]
    return [
        f"Power: with this spread, {_seeds(pair.found.n)} show a difference between {pair.first} and {pair.second} of "
        f"{_shown(pair)} in 4 of 5 repetitions; one of {STATED_DIFFERENCE * 100:.0f} % needs {_needed(pair)}."
        for pair in told
    ]


def _shown(pair: Pair) -> str:
    return f"{(detectable(pair.found.spread, pair.found.n) - 1) * 100:.1f} %"


def _needed(pair: Pair) -> str:
    needed = seeds_needed(1 + STATED_DIFFERENCE, pair.found.spread)
    return "more than 10,000" if needed is None else str(max(needed, LEAST_PAIRS))


def _against_baselines(comparison: Comparison) -> list[str]:
    """For each baseline, the arms that err less, those that err more, and those that cannot be told from it."""
    errors = {arm.name: [figure(run, ERROR) for run in runs] for arm, runs in comparison.arms.items()}
    return [
        _against(name, baseline.rmse_scaled, errors) for name, baseline in comparison.runs[0].metrics.baselines.items()
    ]


def _against(baseline: str, error: float, errors: dict[str, list[float]]) -> str:
    what = f"{baseline}, which repeats the last {'value' if baseline == 'persistence' else 'season'}"
    if not error > 0:
        return f"Baseline: {what}, makes no error at all."
    ratios = {name: paired(values, [error] * len(values)) for name, values in errors.items()}
    told = {name for name, one in ratios.items() if one.n >= LEAST_PAIRS and one.p < ALPHA}
    better = [name for name, one in ratios.items() if name in told and one.ratio < 1]
    worse = [name for name, one in ratios.items() if name in told and one.ratio > 1]
    unclear = [name for name in ratios if name not in told]
    few = max(one.n for one in ratios.values()) < LEAST_PAIRS
    no = f"{_seeds(min(one.n for one in ratios.values()))} cannot tell {_all(unclear, ratios)} from"
    parts = [_beat(better, ratios)] * bool(better) + [_err(worse, ratios)] * bool(worse)
    parts += [no if few else f"{_all(unclear, ratios)} cannot be told from"] * bool(unclear)
    if len(ratios) > MOST_SENTENCES:
        shown = _span([f"{one.ratio:.2f}" for one in ratios.values()], [])
    else:
        shown = "; ".join(f"{name} {_times(one)}" for name, one in ratios.items())
    return f"Baseline: {', '.join(parts)} {what} (RMSE as a multiple of its: {shown})."


def _all(names: list[str], everyone: dict[str, Paired]) -> str:
    """A few arms by name, many by number."""
    if len(everyone) <= MOST_SENTENCES:
        return " and ".join(names)
    return f"all {len(names)} arms" if len(names) == len(everyone) else f"{len(names)} of {len(everyone)} arms"


def _beat(names: list[str], everyone: dict[str, Paired]) -> str:
    if len(names) == len(everyone) == 2:
        return "both beat"
    return f"{_all(names, everyone)} {'beats' if len(names) == 1 else 'beat'}"


def _err(names: list[str], everyone: dict[str, Paired]) -> str:
    if len(names) == len(everyone) == 2:
        return "neither beats"
    return f"{_all(names, everyone)} {'errs' if len(names) == 1 else 'err'} more than"


def _times(ratio: Paired) -> str:
    interval = ratio.ratio_interval
    return f"{ratio.ratio:.2f}" + (f" ({interval.low:.2f} to {interval.high:.2f})" if ratio.n >= LEAST_PAIRS else "")


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"
