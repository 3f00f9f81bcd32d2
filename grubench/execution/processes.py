"""Trials in processes of this machine, each in a fresh one.

A fresh process costs a fork and no import: a fork server loads Keras once, and nothing runs in it, so
that every trial starts from the same state whatever ran before. Where there is no fork server
(Windows) a process is spawned and pays the import.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grubench.backends import machine
from grubench.errors import TrainingError
from grubench.execution import forkservers
from grubench.execution.base import as_outcome, run_job
from grubench.spec.experiment import Experiment
from grubench.text import escape_control_characters
from grubench.training.options import TrialOptions

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from grubench.execution.base import Job, Outcome
    from grubench.training.events import OnEvent, TrialEvent

# How long trials that were told to stop may take to clean up, in seconds.
STOP_S = 5


@dataclass(frozen=True, kw_only=True)
class _Child:
    """A trial's process, the pipe that it tells its progress through, and what it writes to standard error."""

    process: Any
    pipe: Connection
    said: Any

    @property
    def log(self) -> Path:
        return Path(self.said.name) / "stderr"


@dataclass(frozen=True)
class _Ended:
    """The last message of a trial's process.

    Attributes:
        outcome: What ended the trial; None where it filled its folder.
    """

    outcome: Outcome


class Processes:
    """An executor with a fresh process a trial.

    Args:
        jobs: How many trials run at a time; they share the processor's cores, and the GPUs where there are several.
        on_event: Called with the progress.
    """

    def __init__(self, jobs: int, on_event: OnEvent) -> None:
        self.slots = jobs
        self._on_event = on_event
        self._children: dict[int, _Child] = {}

    def trial_options(self, spec: Experiment, slot: int) -> TrialOptions:
        """An equal share of the cores, and a GPU where there are several."""
        if self.slots == 1:
            return TrialOptions()
        pool = machine.visible_cards()
        return TrialOptions(
            threads=spec.training.threads or max(1, machine.cores() // self.slots),
            shared=f"with {self.slots} trials at a time (--jobs {self.slots})",
            card=pool[slot % len(pool)] if len(pool) > 1 else "",
            cards=tuple(machine.cards(spec.training.backend)),
        )

    def start(self, job: Job) -> None:
        """Start a trial's process."""
        ours, theirs = forkservers.context().Pipe(duplex=False)
        said = tempfile.TemporaryDirectory(prefix="grubench-")
        env = dict(os.environ) | ({machine.VISIBLE: job.options.card} if job.options.card else {})
        setting = (env, sys.argv, str(Path(said.name) / "stderr"))
        arguments = (theirs, job.spec.to_dict(), job.folder, job.options, setting)
        process = forkservers.context().Process(target=_trial, args=arguments, daemon=True)
        forkservers.start(process, job.spec.training.backend)
        theirs.close()
        self._children[job.number] = _Child(process=process, pipe=ours, said=said)

    def wait(self, timeout_s: float) -> list[tuple[int, Outcome]]:
        """Hand progress on until a trial has an outcome, its process is gone, or the time is over."""
        if not self._children:
            time.sleep(timeout_s)
            return []
        ended = []
        handles = [handle for child in self._children.values() for handle in (child.pipe, child.process.sentinel)]
        ready = set(wait(handles, timeout_s))
        for number, child in list(self._children.items()):
            if child.pipe in ready or child.process.sentinel in ready:
                message = _receive(child)
                if isinstance(message, _Ended):
                    self._let_go(number)
                    ended.append((number, message.outcome))
                else:
                    self._on_event(replace(message, trial=number))
        return ended

    def close(self) -> None:
        """End every trial's process."""
        for child in self._children.values():
            child.process.terminate()
        deadline = time.monotonic() + STOP_S
        for number, child in list(self._children.items()):
            child.process.join(max(0.0, deadline - time.monotonic()))
            child.process.kill()
            self._let_go(number)

    def _let_go(self, number: int) -> None:
        child = self._children.pop(number)
        child.process.join()
        child.pipe.close()
        child.said.cleanup()


def _receive(child: _Child) -> TrialEvent | _Ended:
    """The next message of a trial; its death, where nothing comes any more."""
    try:
        if child.pipe.poll():
            message: TrialEvent | _Ended = child.pipe.recv()
            return message
    except (EOFError, OSError):  # it died, perhaps in the middle of a message
        pass
    child.process.join()
    death = f"The trial's process died ({_cause(child.process.exitcode)}).{_last_words(child.log)}"
    return _Ended(TrainingError(death, "If memory ran out, use a smaller --batch-size."))


def _last_words(log: Path) -> str:
    """The last lines that a process wrote to standard error before it died."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return "".join(f"\n  {escape_control_characters(line)}" for line in lines[-5:])


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        known = {one.value: one.name for one in signal.Signals}
        return known.get(-code, f"signal {-code}")
    return f"exit code {code}"


def _trial(
    pipe: Connection, tree: dict[str, Any], folder: Path | None, options: TrialOptions, setting: tuple[Any, Any, str]
) -> None:
    """The body of a trial's process."""
    # Ctrl-C reaches every process of the terminal; the parent alone decides, and ends this one with SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    env, sys.argv, log = setting
    # TensorFlow's C++ code writes to standard error whatever its log level; it would tear the parent's display.
    with open(log, "wb") as file:  # noqa: PTH123  (a descriptor, not a path, is what is needed)
        os.dup2(file.fileno(), 2)
    os.environ.update(env)  # the fork server keeps the environment of its own start
    if hasattr(select, "poll"):  # not on Windows
        threading.Thread(target=_end_with_reader, args=(pipe.fileno(),), daemon=True).start()
    try:
        run_job(Experiment.from_dict(tree), folder, pipe.send, options)
        pipe.send(_Ended(None))
    except Exception as error:
        pipe.send(_Ended(as_outcome(error)))


def _end_with_reader(descriptor: int) -> None:
    """End this process when nobody reads its pipe any more: what it would tell or write then is wanted by none."""
    watch = select.poll()
    watch.register(descriptor, 0)  # of errors it tells anyway
    watch.poll()
    os._exit(1)
