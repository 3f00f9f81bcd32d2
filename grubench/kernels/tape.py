"""The tape of a training step: the calls that each thread makes, one after the other, with barriers between them.

A thread runs its tape for many steps in one call of compiled code, without Python. An entry of the tape is a compiled
function and its four arguments. All functions of a step that depend on its number read it from the memory that the
threads share.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass, field

import numpy as np

from grubench.kernels.emitter import Emitter
from grubench.kernels.integer_emitter import Int

ENTRY = ("function", "table", "first_row", "scratch", "gradients")
# What the threads of a step share: the number of threads that wait at the barrier, how many barriers all have passed,
# how many threads there are, the function that gives the rest of a thread's time away, the number of the step in this
# call, and its number in the whole training.
SHARED = ("waiting", "passed", "threads", "give_way", "step", "all_steps")
WAITING, PASSED, THREADS, GIVE_WAY, STEP, ALL_STEPS = range(len(SHARED))
# In place of a function's address.
BARRIER, NEXT_STEP = 0, 1
# How often a waiting thread looks before it gives way: a few microseconds.
LOOKS = 2000


def emit_run(emit: Emitter, tape: Int, entries: Int, steps: Int, shared: Int) -> None:
    """Emit the run of a tape.

    Args:
        emit: The emitter.
        tape: The address of the tape, `(entry, 5)` integers.
        entries: How many entries it has.
        steps: How many times it is run.
        shared: The address of what the threads share (`SHARED`).
    """

    def count_step() -> None:
        emit.add_shared(shared, STEP, 1)
        emit.add_shared(shared, ALL_STEPS, 1)

    def run_entry(number: Int) -> None:
        entry = emit.add(tape, emit.mul(number, 8 * len(ENTRY)))
        function, *arguments = (emit.load_i64(entry, position) for position in range(len(ENTRY)))
        emit.emit_if(emit.is_less(NEXT_STEP, function), lambda: emit.call(function, arguments))
        emit.emit_if(emit.is_equal(function, BARRIER), lambda: _emit_barrier(emit, shared))
        emit.emit_if(emit.is_equal(function, NEXT_STEP), count_step)

    emit.loop(steps, [], lambda _, __: emit.loop(entries, [], lambda number, _: run_entry(number)))


def _emit_barrier(emit: Emitter, shared: Int) -> None:
    """Emit the wait until all threads are here. The last to come lets the others pass."""
    passed = emit.load_shared(shared, PASSED)
    before = emit.add_shared(shared, WAITING, 1)
    is_last = emit.is_equal(emit.add(before, 1), emit.load_i64(shared, THREADS))

    def let_pass() -> None:
        emit.exchange_shared(shared, WAITING, 0)
        emit.add_shared(shared, PASSED, 1)

    emit.emit_if(is_last, let_pass)

    def give_way(looks: Int) -> None:
        emit.emit_if(emit.is_less(LOOKS, looks), lambda: emit.call(emit.load_i64(shared, GIVE_WAY)))

    emit.emit_while(lambda _: emit.is_equal(emit.load_shared(shared, PASSED), passed), give_way)


def find_give_way() -> int:
    """The address of the system's function that gives the rest of a thread's time away."""
    library, name = ("kernel32", "SwitchToThread") if sys.platform == "win32" else (None, "sched_yield")
    function = getattr(ctypes.CDLL(library), name)
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@dataclass
class Tape:
    """The calls of one thread in a step."""

    entries: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    def call(self, function: int, table: int, first_row: int = 0, scratch: int = 0, gradients: int = 0) -> None:
        """Add a call."""
        self.entries.append((function, table, first_row, scratch, gradients))

    def wait(self) -> None:
        """Add a barrier."""
        self.entries.append((BARRIER, 0, 0, 0, 0))

    def next_step(self) -> None:
        """Add the change to the next step: in one thread, between two barriers."""
        self.entries.append((NEXT_STEP, 0, 0, 0, 0))

    def to_array(self) -> np.ndarray:
        """The tape as the compiled code reads it."""
        return np.array(self.entries, np.int64).reshape(-1, len(ENTRY))
