"""Fork servers, one a backend: each loads Keras once, and every trial is forked from it.

`multiprocessing` has one fork server; a comparison of backends needs one for each, since a process has one backend.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import threading
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from grubench.backends import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess

PRELOADED = ["grubench.training.trial"]
_servers: dict[str, Any] = {}
_lock = threading.Lock()


def available() -> bool:
    """Whether there are fork servers here; on Windows there are not, and each process pays the loading."""
    return "forkserver" in mp.get_all_start_methods()


def warm_up(backend: str) -> None:
    """Start loading Keras with a backend beside whatever this process does next; harmless to call again."""
    if not available():
        return
    with _lock, _no_main_module(), _interrupts_held(), _silence(), _told(backend):
        _server(backend).ensure_running()


def context() -> Any:
    """What makes processes here."""
    return mp.get_context("forkserver" if available() else "spawn")


def start(process: BaseProcess, backend: str) -> None:
    """Start a process with the backend loaded where there are fork servers."""
    warm_up(backend)
    with _lock, _no_main_module(), _forked_from(backend):
        process.start()


def _server(backend: str) -> Any:
    if backend not in _servers:
        from multiprocessing import forkserver

        _servers[backend] = forkserver.ForkServer()
        _servers[backend].set_forkserver_preload(PRELOADED)
    return _servers[backend]


@contextmanager
def _forked_from(backend: str) -> Iterator[None]:
    """Have `multiprocessing` ask this backend's server in place of its own."""
    if not available():
        yield
        return
    from multiprocessing import forkserver

    its_own = forkserver.connect_to_new_process
    forkserver.connect_to_new_process = _server(backend).connect_to_new_process
    try:
        yield
    finally:
        forkserver.connect_to_new_process = its_own


@contextmanager
def _told(backend: str) -> Iterator[None]:
    """Start a process that knows its backend."""
    before = os.environ.get(registry.VARIABLE)
    os.environ[registry.VARIABLE] = backend
    try:
        yield
    finally:
        if before is None:
            del os.environ[registry.VARIABLE]
        else:
            os.environ[registry.VARIABLE] = before


@contextmanager
def _silence() -> Iterator[None]:
    """Start a process without our standard streams: it would hold a pipe open that a reader waits on."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor, _ in kept:
            os.dup2(nowhere, descriptor)
        yield
    finally:
        for descriptor, copy in kept:
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(nowhere)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach; one that comes meanwhile reaches this process afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Start processes that do not import the caller's script.

    `multiprocessing` would run it again in each, and a script without a `__main__` guard would start
    itself over. A trial needs nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
