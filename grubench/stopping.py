"""When is enough trained: epochs are doubled until no trial still learns, seeds are added until all is decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grubench.comparison.comparison import Comparison, Failure
from grubench.comparison.decision import Outcome, decide_errors
from grubench.comparison.phrases import write_interval, write_ratio
from grubench.comparison.reservations import explain_small_test
from grubench.errors import UsageError
from grubench.execution.session import NOTHING
from grubench.spec.arms import plan_trials
from grubench.spec.sections import MAX_EPOCHS
from grubench.text import count
from grubench.training.events import Note
from grubench.training.fit_record import MIN_EPOCHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from grubench.comparison.decision import Decision
    from grubench.execution.session import Results, Session
    from grubench.runs.run import Run
    from grubench.spec.arms import Arm
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnEvent

# `until_learned` trains for at most this many times the epochs that were asked for.
MAX_LONGER = 16


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The trials of a comparison, trained.

    Attributes:
        arms: The arms with their specs.
        seeds: Seeds of each arm.
        results: What came of the trials.
    """

    arms: Mapping[Arm, Experiment]
    seeds: int = 0
    results: Results = NOTHING

    @property
    def trials(self) -> list[tuple[str, Experiment]]:
        """The name of the arm and the spec of each trial."""
        return plan_trials(self.arms, self.seeds)

    def add(self, seeds: int, session: Session) -> Trained:
        """Train more seeds of each arm, to so many in all."""
        results = session.run(plan_trials(self.arms, seeds, first=self.seeds), self.results)
        return replace(self, seeds=seeds, results=results)

    def compare(self, margin: float, *, until_decided: bool) -> Comparison:
        """Set the trials against each other; see `Comparison`."""
        runs = self.group_runs()
        return Comparison(
            arms={arm: runs_of_arm for arm, runs_of_arm in runs.items() if runs_of_arm},
            failures=self.list_failures(),
            failed_arms=tuple(arm for arm, runs_of_arm in runs.items() if not runs_of_arm),
            reused=self.results.reused,
            margin=margin,
            until_decided=until_decided,
        )

    def group_runs(self) -> dict[Arm, list[Run]]:
        """The finished runs of each arm, in the order of their seeds."""
        runs: dict[str, list[Run]] = {arm.name: [] for arm in self.arms}
        for name, trial in self.trials:
            if trial in self.results.runs:
                runs[name].append(self.results.runs[trial])
        return {arm: runs[arm.name] for arm in self.arms}

    def list_failures(self) -> tuple[Failure, ...]:
        """The trials that failed, in their order."""
        errors = self.results.errors
        failed = [(name, trial.seed, errors[trial]) for name, trial in self.trials if trial in errors]
        return tuple(
            Failure(arm=name, seed=seed, message=error.message, remedy=error.remedy) for name, seed, error in failed
        )

    def count_learning(self) -> int:
        """How many trials were still learning at their end; of a few epochs it cannot be told that they were not."""
        losses = [run.metrics.loss for run in self.results.runs.values()]
        return sum(loss.is_still_learning or loss.epochs < MIN_EPOCHS for loss in losses)

    def describe_learning(self) -> str:
        """A sentence on that."""
        learning, trials = self.count_learning(), count(len(self.results.runs), "trial")
        if not learning:
            return "At the end no trial's loss still fell by 10 % over its last epochs."
        return f"Still learning at the end: {learning} of {trials}."


def check_until_learned(arms: Iterable[Experiment], match: str) -> None:
    """Refuse to double the epochs of trials whose epochs are not what ends them, or are compared.

    Raises:
        UsageError: Naming the setting.
    """
    trainings = [arm.training for arm in arms]
    if match == "time" or any(training.seconds for training in trainings):
        setting = "--match time" if match == "time" else "training.seconds"
        raise UsageError(f"--until-learned doubles epochs, and {setting} trains for a time.", "Leave one of them out.")
    if any(training.patience for training in trainings):
        raise UsageError(
            "--until-learned: training.patience ends each trial after epochs of its own.",
            "Leave one of them out, such as with --patience 0.",
        )
    if len({training.epochs for training in trainings}) > 1:
        raise UsageError("--until-learned doubles the epochs of all trials, and --vary varies them.", "Leave one out.")


