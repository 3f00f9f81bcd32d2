"""The thread pool."""

from __future__ import annotations

import threading

import pytest

from grubench.kernels.threads import ThreadPool


def test_every_job_is_run_once() -> None:
    jobs: list[int] = []
    ThreadPool(3).run(jobs.append, 20)
    assert sorted(jobs) == list(range(20))


def test_an_error_reaches_the_caller_and_the_pool_stays_usable() -> None:
    pool = ThreadPool(2)

    def fail_second(index: int) -> None:
        if index == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.run(fail_second, 2)
    jobs: list[int] = []
    pool.run(jobs.append, 4)
    assert sorted(jobs) == [0, 1, 2, 3]


def test_callers_take_turns() -> None:
    pool, jobs = ThreadPool(2), []
    callers = [threading.Thread(target=lambda: pool.run(jobs.append, 50)) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(jobs) == sorted(list(range(50)) * 4)
