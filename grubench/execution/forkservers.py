"""Fork servers, one a backend: each loads Keras once, and every trial is forked from it.

`multiprocessing` has one fork server; a comparison of backends needs one for each, since a process has one backend.
There is no documented way to have several. This module, and no other, uses what the standard library does not document:

- the class `multiprocessing.forkserver.ForkServer`, with its methods, for a server of our own;
- `multiprocessing.forkserver.connect_to_new_process`, which `Process.start` looks up in that module when it is called:
  replaced for that moment by the method of our server;
- `sys.modules["__main__"]`, from which `multiprocessing` takes the script that a child imports: replaced likewise.

Seen with Python 3.11.7; the source of CPython 3.14, whose fork servers ask for a key, does all three in the same way.
`tests/execution/test_forkservers.py` fails with a sentence when a new version changes one of them.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import threading
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from grubench.backends import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.forkserver import ForkServer
    from multiprocessing.process import BaseProcess

# What a fork server imports before it forks: the backend, and all that a trial needs.
PRELOADED = ("grubench.execution.forkserver_imports",)
_servers: dict[str, ForkServer] = {}
_lock = threading.Lock()


def available() -> bool:
    """Whether there are fork servers here; on Windows there are none, and each process loads Keras itself."""
    return "forkserver" in mp.get_all_start_methods()


def warm_up(backend: str) -> None:
    """Start a process that loads Keras with a backend, in the background; harmless to call again."""
    if not available():
        return
    with _lock, _no_main_module(), _interrupts_blocked(), _no_output(), _backend_variable(backend):
        _server(backend).ensure_running()


def make_pipe() -> tuple[Connection, Connection]:
    """The reading and the writing end of a pipe from a process to this one."""
    reader, writer = _context().Pipe(duplex=False)
    return reader, writer


def start_process(backend: str, target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a process with a backend; it has loaded Keras already where there are fork servers."""
    process = _context().Process(target=target, args=arguments, daemon=True)
    warm_up(backend)
    with _lock, _no_main_module(), _forked_from(backend):
        process.start()
    return process


def _context() -> ForkServerContext | SpawnContext:
    return mp.get_context("forkserver") if available() else mp.get_context("spawn")


def _server(backend: str) -> ForkServer:
    if backend not in _servers:
        from multiprocessing import forkserver

        _servers[backend] = forkserver.ForkServer()
        _servers[backend].set_forkserver_preload(list(PRELOADED))
    return _servers[backend]


@contextmanager
def _forked_from(backend: str) -> Iterator[None]:
    """Have `multiprocessing` ask this backend's server in place of its own."""
    if not available():
        yield
        return
    from multiprocessing import forkserver

    connect = forkserver.connect_to_new_process
    forkserver.connect_to_new_process = _server(backend).connect_to_new_process
    try:
        yield
    finally:
        forkserver.connect_to_new_process = connect


@contextmanager
def _backend_variable(backend: str) -> Iterator[None]:
    """Start a process with the environment variable of its backend."""
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
def _no_output() -> Iterator[None]:
    """Start a process without our standard streams: it would hold open a pipe whose reader waits for its end."""
    sys.stdout.flush()
    sys.stderr.flush()
    copies = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor, _ in copies:
            os.dup2(null, descriptor)
        yield
    finally:
        for descriptor, copy in copies:
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(null)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach; a Ctrl-C that comes meanwhile reaches this process afterwards."""
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
