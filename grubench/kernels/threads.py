"""Threads that share the groups of a batch: persistent, waiting without work, made anew after a fork."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from grubench.backends.machine import cores

Job = Callable[[int], None]


class Workers:
    """A team of threads; the caller is one of them.

    Args:
        count: How many threads, the caller's included; 0 for as many as there are processors to run on.
    """

    def __init__(self, count: int = 0) -> None:
        self.count = count or cores()
        self._jobs: list[SimpleQueue[Job]] = []
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._process = 0

    def each(self, job: Job, items: int) -> None:
        """Call `job(0)` to `job(items - 1)`, shared out in runs; returns when all are done.

        Raises:
            BaseException: What a job raised.
        """
        count = min(self.count, items)
        if count < 2:
            for item in range(items):
                job(item)
            return
        with self._lock:
            self._hire(count - 1)

            def share(worker: int) -> None:
                for item in range(worker * items // count, (worker + 1) * items // count):
                    job(item)

            for worker in range(1, count):
                self._jobs[worker - 1].put(lambda worker=worker: share(worker))  # type: ignore[misc]
            errors: list[BaseException | None] = []
            try:
                share(0)
            finally:
                errors += [self._done.get() for _ in range(1, count)]
        for error in errors:
            if error is not None:
                raise error

    def _hire(self, count: int) -> None:
        """Have so many threads in this process; a fork leaves none."""
        if self._process != os.getpid():
            self._jobs, self._done, self._process = [], SimpleQueue(), os.getpid()
        while len(self._jobs) < count:
            jobs: SimpleQueue[Job] = SimpleQueue()
            threading.Thread(target=self._work, args=(jobs, self._done), name="grubench-kernel", daemon=True).start()
            self._jobs.append(jobs)

    @staticmethod
    def _work(jobs: SimpleQueue[Job], done: SimpleQueue[BaseException | None]) -> None:
        while True:
            job = jobs.get()
            try:
                job()  # type: ignore[call-arg]
            except BaseException as error:  # it goes on in the caller's thread
                done.put(error)
            else:
                done.put(None)


@functools.cache
def team(count: int) -> Workers:
    """The one team of so many threads in this process."""
    return Workers(count)
