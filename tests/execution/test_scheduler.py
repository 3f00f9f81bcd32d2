"""The scheduler: what a machine refuses is known before anything is trained, and checkpoints are resumed or removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import make_dataset, tiny

from grubench.errors import KernelError, TrainingError
from grubench.execution.executor import Job, Outcome
from grubench.execution.scheduler import KEY_DIGITS, Scheduler
from grubench.runs import locks
from grubench.spec.experiment import Experiment
from grubench.training.events import Event, TrialStart
from grubench.training.options import TrialOptions


class ScriptedExecutor:
    """An executor that only notes what it is given; each job ends, one `wait` later, as a test says.

    Args:
        end: The outcome of a job.
    """

    slots = 2

    def __init__(self, end: Callable[[Job], Outcome]) -> None:
        self.started: list[Job] = []
        self.closed = False
        self._end = end
        self._waiting: list[Job] = []
        self._ready: list[Job] = []

    def trial_options(self, spec: Experiment, slot: int) -> TrialOptions:
        return TrialOptions(shared=f"slot {slot}")

    def start(self, job: Job) -> None:
        self.started.append(job)
        self._waiting.append(job)

    def wait(self, timeout_s: float) -> list[tuple[int, Outcome]]:
        ended = [(job.number, self._end(job)) for job in self._ready]
        self._ready, self._waiting = self._waiting, []
        return ended

    def close(self) -> None:
        self.closed = True


def make_scheduler(
    root: Path, executor: ScriptedExecutor, events: list[Event] | None = None, *, resume: bool = True
) -> Scheduler:
    return Scheduler(
        root=root,
        executor=executor,
        find_run=lambda spec: None,
        dataset=make_dataset(),
        on_event=(events if events is not None else []).append,
        checkpoint_every=3,
        resume=resume,
    )


def test_no_trial_starts_where_the_machine_refuses_one_of_them(tmp_path: Path) -> None:
    """The check of the second kernel fails; the first trial, which could run, is not trained either."""
    refused = tiny(kernel="fused")
    executor = ScriptedExecutor(lambda job: KernelError("no such processor") if job.spec == refused else None)
    events: list[Event] = []
    with pytest.raises(KernelError, match="no such processor"):
        make_scheduler(tmp_path, executor, events).run([("GRU", tiny()), ("fused", refused)])
    assert [(job.spec, job.folder) for job in executor.started] == [(refused, None)]
    assert not events
    assert executor.closed


def test_a_kernel_that_the_machine_accepts_is_checked_once_and_then_trained(tmp_path: Path) -> None:
    executor = ScriptedExecutor(lambda job: TrainingError("no luck") if job.folder else None)
    trials = [("GRU", tiny(kernel="fused").with_seed(seed)) for seed in range(2)]
    runs, errors = make_scheduler(tmp_path, executor).run(trials)
    assert [job.folder is None for job in executor.started] == [True, False, False]
    assert not runs
    assert list(errors) == [spec for _, spec in trials]


@pytest.mark.parametrize("resume", [True, False])
def test_a_checkpoint_is_resumed_and_removed_before_a_fresh_trial(resume: bool, tmp_path: Path) -> None:
    spec = tiny()
    checkpoint = tmp_path / locks.CHECKPOINTS / f"{spec.digest[:KEY_DIGITS]}.npz"
    half_written = checkpoint.with_name(f".{checkpoint.name}.partial-77.npz")
    other = checkpoint.with_name("other.npz")
    checkpoint.parent.mkdir()
    for path in (checkpoint, half_written, other):
        path.touch()
    present: list[Path] = []

    class Looking(ScriptedExecutor):
        def start(self, job: Job) -> None:
            super().start(job)
            present.extend(sorted(checkpoint.parent.iterdir()))

    executor = Looking(lambda job: TrainingError("no luck"))
    make_scheduler(tmp_path, executor, resume=resume).run([("GRU", spec)])
    assert present == sorted([checkpoint, other] if resume else [other])
    (job,) = executor.started
    assert (job.options.checkpoint, job.options.checkpoint_every) == (checkpoint, 3)


def test_trials_that_run_at_a_time_have_slots_of_their_own(tmp_path: Path) -> None:
    executor = ScriptedExecutor(lambda job: TrainingError("no luck"))
    events: list[Event] = []
    trials = [("GRU", tiny().with_seed(seed)) for seed in range(3)]
    make_scheduler(tmp_path, executor, events).run(trials)
    assert [job.options.shared for job in executor.started] == ["slot 0", "slot 1", "slot 0"]
    starts = [event for event in events if isinstance(event, TrialStart)]
    assert [(event.trial, event.seed) for event in starts] == [(0, 0), (1, 1), (2, 2)]


def test_trials_are_numbered_in_the_order_of_their_starts_and_bear_the_name_of_their_call(tmp_path: Path) -> None:
    """A trial that another process holds starts later, and has a later place."""
    trials = [(name, tiny().with_cell(name).with_seed(seed)) for seed in range(2) for name in ("gru", "lstm")]
    held = locks.acquire(tmp_path, trials[0][1].digest[:KEY_DIGITS])
    assert held

    class Releasing(ScriptedExecutor):
        def start(self, job: Job) -> None:
            super().start(job)
            held.release()

    calls = []
    for root in (tmp_path, tmp_path / "other"):
        executor = Releasing(lambda job: TrainingError("no luck"))
        make_scheduler(root, executor).run(trials)
        assert [job.options.place for job in executor.started] == [0, 1, 2, 3]
        assert (executor.started[0].spec == trials[0][1]) == (root != tmp_path)
        calls.append({job.options.call for job in executor.started})
    assert [len(call) for call in calls] == [1, 1]
    assert calls[0] != calls[1]
