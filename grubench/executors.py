"""Where trials run: each in a fresh process, or all in this one for debugging.

A fresh process costs a fork and no import: a fork server loads Keras once, and nothing runs in it, so
that every trial starts from the same state whatever ran before. Where there is no fork server
(Windows) a process is spawned and pays the import.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from grubench import errors
from grubench.errors import GrubenchError, TrainingError
from grubench.experiment import Experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    Report = Callable[[dict[str, Any]], None]
    Outcome = Path | GrubenchError
    Setting = tuple[dict[str, str], list[str]]

# How long a trial that was told to stop may take to clean up, in seconds.
STOP_S = 5


def run(spec: Experiment, root: Path, report: Report, *, in_process: bool = False) -> Outcome:
    """Train one trial.

    Args:
        spec: The trial.
        root: The folder that its run goes into.
        report: Called with the trial's progress, as `training.run_trial` tells it.
        in_process: Train in this process.

    Returns:
        The run folder, or the error that ended the trial.
    """
    return _run_here(spec, root, report) if in_process else _run_apart(spec, root, report)


def warm_up() -> None:
    """Start loading Keras beside whatever this process does next; harmless to call again."""
    if "forkserver" in mp.get_all_start_methods():
        from multiprocessing import forkserver

        with _no_main_module(), _interrupts_held(), _silence():
            forkserver.set_forkserver_preload(["grubench.training"])
            forkserver.ensure_running()


def _run_here(spec: Experiment, root: Path, report: Report) -> Outcome:
    from grubench.training import run_trial

    try:
        return run_trial(spec, root, report)
    except GrubenchError as error:
        return error


def _run_apart(spec: Experiment, root: Path, report: Report) -> Outcome:
    warm_up()
    context: BaseContext = mp.get_context("forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    said = tempfile.TemporaryDirectory(prefix="grubench-")
    log = Path(said.name) / "stderr"
    process = context.Process(  # type: ignore[attr-defined]
        target=_trial, args=(theirs, spec.to_dict(), str(root), (dict(os.environ), sys.argv), str(log)), daemon=True
    )
    with _no_main_module():
        process.start()
    theirs.close()
    try:
        return _listen(process, ours, report, log)
    except BaseException:
        process.terminate()
        process.join(STOP_S)
        process.kill()
        raise
    finally:
        process.join()
        ours.close()
        said.cleanup()


def _listen(process: Any, pipe: Connection, report: Report, log: Path) -> Outcome:
    """Hand progress on until the trial has an outcome or its process is gone."""
    while True:
        wait([pipe, process.sentinel])
        try:
            event = pipe.recv() if pipe.poll() else None
        except EOFError:
            event = None
        if event is None:
            process.join()
            return TrainingError(
                f"The trial's process died ({_cause(process.exitcode)}).{_last_words(log)}",
                "If memory ran out, use a smaller --batch-size.",
            )
        if event["kind"] == "done":
            return Path(event["folder"])
        if event["kind"] == "failed":
            kind = getattr(errors, event["type"], TrainingError)
            failure: GrubenchError = kind(event["message"], event["remedy"])
            return failure
        report(event)


def _last_words(log: Path) -> str:
    """The last lines that a process wrote to standard error before it died."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return "".join(f"\n  {line}" for line in lines[-5:])


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _trial(pipe: Connection, tree: dict[str, Any], root: str, setting: Setting, log: str) -> None:
    """The body of a trial's process."""
    # Ctrl-C reaches every process of the terminal; the parent alone decides, and ends this one with SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # TensorFlow's C++ code writes to standard error whatever its log level; it would tear the parent's display.
    with open(log, "wb") as file:  # noqa: PTH123  (a descriptor, not a path, is what is needed)
        os.dup2(file.fileno(), 2)
    env, sys.argv = setting
    os.environ.update(env)  # the fork server keeps the environment of its own start
    try:
        from grubench.training import run_trial

        folder = run_trial(Experiment.from_dict(tree), Path(root), pipe.send)
        pipe.send({"kind": "done", "folder": str(folder)})
    except Exception as error:
        known = error if isinstance(error, GrubenchError) else _unforeseen(error)
        pipe.send({"kind": "failed", "type": type(known).__name__, "message": known.message, "remedy": known.remedy})


def _unforeseen(error: Exception) -> TrainingError:
    return TrainingError(f"{type(error).__name__}: {error}", "--in-process --debug shows where it happened.")


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
