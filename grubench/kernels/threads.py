"""A pool of threads that compute together: they are reused, and started again after a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache, partial
from queue import SimpleQueue
from typing import NamedTuple

from grubench.backends.machine import count_cores

Job = Callable[[int], None]


class _Task(NamedTuple):
    """What the leader gives another thread: it calls the job with its number, and reports an error or None."""

    job: Job
    report: Callable[[BaseException | None], None]


class ThreadPool:
    """A pool of threads.

    Python raises an interruption (Ctrl-C) in the main thread alone. A job's threads wait for each other: were one of
    them the main thread, the others could wait for it for ever. So the calling thread waits, and thread 0 leads.

    Args:
        threads: How many threads; 0 for as many as there are cores to run on.
    """

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads or count_cores()
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._others: list[SimpleQueue[_Task]] = []
        self._lock = threading.Lock()
        self._process_id = 0

    def run(self, job: Job) -> None:
        """Call `job(0)` to `job(threads - 1)`, each on a thread of its own; returns when all are done.

        Raises:
            BaseException: What a job raised; or an interruption, once all are done.
        """
        if self.threads == 1:
            job(0)
            return
        with self._lock:
            self._start_threads()
        error = _Call(job).run(self._calls)
        if error is not None:
            raise error

    def _start_threads(self) -> None:
        """Start the threads, if this process has none: it is new, or was forked off."""
        if self._process_id == os.getpid():
            return
        self._calls, self._others = SimpleQueue(), [SimpleQueue() for _ in range(1, self.threads)]
        self._process_id = os.getpid()
        targets = [partial(_lead, self._calls, self._others)]
        targets += [partial(_follow, queue, number) for number, queue in enumerate(self._others, 1)]
        for target in targets:
            threading.Thread(target=target, name="grubench-kernel", daemon=True).start()


def _lead(calls: SimpleQueue[_Call], others: list[SimpleQueue[_Task]]) -> None:
    """Be thread 0: have all threads run one job after the other, so that callers take turns."""
    while True:
        call = calls.get()
        if call.has_ended:
            continue
        reports: SimpleQueue[BaseException | None] = SimpleQueue()
        for queue in others:
            queue.put(_Task(call.job, reports.put))
        errors = [_try(call.job, 0), *(reports.get() for _ in others)]
        call.end(next((error for error in errors if error is not None), None))


def _follow(tasks: SimpleQueue[_Task], number: int) -> None:
    """Be another thread."""
    while True:
        task = tasks.get()
        task.report(_try(task.job, number))


def _try(job: Job, number: int) -> BaseException | None:
    try:
        job(number)
    except BaseException as error:  # raised again in the calling thread
        return error
    return None


class _Call:
    """A call of `ThreadPool.run`, from its thread to the leader and back."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._errors: list[BaseException | None] = []
        self._wake: SimpleQueue[None] = SimpleQueue()

    @property
    def has_ended(self) -> bool:
        """Whether all threads have run the job."""
        return bool(self._errors)

    def end(self, error: BaseException | None) -> None:
        """Say that all threads have run the job."""
        self._errors.append(error)
        self._wake.put(None)

    def run(self, leader: SimpleQueue[_Call]) -> BaseException | None:
        """Have the leader run the job; what it ended with.

        An interruption is kept until then, when nothing uses the job's memory any more. It may come before the call is
        in the leader's queue, so the call is put there again, and the leader takes it once; or after `get` has taken
        the last word and before that is looked at, so the outcome is not in that queue.
        """
        interruption: BaseException | None = None
        while not self.has_ended:
            try:
                leader.put(self)
                self._wake.get()
            except BaseException as raised:  # Ctrl-C, or the end that a signal asks for
                interruption = raised
        return interruption or self._errors[0]


@cache
def get_pool(threads: int) -> ThreadPool:
    """The thread pool of this size, which all networks of the process share."""
    return ThreadPool(threads)
