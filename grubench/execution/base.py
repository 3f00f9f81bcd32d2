"""What every executor is: it starts trials, tells their progress, and says how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from grubench.backends import registry
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
        number: What it is called by.
        spec: The trial.
        folder: The folder that it fills; it is not there yet. None to look only whether it could run.
        options: How it is run.
        dataset: Its data, read; None where it is only looked at.
    """

    number: int
    spec: Experiment
    folder: Path | None
    options: TrialOptions
    dataset: Dataset | None


class Executor(Protocol):
    """Runs trials, some at a time. What it has started ends with `close` at the latest."""

    @property
    def slots(self) -> int:
        """How many trials it takes at a time."""

    def trial_options(self, spec: Experiment, slot: int) -> TrialOptions:
        """How a trial is run in a slot."""

    def start(self, job: Job) -> None:
        """Start a trial."""

    def wait(self, timeout_s: float) -> list[tuple[int, Outcome]]:
        """Hand progress on, until trials have ended or so many seconds have passed; the trials that have ended."""

    def close(self) -> None:
        """End what still runs, and let go of everything."""


def run_job(
    spec: Experiment, folder: Path | None, on_event: OnTrialEvent, options: TrialOptions, dataset: Dataset | None = None
) -> None:
    """Run a trial in this process, with its backend; without a folder only see whether it could run.

    Raises:
        GrubenchError: What ended it.
    """
    registry.choose(spec.training.backend)
    from grubench.training.trial import prepare, run_trial

    if folder is None:
        prepare(spec, options)
    else:
        run_trial(spec, folder, on_event, options=options, dataset=dataset)


def as_outcome(error: BaseException) -> GrubenchError:
    """An error that ended a trial: itself, or the failure of this one trial where nobody thought of it.

    Errors of grubench cross processes by pickle, as they are.
    """
    if isinstance(error, GrubenchError):
        return error
    return TrainingError(f"{type(error).__name__}: {error}", "--in-process --debug shows where it happened.")
