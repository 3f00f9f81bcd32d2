"""The thread pool."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from grubench.kernels.threads import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def interruptions() -> Iterator[None]:
    """Ctrl-C interrupts, though a shell that starts the tests in its background has it ignored."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("threads", [1, 3])
def test_each_thread_runs_a_job_once(threads: int) -> None:
    jobs: list[int] = []
    ThreadPool(threads).run(jobs.append)
    assert sorted(jobs) == list(range(threads))


def test_an_error_reaches_the_caller_and_the_pool_stays_usable() -> None:
    pool = ThreadPool(2)

    def fail_second(index: int) -> None:
        if index == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.run(fail_second)
    jobs: list[int] = []
    pool.run(jobs.append)
    assert sorted(jobs) == [0, 1]


def test_callers_take_turns() -> None:
    """The two threads of a job meet, which they could not if those of another came between."""
    pool, meeting, met = ThreadPool(2), threading.Barrier(2), []
    callers = [threading.Thread(target=lambda: pool.run(lambda _: met.append(meeting.wait()))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(met) == [0] * 8 + [1] * 8


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interruption_is_raised_once_all_threads_are_done() -> None:
    pool, meeting, done = ThreadPool(2), threading.Barrier(2), []

    def interrupt(thread: int) -> None:
        if thread == 1:
            os.kill(os.getpid(), signal.SIGINT)
        meeting.wait()
        done.append(thread)

    with pytest.raises(KeyboardInterrupt):
        pool.run(interrupt)
    assert sorted(done) == [0, 1]
    pool.run(done.append)
    assert sorted(done) == [0, 0, 1, 1]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interruption_at_the_end_of_a_job_does_not_hide_that_it_ended() -> None:
    pool = ThreadPool(2)
    for _ in range(100):
        with pytest.raises(KeyboardInterrupt):
            pool.run(lambda thread: os.kill(os.getpid(), signal.SIGINT) if thread == 0 else None)


@pytest.mark.parametrize("event", ["c_call", "c_return"])
def test_an_interruption_as_a_job_is_queued_is_raised_once_it_ended(event: str) -> None:
    """Just before and just after; the job runs once."""
    pool = ThreadPool(2)
    pool.run(lambda _: None)  # starts its threads
    jobs: list[int] = []

    def interrupt(_: object, seen: str, function: object) -> None:
        if seen == event and getattr(function, "__name__", "") == "put":
            raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            pool.run(jobs.append)
    finally:
        sys.setprofile(None)
    assert sorted(jobs) == [0, 1]
    pool.run(jobs.append)
    assert sorted(jobs) == [0, 0, 1, 1]
