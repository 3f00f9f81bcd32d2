"""A pool of threads that compute together: they are reused, and started again after a fork."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from grubench.backends.machine import count_cores

Job = Callable[[int], None]


class _Task(NamedTuple):
    """What a thread is given: it calls the job with its number, and reports an error or None."""

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
        self._queues: list[SimpleQueue[_Task]] = []
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
        outcome = _Outcome()
        self._queues[0].put(_Task(job, outcome.report))
        error = outcome.wait()
        if error is not None:
            raise error

    def _lead(self, task: _Task) -> None:
        """Have all threads run a job; the leader takes one after the other, so that callers take turns."""
        others: SimpleQueue[BaseException | None] = SimpleQueue()
        for queue in self._queues[1:]:
            queue.put(_Task(task.job, others.put))
        errors = [_call(task.job, 0), *(others.get() for _ in self._queues[1:])]
        task.report(next((error for error in errors if error is not None), None))

    def _start_threads(self) -> None:
        """Start the threads, if this process has none: it is new, or was forked off."""
        if self._process_id == os.getpid():
            return
        self._queues, self._process_id = [SimpleQueue() for _ in range(self.threads)], os.getpid()
        for number in range(self.threads):
            threading.Thread(target=self._work, args=(number,), name="grubench-kernel", daemon=True).start()

    def _work(self, number: int) -> None:
        queue = self._queues[number]
        while True:
            task = queue.get()
            if number == 0:
                self._lead(task)
            else:
                task.report(_call(task.job, number))


def _call(job: Job, number: int) -> BaseException | None:
    try:
        job(number)
    except BaseException as error:  # raised again in the calling thread
        return error
    return None


class _Outcome:
    """What a job ended with, for the thread that waits for it."""

    def __init__(self) -> None:
        self._errors: list[BaseException | None] = []
        self._wake: SimpleQueue[None] = SimpleQueue()

    def report(self, error: BaseException | None) -> None:
        """Say that the job has ended."""
        self._errors.append(error)
        self._wake.put(None)

    def wait(self) -> BaseException | None:
        """What the job ended with; an interruption meanwhile is raised after it, when nothing uses its memory any more.

        An interruption may come after `get` has taken the last word from the queue and before it is looked at, so the
        outcome is not in the queue.
        """
        interruption: BaseException | None = None
        while not self._errors:
            try:
                self._wake.get()
            except BaseException as raised:  # Ctrl-C, or the end that a signal asks for
                interruption = raised
        return interruption or self._errors[0]


@functools.cache
def get_pool(threads: int) -> ThreadPool:
    """The thread pool of this size, which all networks of the process share."""
    return ThreadPool(threads)
