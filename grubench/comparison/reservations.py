"""What limits a verdict, whatever the tests say: small tests, lost trials, training cut short, forecasts that lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.decision import decide_baselines
from grubench.comparison.finding import MAX_DETAILED, MAX_NAMED, Finding, name_arms_together
from grubench.comparison.pairs import explain_untested, find_neighbors, introduce_pair
from grubench.comparison.phrases import write_ratio
from grubench.comparison.reliability import Reliability, find_reliability
from grubench.spec.baselines import PERSISTENCE
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run
    from grubench.spec.arms import Arm

# Fewer targets than this that do not overlap say too little about the values to come.
MIN_TARGETS = 20
UNTIL_LEARNED = "--until-learned"


def count_test_targets(comparison: Comparison) -> int:
    """The measured targets of the test part that do not overlap, over all series."""
    return comparison.runs[0].metrics.data.separate_targets


def explain_small_test(comparison: Comparison) -> str:
    """Say that so few test targets show nothing; empty where there are enough."""
    targets = count_test_targets(comparison)
    if targets >= MIN_TARGETS:
        return ""
    return f"{count(targets, 'test target')} {'is' if targets == 1 else 'are'} too few to tell"


def find_small_test(comparison: Comparison) -> list[Finding]:
    """Warn of a small test part."""
    if not explain_small_test(comparison):
        return []
    targets = count_test_targets(comparison)
    return [Finding(topic="test part", text=warn_of_few_targets(targets), numbers={"targets": targets})]


def warn_of_few_targets(targets: int) -> str:
    """Say what so few test targets that do not overlap cannot tell; empty where there are enough."""
    if targets >= MIN_TARGETS:
        return ""
    return (
        f"it has {count(targets, 'target')} that {'does' if targets == 1 else 'do'} not overlap, and fewer than "
        f"{MIN_TARGETS} are too few to tell which forecasts are better on other data. Use more data, a larger --test "
        "or a shorter --horizon."
    )


def find_exact_arms(comparison: Comparison) -> list[Arm]:
    """Find the arms of which a trial has an error of 0: no ratio can be formed with it."""
    return [arm for arm, runs in comparison.arms.items() if not all(run.metrics.test.rmse_scaled > 0 for run in runs)]


def find_exact(comparison: Comparison) -> list[Finding]:
    """Say which arms are not compared because an error of theirs is 0."""
    exact = find_exact_arms(comparison)
    if len(comparison.arms) < 2 or not exact:
        return []
    names = name_arms_together([arm.name for arm in exact], len(comparison.arms))
    verb = "has" if len(exact) == 1 else "have"
    text = f"{names} {verb} a trial with a test error of exactly 0; there is no ratio to it, and nothing to compare."
    return [Finding(topic="error", text=text, arms=tuple(arm.name for arm in exact[:MAX_NAMED]))]


def find_learning(comparison: Comparison) -> list[Finding]:
    """Name the arms whose training loss still fell: errors then tell who learns faster, not who learns more."""
    falls = find_late_falls(comparison)
    if not falls:
        return []
    parts = [f"{name} by {fall / (1 + fall) * 100:.0f} %" for name, fall in list(falls.items())[:MAX_NAMED]]
    more = f" and {len(falls) - MAX_NAMED} more" if len(falls) > MAX_NAMED else ""
    epochs = max(run.metrics.loss.epochs for run in comparison.runs)
    advice = advise_longer(comparison)
    longer = f"--epochs {2 * epochs} or {advice}" if advice == UNTIL_LEARNED else advice
    text = f"training losses still fell, {', '.join(parts)}{more}: errors compare speed of learning; try {longer}."
    return [Finding(topic="learning", text=text, numbers=falls, arms=tuple(falls))]


def advise_longer(comparison: Comparison) -> str:
    """What makes training longer, by what ended it: `--until-learned` goes with neither a time nor patience."""
    trainings = [run.experiment.training for run in comparison.runs]
    if any(training.seconds for training in trainings):
        return "a larger --seconds"
    ended = (run.metrics.loss.epochs < run.experiment.training.epochs for run in comparison.runs)
    if any(training.patience for training in trainings):
        return "--patience 0" if any(ended) else "more --epochs"
    return "more epochs in --vary" if len({training.epochs for training in trainings}) > 1 else UNTIL_LEARNED


def find_late_falls(comparison: Comparison) -> dict[str, float]:
    """By how much the training loss still fell, of each arm of which most trials were still learning, as a share."""
    falls = {}
    for arm, runs in comparison.arms.items():
        known = [run.metrics.loss.late_fall for run in runs if run.metrics.loss.late_fall is not None]
        if 2 * sum(run.metrics.loss.is_still_learning for run in runs) > len(runs):
            falls[arm.name] = float(np.median(known))
    return falls


def find_lost(comparison: Comparison) -> list[Finding]:
    """How many trials of each arm failed or got stuck, and how many could."""
    reliability = find_reliability(comparison)
    lost = {name: found for name, found in reliability.items() if found.lost}
    if not lost:
        trials = min(found.trials for found in reliability.values())
        bound = max(found.bound for found in reliability.values())
        each = " each" if len(reliability) > 1 else ""
        text = f"none of {trials}{each} failed or got stuck; up to {bound * 100:.0f} % still may (95 % bound)."
        return [Finding(topic="trials", text=text, numbers={"lost": 0, "trials": trials, "bound": bound})]
    few = reliability if len(reliability) <= MAX_NAMED else lost
    texts = [_describe_lost(name, found) for name, found in list(few.items())[:MAX_NAMED]]
    more = f"; {len(lost) - MAX_NAMED} more arms" if len(lost) > MAX_NAMED else ""
    numbers: dict[str, float] = {name: found.lost for name, found in reliability.items()}
    stuck = (
        " A trial is stuck where its error is more than twice that of its arm's others."
        if any(one.stuck for one in lost.values())
        else ""
    )
    text = f"{'; '.join(texts)}{more}.{stuck}"
    return [Finding(topic="trials", text=text, numbers=numbers, arms=tuple(lost))]


def _describe_lost(name: str, found: Reliability) -> str:
    stuck = f", {len(found.stuck)} stuck" if found.stuck else ""
    return f"{name} {len(found.failed)} of {found.trials} failed{stuck} (up to {found.bound * 100:.0f} % may)"


def find_unpaired(comparison: Comparison) -> list[Finding]:
    """Name the seeds that only one arm of a pair has; or say that there are too many pairs."""
    untested = explain_untested(comparison)
    if untested:
        return [Finding(topic="pairs", text=untested)]
    findings: list[Finding] = []
    failed = {(failure.arm, failure.seed) for failure in comparison.failures}
    for pair in find_neighbors(comparison):
        first, second = pair.arms[0]
        ours, theirs = (
            {run.experiment.seed for run in comparison.arms[arm]} | {seed for name, seed in failed if name == arm.name}
            for arm in (first, second)
        )
        single = sorted(ours ^ theirs)
        if not single:
            continue
        if ours & theirs:
            seeds = f"seed {single[0]}" if len(single) == 1 else f"seeds {', '.join(map(str, single))}"
            text = (
                f"{first} and {second} share {count(len(ours & theirs), 'seed')}; {seeds} of one of them alone "
                f"{'is' if len(single) == 1 else 'are'} left out of their comparison, not of the tables and baselines."
            )
        else:
            text = f"{first} and {second} share no seed, and cannot be compared in pairs."
        numbers = {"pairs": len(ours & theirs)}
        findings.append(Finding(topic="pairs", text=text, numbers=numbers, arms=(first.name, second.name)))
    return findings


def find_lagging(comparison: Comparison) -> list[Finding]:
    """Name the arms whose forecasts are the last value again, one step late, and no better than it."""
    lagging = [arm.name for arm, runs in comparison.arms.items() if _lag_by_one_step(runs)]
    better = {
        decision.pair.first
        for decision in decide_baselines(comparison)
        if decision.pair.second == PERSISTENCE.name and decision.ratio < 1 and (decision.differs or decision.seeds < 3)
    }
    exact = {arm.name for arm in find_exact_arms(comparison)}
    lagging = [name for name in lagging if name not in better | exact]
    if not lagging or explain_small_test(comparison):
        return []
    names = name_arms_together(lagging, len(comparison.arms))
    text = (
        f"the forecasts of {names} mostly repeat the last value: they correlate most with the value one step before "
        f"the one that they forecast, and do not beat {PERSISTENCE.name}, which repeats it exactly."
    )
    return [Finding(topic="baseline", text=text, arms=(*lagging, PERSISTENCE.name))]


def _lag_by_one_step(runs: Sequence[Run]) -> bool:
    """Whether most forecasts, of all seeds and series, correlate most with the value one step before the actual one."""
    return float(np.mean([lag == 1 for run in runs for lag in run.metrics.test.lags.values()])) > 0.5


def find_unseen(comparison: Comparison) -> list[Finding]:
    """Say whether validation and test are of the same series, and what the ratio is on each kind where both are."""
    tested = list(comparison.runs[0].metrics.test.series)
    trained = comparison.spec.data.train_series or tuple(tested)
    seen = [name for name in tested if name in trained]
    unseen = [name for name in tested if name not in trained]
    if not unseen:
        return [Finding(topic="series", text="validation and test are of the same series.", is_detail=True)]
    others = count(len(unseen), "other")
    text = f"validation is on the series trained on, the test on {others}{' too' if seen else ''}"
    numbers = {"seen": len(seen), "unseen": len(unseen)}
    ratios = {
        pair: [_ratio_on(comparison, pair.arms[0], names) for names in (seen, unseen)]
        for pair in find_neighbors(comparison)
        if seen
    }
    pairs = [pair for pair, of_pair in ratios.items() if np.isfinite(of_pair).all()]
    for pair in pairs[:MAX_DETAILED]:
        on_seen, on_unseen = (write_ratio(ratio, 3) for ratio in ratios[pair])
        text += f"; RMSE ratio {introduce_pair(pair)} {on_seen} on the {len(seen)} seen, {on_unseen} on the others"
    if len(pairs) > MAX_DETAILED:
        text += f"; and {count(len(pairs) - MAX_DETAILED, 'more pair')}"
    return [Finding(topic="series", text=f"{text}.", numbers=numbers, is_detail=True)]


def _ratio_on(comparison: Comparison, arms: tuple[Arm, Arm], names: Sequence[str]) -> float:
    """The ratio of two arms' errors, a geometric mean over their seeds and these series.

    NaN where they share no seed, or an error is 0.
    """
    pairs = comparison.pairs(*arms)
    errors = np.array(
        [[[run.metrics.test.series[name]["rmse_scaled"] for name in names] for run in two] for two in pairs], float
    )
    if not pairs or not np.all(errors > 0):
        return float("nan")
    logs = np.log(errors).mean(axis=(0, 2))
    return float(np.exp(logs[0] - logs[1]))
