"""A thread pool for the parts of a batch: its threads are reused, and are started again after a fork."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from grubench.backends.machine import count_cores


class ThreadPool:
    """A pool of threads; the calling thread is one of them.

    Args:
        threads: How many threads, with the calling one; 0 for as many as there are cores to run on.
    """

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads or count_cores()
        self._queues: list[SimpleQueue[Callable[[], None]]] = []
        self._results: SimpleQueue[BaseException | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._process_id = 0

    def run(self, job: Callable[[int], None], count: int) -> None:
        """Call `job(0)` to `job(count - 1)`, each thread a range of them; returns when all are done.

        Raises:
            BaseException: What a job raised.
        """
        threads = min(self.threads, count)

        def run_range(thread: int) -> None:
            for index in range(thread * count // threads, (thread + 1) * count // threads):
                job(index)

        if threads < 2:
            for index in range(count):
                job(index)
            return
        with self._lock:
            self._start_threads(threads - 1)
            for thread in range(1, threads):
                self._queues[thread - 1].put(functools.partial(run_range, thread))
            errors: list[BaseException | None] = []
            try:
                run_range(0)
            finally:
                errors += [self._results.get() for _ in range(1, threads)]
        for error in errors:
            if error is not None:
                raise error

    def _start_threads(self, count: int) -> None:
        """Start what is missing of so many threads; a process that was forked off has none."""
        if self._process_id != os.getpid():
            self._queues, self._results, self._process_id = [], SimpleQueue(), os.getpid()
        while len(self._queues) < count:
            queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
            target, arguments = self._run_queue, (queue, self._results)
            threading.Thread(target=target, args=arguments, name="grubench-kernel", daemon=True).start()
            self._queues.append(queue)

    @staticmethod
    def _run_queue(queue: SimpleQueue[Callable[[], None]], results: SimpleQueue[BaseException | None]) -> None:
        while True:
            job = queue.get()
            try:
                job()
            except BaseException as error:  # raised again in the calling thread
                results.put(error)
            else:
                results.put(None)


@functools.cache
def get_pool(threads: int) -> ThreadPool:
    """The thread pool of this size, which all layers of the process share."""
    return ThreadPool(threads)
