"""What every executor is: it starts trials, passes their progress on, and says how each ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from grubench.backends import loader
from grubench.errors import GrubenchError, TrainingError

if TYPE_CHECKING:
    from grubench.data.series import Dataset
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnTrialEvent
    from grubench.training.options import TrialOptions

# None where the trial filled its folder; else what ended it.
Outcome = GrubenchError | None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A trial to run.

    Attributes:
        number: Its number, which its events and its outcome bear.
        spec: The trial.
        folder: The folder that it fills, which does not exist yet; None to check only whether it could run.
        options: How it is run.
        dataset: Its data; None where it is only checked.
    """

    number: int
    spec: Experiment
    folder: Path | None
    options: TrialOptions
    dataset: Dataset | None


class Executor(Protocol):
    """Runs several trials at a time. What it has started ends with `close` at the latest."""

    @property
    def slots(self) -> int:
        """How many trials it takes at a time."""

    def trial_options(self, spec: Experiment, slot: int) -> TrialOptions:
        """How a trial is run in a slot, numbered from 0."""

    def start(self, job: Job) -> None:
        """Start a trial."""

    def wait(self, timeout_s: float) -> list[tuple[int, Outcome]]:
        """Pass events on until a trial ends or the time is over.

        Args:
            timeout_s: The most seconds to wait.

        Returns:
            The number and the outcome of each trial that ended.
        """

    def close(self) -> None:
        """Stop what still runs and free all resources."""


def run_job(
    spec: Experiment, folder: Path | None, on_event: OnTrialEvent, options: TrialOptions, dataset: Dataset | None = None
) -> None:
    """Run a trial in this process with its backend; without a folder, check only whether it could run.

    Raises:
        GrubenchError: What ended it.
    """
    loader.start(spec.training.backend)
    from grubench.training.trial import prepare, run_trial

    if folder is None:
        prepare(spec, options)
    else:
        run_trial(spec, folder, on_event, options=options, dataset=dataset)


def as_outcome(error: BaseException) -> GrubenchError:
    """The outcome of a trial that an exception ended: an unexpected one becomes the failure of this trial alone.

    Errors of grubench cross processes by pickle, as they are.
    """
    if isinstance(error, GrubenchError):
        return error
    return TrainingError(f"{type(error).__name__}: {error}", "--in-process --debug shows where it happened.")
