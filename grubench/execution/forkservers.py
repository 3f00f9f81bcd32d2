"""Fork servers, one a backend: each loads Keras once, and every trial is forked from it.

`multiprocessing` has one fork server; a comparison of backends needs one for each, since a process has one backend.
There is no documented way to have several. This module, and `process_folder` beside it, use what the standard library
does not document:

- the class `multiprocessing.forkserver.ForkServer`, with its methods, for a server of our own;
- `multiprocessing.forkserver.connect_to_new_process`, which `Process.start` looks up in that module when it is called:
  replaced for that moment by the method of our server;
- `sys.modules["__main__"]`, from which `multiprocessing` takes the script that a child imports: replaced likewise;
- that a folder for sockets is made where `tempfile.tempdir` says, once in a process, and removed by a finalizer
  (see `process_folder`).

Seen with Python 3.11.7; the source of CPython 3.14, whose fork servers ask for a key, does all of it in the same way.
`tests/execution/test_forkservers.py` fails with a sentence when a new version changes one of them.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from grubench.backends import registry
from grubench.backends.stderr import open_standard_streams
from grubench.errors import TrainingError
from grubench.execution.process_folder import process_folder
from grubench.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.forkserver import ForkServer
    from multiprocessing.process import BaseProcess

# What a fork server imports before it forks: the backend, and all that a trial needs.
PRELOADED = ("grubench.execution.forkserver_imports",)
# How many lines of a dead process's standard error are shown.
LAST_LINES = 5
# A socket's path has about 100 bytes on every system; what is made below a folder for it takes 32.
MAX_SOCKET_FOLDER_BYTES = 68
# Signals of the terminal reach every process in it; this one alone decides what they end.
TERMINAL_SIGNALS = {signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])}
_servers: dict[str, ForkServer] = {}
_lock = threading.Lock()


def available() -> bool:
    """Whether there are fork servers here; on Windows there are none, and each process loads Keras itself."""
    return "forkserver" in mp.get_all_start_methods()


def warm_up(backend: str) -> None:
    """Start a process that loads Keras with a backend, in the background; harmless to call again.

    Raises:
        TrainingError: It cannot be started.
    """
    if not available():
        return
    with _lock, _no_main_module(), _starting(backend), _errors_with_reason(backend):
        _server(backend).ensure_running()


def make_pipe() -> tuple[Connection, Connection]:
    """The reading and the writing end of a pipe from a process to this one."""
    reader, writer = _context().Pipe(duplex=False)
    return reader, writer


def start_process(backend: str, target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a process with a backend; it has loaded Keras already where there are fork servers.

    Raises:
        TrainingError: It cannot be started, or its server died: with the reason that the server gave.
    """
    process = _context().Process(target=target, args=arguments, daemon=True)
    warm_up(backend)
    with _lock, _no_main_module(), _forked_from(backend), _starting(backend), _errors_with_reason(backend):
        process.start()
    return process


def read_last_lines(log: Path) -> str:
    """The last lines that a process wrote to its standard error, each on a line of its own below a message."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return "".join(f"\n  {escape_control_characters(line)}" for line in lines[-LAST_LINES:])


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
def _errors_with_reason(backend: str) -> Iterator[None]:
    """Turn the death of a server, which shows as a pipe that ends, into an error with what the server wrote."""
    try:
        yield
    except (OSError, EOFError) as error:
        lines = ""
        with suppress(OSError):  # it may be the folder of logs that cannot be made
            lines = read_last_lines(_log(backend))
        raise TrainingError(
            f"The process that loads Keras with {backend} could not be started, or died "
            f"({type(error).__name__}: {error}).{lines}",
            "`grubench doctor` loads Keras in its own process; --in-process --debug shows where a trial fails.",
        ) from error


def _log(backend: str) -> Path:
    """The file that takes the standard error of a backend's server."""
    return process_folder() / f"{backend}.stderr"


@contextmanager
def _starting(backend: str) -> Iterator[None]:
    """What holds while a process is started."""
    with _environment(backend), _own_socket_folder(), _signals_blocked(), _no_output(_log(backend)):
        yield


@contextmanager
def _environment(backend: str) -> Iterator[None]:
    """Start a process with its backend, and with the path of this one.

    `python -c`, by which helpers are started, would search the current folder first: files there would run that are
    named as modules.
    """
    path = [entry for entry in sys.path if Path(entry).is_absolute() and os.pathsep not in entry]
    variables = {
        registry.VARIABLE: backend,
        registry.LOG_VARIABLE: "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join(path),
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _own_socket_folder() -> Iterator[None]:
    """Have `multiprocessing` make its sockets in this process's folder, so that they go with it."""
    before, folder = tempfile.tempdir, str(process_folder())
    if len(os.fsencode(folder)) <= MAX_SOCKET_FOLDER_BYTES:
        tempfile.tempdir = folder
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _no_output(log: Path) -> Iterator[None]:
    """Start a process without our standard streams: it would hold open a pipe whose reader waits for its end.

    Args:
        log: The file that takes its standard error.
    """
    open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    copies = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    null = os.open(os.devnull, os.O_WRONLY)
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(null, 1)
        os.dup2(errors, 2)
        yield
    finally:
        for descriptor, copy in copies:
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(null)
        os.close(errors)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Start a process that the terminal's signals do not reach; one that comes meanwhile reaches this process after."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
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
