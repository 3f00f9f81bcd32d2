"""Trials in processes of this machine, each in a fresh one.

A fresh process costs a fork and no import: a fork server loads Keras once, and runs nothing itself, so that every trial
starts from the same state whatever ran before. Where there are no fork servers (Windows) a process is spawned and loads
Keras itself.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from grubench.backends import gpus, machine
from grubench.errors import TrainingError
from grubench.execution import forkservers
from grubench.execution.executor import as_outcome, run_job
from grubench.execution.process_folder import process_folder
from grubench.training.options import TrialOptions

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from grubench.data.series import Dataset
    from grubench.execution.executor import Job, Outcome
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnEvent, TrialEvent

# How many seconds trials that were told to stop may take to clean up.
STOP_S = 5
# What a process writes that ends itself because it got no memory.
OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "out of memory", "Out of memory", "Cannot allocate memory")


@dataclass(frozen=True)
class _Ended:
    """The last message of a trial's process.

    Attributes:
        outcome: What ended the trial; None where it filled its folder.
    """

    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What a trial's process is started with.

    Attributes:
        spec: The trial.
        folder: The folder that it fills; None to check only whether it could run.
        options: How it is run.
        environment: The environment variables: a fork server still has those of its own start.
        log: The file that takes standard error.
        dataset: The data, where the parent read them from a table of the user's own.
    """

    spec: Experiment
    folder: Path | None
    options: TrialOptions
    environment: dict[str, str]
    log: Path
    dataset: Dataset | None


@dataclass(frozen=True, kw_only=True)
class _Child:
    """A trial's process.

    Attributes:
        process: The process.
        pipe: Its events and its last message.
        log: The file of its standard error.
        memory_kills: How many processes the system had killed for want of memory when it started.
    """

    process: BaseProcess
    pipe: Connection
    log: Path
    memory_kills: int | None


class Processes:
    """An executor with a fresh process for each trial.

    Args:
        jobs: How many trials run at a time; they share the processor's cores, and the GPUs where there are several.
        on_event: Called with the progress.
    """

    def __init__(self, jobs: int, on_event: OnEvent) -> None:
        self.slots = jobs
        self._on_event = on_event
        self._children: dict[int, _Child] = {}

    def trial_options(self, spec: Experiment, slot: int) -> TrialOptions:
        """An equal share of the cores, and one GPU where there are several."""
        if self.slots == 1:
            return TrialOptions()
        cards = gpus.list_visible_cards()
        return TrialOptions(
            threads=spec.training.threads or max(1, machine.count_cores() // self.slots),
            shared=f"with {self.slots} trials at a time (--jobs {self.slots})",
            card=cards[slot % len(cards)] if len(cards) > 1 else "",
            cards=tuple(gpus.list_cards(spec.training.backend)),
        )

    def start(self, job: Job) -> None:
        """Start a trial's process."""
        reader, writer = forkservers.make_pipe()
        log = process_folder() / f"trial-{job.number}.stderr"
        task = _Task(
            spec=job.spec,
            folder=job.folder,
            options=job.options,
            environment=dict(os.environ) | ({gpus.VISIBLE_VARIABLE: job.options.card} if job.options.card else {}),
            log=log,
            # A table of the user's own may not be there any more, or be a frame; others are read beside Keras's start.
            dataset=job.dataset if job.spec.data.file else None,
        )
        process = forkservers.start_process(job.spec.training.backend, _run_task, writer, task)
        writer.close()
        kills = machine.count_memory_kills()
        self._children[job.number] = _Child(process=process, pipe=reader, log=log, memory_kills=kills)

    def wait(self, timeout_s: float) -> list[tuple[int, Outcome]]:
        """Pass events on until a trial ends, its process dies, or the time is over."""
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
                    self._remove(number)
                    ended.append((number, message.outcome))
                else:
                    self._on_event(replace(message, trial=number))
        return ended

    def close(self) -> None:
        """Stop every trial's process."""
        for child in self._children.values():
            child.process.terminate()
        deadline = time.monotonic() + STOP_S
        for number, child in list(self._children.items()):
            child.process.join(max(0.0, deadline - time.monotonic()))
            child.process.kill()
            self._remove(number)

    def _remove(self, number: int) -> None:
        child = self._children.pop(number)
        child.process.join()
        child.pipe.close()
        child.log.unlink(missing_ok=True)


def _receive(child: _Child) -> TrialEvent | _Ended:
    """The next message of a trial's process; where it died without one, how it died."""
    try:
        if child.pipe.poll():
            message: TrialEvent | _Ended = child.pipe.recv()
            return message
    except (EOFError, OSError):  # it died, perhaps in the middle of a message
        pass
    child.process.join()
    return _Ended(_explain_death(child))


def _explain_death(child: _Child) -> TrainingError:
    """How a trial's process died, with what it wrote; memory is blamed where it ran out."""
    cause, lines = _name_cause(child.process.exitcode), forkservers.read_last_lines(child.log)
    kills = machine.count_memory_kills()
    killed = cause == "SIGKILL"
    if any(words in lines for words in OUT_OF_MEMORY) or (killed and kills != child.memory_kills):
        why, remedy = "memory ran out", "Use a smaller --batch-size, or fewer trials at a time (--jobs)."
    elif kernels := _find_loaded_kernels(child.process.pid):
        why, remedy = f"by the compiled kernels in {kernels}", "Call again: they are compiled anew."
    elif killed:
        why = "killed by another process" + ("" if kills is not None else " or, where memory ran out, by the system")
        remedy = "The same command goes on with the trials that are missing."
    else:
        why, remedy = "", "--in-process --debug runs the trial in this process and shows where it happens."
    text = f"The trial's process died ({cause}{': ' if why else ''}{why}).{lines}"
    return TrainingError(text, remedy)


def _find_loaded_kernels(process: int | None) -> Path | None:
    """The cached kernels that a process died of while it loaded them; None where it died of something else."""
    from grubench.kernels.code_cache import find_loaded  # LLVM, which nothing else here needs

    return find_loaded(process or 0)


def _name_cause(code: int | None) -> str:
    """The signal or the exit code that a process ended with."""
    if code is not None and code < 0:
        names = {known.value: known.name for known in signal.Signals}
        return names.get(-code, f"signal {-code}")
    return f"exit code {code}"


def _run_task(pipe: Connection, task: _Task) -> None:
    """The body of a trial's process."""
    # The parent alone decides what a signal of the terminal ends, and ends this process with SIGTERM.
    for number in forkservers.TERMINAL_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # TensorFlow's C++ code writes to standard error whatever its log level, which would break the parent's display.
    with task.log.open("wb") as file:
        os.dup2(file.fileno(), 2)
    os.environ.update(task.environment)
    if hasattr(select, "poll"):  # not on Windows
        threading.Thread(target=_exit_with_reader, args=(pipe.fileno(),), daemon=True).start()
    try:
        run_job(task.spec, task.folder, pipe.send, task.options, task.dataset)
        pipe.send(_Ended(None))
    except Exception as error:
        pipe.send(_Ended(as_outcome(error)))


def _exit_with_reader(descriptor: int) -> None:
    """End this process when nobody reads its pipe any more: nobody needs what it would send or write."""
    watch = select.poll()
    watch.register(descriptor, 0)  # errors are reported in any case
    watch.poll()
    os._exit(1)
