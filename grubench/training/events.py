"""The progress of trials, comparisons and benchmarks: a small frozen class an event. They cross processes by pickle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grubench.training.benchmark_records import BenchmarkArm, Shape


@dataclass(frozen=True, kw_only=True)
class TrialEvent:
    """The progress of one trial.

    Attributes:
        trial: The number of the trial in its comparison, as `TrialStart` has it; the executor fills it in.
    """

    trial: int = 0


@dataclass(frozen=True, kw_only=True)
class Stage(TrialEvent):
    """A trial came to another stage.

    Attributes:
        text: The stage, in words.
    """

    text: str


@dataclass(frozen=True, kw_only=True)
class Step(TrialEvent):
    """A training step ended; not every step is reported.

    Attributes:
        epoch: The epoch, from 1.
        step: The steps of this epoch so far.
        steps: The steps of an epoch.
        loss: The mean training loss of this epoch so far.
        sequences_per_s: Training sequences a second in this epoch so far.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    sequences_per_s: float


@dataclass(frozen=True, kw_only=True)
class EpochEnd(TrialEvent):
    """An epoch ended.

    Attributes:
        epoch: The epoch, from 1.
        loss: The mean training loss.
        val_loss: The validation loss; None without validation.
        epoch_s: Seconds of training, without validation.
        sequences_per_s: Training sequences a second.
    """

    epoch: int
    loss: float
    val_loss: float | None = None
    epoch_s: float
    sequences_per_s: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A comparison knows its trials.

    Attributes:
        trials: How many are to be trained.
        reused: How many were finished before.
        work: The epochs that they are to train, all together, or the seconds where they train for a time.
    """

    trials: int
    reused: int
    work: float


@dataclass(frozen=True, kw_only=True)
class TrialStart:
    """A trial was started.

    Attributes:
        trial: Its number.
        arm: The name of its arm.
        seed: Its seed.
        epochs: The epochs that it is to train.
        seconds: The seconds that it is to train in place of epochs; 0 for epochs.
    """

    trial: int
    arm: str
    seed: int
    epochs: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrialFound:
    """A trial was finished by another process.

    Attributes:
        arm: The name of its arm.
        seed: Its seed.
    """

    arm: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class TrialEnd:
    """A trial ended.

    Attributes:
        trial: Its number.
        error: Why it failed; empty where it is finished.
        remedy: What to do about it; empty where nothing can be done.
    """

    trial: int
    error: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that the user should know.

    Attributes:
        text: It, in words.
    """

    text: str


@dataclass(frozen=True, kw_only=True)
class BenchmarkPlan:
    """A step benchmark begins to measure.

    Attributes:
        rounds: The rounds of all shapes together.
    """

    rounds: int


@dataclass(frozen=True, kw_only=True)
class ArmStart:
    """A step benchmark builds the model of an arm and runs its first step.

    Attributes:
        arm: The cell and the kernel.
        shape: The size of the step.
    """

    arm: BenchmarkArm
    shape: Shape


@dataclass(frozen=True, kw_only=True)
class RoundEnd:
    """A step benchmark has timed every arm of a shape once more.

    Attributes:
        shape: The size of the step.
    """

    shape: Shape


Event = TrialEvent | Plan | TrialStart | TrialFound | TrialEnd | Note
BenchmarkEvent = BenchmarkPlan | ArmStart | RoundEnd
OnTrialEvent = Callable[[TrialEvent], None]
OnEvent = Callable[[Event], None]
OnBenchmarkEvent = Callable[[BenchmarkEvent], None]


def ignore(event: object) -> None:
    """Do nothing with an event."""
