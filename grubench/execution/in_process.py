"""Trials in this process, one after the other: for debugging."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from grubench.errors import GrubenchError
from grubench.execution.executor import run_job
from grubench.training.options import TrialOptions

if TYPE_CHECKING:
    from grubench.execution.executor import Job, Outcome
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnEvent, TrialEvent


class InProcess:
    """An executor whose trials run when they are waited for.

    Args:
        on_event: Called with the progress.
    """

    slots = 1

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._jobs: list[Job] = []

    def trial_options(self, spec: Experiment, slot: int) -> TrialOptions:  # noqa: ARG002
        """As the spec says, on all cores."""
        return TrialOptions()

    def start(self, job: Job) -> None:
        """Leave a trial to the next `wait`."""
        self._jobs.append(job)

    def wait(self, timeout_s: float) -> list[tuple[int, Outcome]]:
        """Run all that was started."""
        if not self._jobs:
            time.sleep(timeout_s)
        jobs, self._jobs = self._jobs, []
        return [(job.number, self._run(job)) for job in jobs]

    def _run(self, job: Job) -> Outcome:
        def on_event(event: TrialEvent) -> None:
            self._on_event(replace(event, trial=job.number))

        try:
            run_job(job.spec, job.folder, on_event, job.options, job.dataset)
        except GrubenchError as error:
            return error
        return None

    def close(self) -> None:
        """Nothing runs between calls."""