def train_until_learned(
    spec: Experiment, train_all: Callable[[Experiment], Trained], on_event: OnEvent
) -> tuple[Trained, tuple[str, ...]]:
    """Train with doubled epochs again and again until no trial is still learning.

    Args:
        spec: The spec.
        train_all: Trains all trials of a spec.
        on_event: Called with the progress.

    Returns:
        The trials of the most epochs, and a note that says how many those are.
    """
    first, doublings, trained = spec.training.epochs, 0, train_all(spec)
    while trained.count_learning() and 2 * spec.training.epochs <= min(MAX_LONGER * first, MAX_EPOCHS):
        spec = replace(spec, training=replace(spec.training, epochs=2 * spec.training.epochs))
        on_event(Note(text=f"{trained.describe_learning()} All are trained for {spec.training.epochs:,} epochs."))
        trained, doublings = train_all(spec), doublings + 1
    times = f"doubled {'once' if doublings == 1 else f'{doublings} times'}" if doublings else "not doubled"
    lengths = f", from {first:,} to {spec.training.epochs:,}" if doublings else ""
    limit = " This is the limit." if trained.count_learning() else ""
    return trained, (f"--until-learned: epochs were {times}{lengths}. {trained.describe_learning()}{limit}",)


def check_until_decided(arms: int, seeds: int, most: int) -> None:
    """Refuse to add seeds where nothing is decided by them, or no seed may be added.

    Raises:
        UsageError: Saying what is wrong.
    """
    if arms < 2:
        raise UsageError("--until-decided: a single arm is compared with nothing.", "Give two cells or more.")
    if most <= seeds:
        raise UsageError(f"--most: {most} is not above the {count(seeds, 'seed')} of --seeds.", "Give a larger number.")


def train_until_decided(
    trained: Trained,
    most: int,
    session: Session,
    on_event: OnEvent,
    *,
    margin: float,
    step: int = 1,
) -> tuple[Trained, tuple[str, ...]]:
    """Add seeds to all arms until each pair is different or equivalent, or there are the most seeds.

    What was finished before is looked at from the first seeds on, as if it were trained now.

    Args:
        trained: The trials of the fewest seeds.
        most: The most seeds.
        session: Trains the trials.
        on_event: Called with the progress.
        margin: By how much two arms may differ and be equivalent, as a share.
        step: Seeds from look to look.

    Returns:
        The trials that decided, and a note that says how often they were looked at.
    """
    first = seeds = trained.seeds
    ready = _count_ready(session, trained, most)
    if ready > seeds:
        trained = trained.add(ready, session)
    while undecided := _list_undecided(replace(trained, seeds=seeds).compare(margin, until_decided=True)):
        if seeds >= most:
            break
        if seeds == trained.seeds:
            more = min(step, most - seeds)
            on_event(Note(text=f"After {count(seeds, 'seed')}: {_describe(undecided)}. {count(more, 'seed')} more."))
            trained = trained.add(seeds + more, session)
        seeds = min(seeds + step, trained.seeds)
    limit = " That is the most." if undecided else ""
    text = (
        f"--until-decided: looked at after {f'{first} to {seeds}' if seeds > first else first} seeds, with tests that "
        f"hold at every look.{limit}"
    )
    return replace(trained, seeds=seeds), (text,)


def _count_ready(session: Session, trained: Trained, most: int) -> int:
    """The first seeds, those that are trained and those whose trials are all finished."""
    for number in range(trained.seeds, most):
        if any(session.find_run(spec.with_seed(spec.seed + number)) is None for spec in trained.arms.values()):
            return number
    return most


def _list_undecided(comparison: Comparison) -> list[Decision]:
    """The pairs that more seeds may decide; none where the test part is too small for any claim."""
    if explain_small_test(comparison):
        return []
    return [decision for decision in decide_errors(comparison) if decision.outcome is Outcome.UNDECIDED]


def _describe(undecided: Sequence[Decision]) -> str:
    """Which pairs are undecided."""
    if len(undecided) > 1:
        return f"{len(undecided)} pairs are undecided"
    (one,) = undecided
    ratio = "" if one.lost else f" {write_ratio(one.ratio, 3)} ({write_interval(one.interval, 3, one.alpha)})"
    return f"{one.pair.first} / {one.pair.second}{ratio} is undecided"
