"""A whole network in compiled code: recurrent layers, dropout, Dense head, loss, gradients, clipping and optimizer.

NumPy in and out. Many training steps are one call: the windows of a batch are read where they lie in the series, and
no Python runs between steps. Threads share the rows of a batch; its parts have gradients of their own, which are summed
in the parts' order, so that up to four threads give the same weights bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.batch_memory import BatchMemory
from grubench.kernels.buffers import zeros
from grubench.kernels.cells import COMMON
from grubench.kernels.compiler import load_program
from grubench.kernels.flat_weights import FlatWeights, LayerShape, LevelShape
from grubench.kernels.optimizers import UPDATE_RULES
from grubench.kernels.processor import Processor, detect_processor
from grubench.kernels.schedule import Schedule
from grubench.kernels.tape import ALL_STEPS, GIVE_WAY, PASSED, SHARED, STEP, THREADS, WAITING, find_give_way
from grubench.kernels.threads import get_pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.kernels.arguments import Array
    from grubench.kernels.compiler import Program

# The parts of a batch, at least: up to as many threads sum the same gradients in the same order.
PARTS = 4
# Windows that are forecast at a time, at most, and the floats that their hidden states may take.
FORECAST_BATCH, FORECAST_FLOATS = 256, 1 << 23


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """What a network is made of, and how it is trained.

    Attributes:
        levels: The recurrent layers.
        lookback: Steps in.
        features: Inputs a step.
        outputs: Outputs of the head.
        every_step: Whether the head has an output at every step, for the next one.
        activation: The activation before the head, a name in `HEAD_ACTIVATIONS`; empty for none.
        loss: Its name in `LOSS_TERMS`.
        optimizer: Its name in `UPDATE_RULES`.
        learning_rate: The learning rate.
        clipnorm: The largest norm of a variable's gradient; 0 for any.
        clipvalue: The largest gradient; 0 for any.
        seed: Of the dropout.
    """

    levels: tuple[LevelShape, ...]
    lookback: int
    features: int
    outputs: int
    every_step: bool = False
    activation: str = ""
    loss: str = "mse"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    clipnorm: float = 0.0
    clipvalue: float = 0.0
    seed: int = 0

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """The layers, those of each level one after the other."""
        return tuple(layer for level in self.levels for layer in level.layers)

    @property
    def positions(self) -> int:
        """Positions at which the head has outputs."""
        return self.lookback if self.every_step else 1


class Network:
    """A network on this processor.

    Args:
        shape: What it is made of.
        threads: Threads to compute with; 0 for all cores.
        processor: The processor to compile for; None for this machine's.

    Raises:
        ValueError: This machine's processor lacks the vector instructions that the kernels need.
    """

    def __init__(self, shape: NetworkShape, threads: int = 0, processor: Processor | None = None) -> None:
        processor = processor or detect_processor()
        if processor is None:
            raise ValueError("The fused kernels need AVX2 or NEON.")
        self.shape, self.processor, self.pool = shape, processor, get_pool(threads)
        self.parts = max(PARTS, self.pool.threads + self.pool.threads % 2)  # they come in pairs
        cells = dict.fromkeys(layer.cell for layer in shape.layers)
        self.programs: dict[str, Program] = {name: load_program(name, processor) for name in (COMMON, *cells)}
        self.layout = FlatWeights(shape.levels, shape.outputs, processor.lanes)
        self.weights = zeros(self.layout.size)
        self.gradients = zeros(self.layout.size)  # of the last step, before clipping
        self.slots = [zeros(self.layout.size) for _ in UPDATE_RULES[shape.optimizer].slots]
        self.shared = np.zeros(len(SHARED), np.int64)
        self.shared[[THREADS, GIVE_WAY]] = self.pool.threads, find_give_way()
        self._schedules: dict[tuple[int, str], Schedule] = {}
        self._memories: dict[bool, BatchMemory] = {}  # by whether it is for training

    def set_variables(self, variables: Sequence[Array]) -> None:
        """Take Keras's variables, layer by layer and the head's last."""
        self.layout.pack(variables, self.weights)

    def get_variables(self) -> list[Array]:
        """Keras's variables."""
        return self.layout.unpack(self.weights)

    def set_slots(self, slots: Sequence[Sequence[Array]]) -> None:
        """Take what the optimizer keeps: for each slot an array of each variable."""
        for target, variables in zip(self.slots, slots, strict=True):
            self.layout.pack(variables, target)

    def get_slots(self) -> list[list[Array]]:
        """What the optimizer keeps: for each slot an array of each variable."""
        return [self.layout.unpack(slot) for slot in self.slots]

    def train(self, series: Array, order: NDArray[np.int64], first_step: int = 0) -> NDArray[np.float64]:
        """Run training steps.

        Args:
            series: `(row, feature)`; the target is the first feature.
            order: `(step, window)`, the start row of each window of each step.
            first_step: How many steps were run before.

        Returns:
            The mean loss of each step's batch, `(step,)`.
        """
        return self._run("train", series, order, first_step)

    def evaluate(self, series: Array, starts: NDArray[np.int64]) -> float:
        """The mean loss of windows, without dropout."""
        pieces = self._cut(starts)
        losses = [float(self._run("evaluate", series, piece[None], 0)[0]) * len(piece) for piece in pieces]
        return sum(losses) / len(starts)

    def forecast(self, series: Array, starts: NDArray[np.int64]) -> Array:
        """The forecasts of windows, `(window, output)`, or `(window, step, 1)` at every step."""
        parts = []
        for piece in self._cut(starts):
            self._run("forecast", series, piece[None], 0)
            parts.append(self._memories[False].predictions[: len(piece)].copy())
        joined = np.concatenate(parts)
        return joined if self.shape.every_step else joined[:, 0]

    def _cut(self, starts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Windows in batches of a size that does not need much memory."""
        shape = self.shape
        row_floats = shape.lookback * sum(level.width for level in shape.levels)
        batch = max(1, min(FORECAST_BATCH, FORECAST_FLOATS // row_floats))
        return [starts[first : first + batch] for first in range(0, len(starts), batch)]

    def _run(self, kind: str, series: Array, order: NDArray[np.int64], first_step: int) -> NDArray[np.float64]:
        steps, batch = order.shape
        memory = self._get_memory(kind, batch)
        schedule = self._schedules.get((batch, kind))
        if schedule is None or schedule.memory is not memory:
            schedule = self._schedules[batch, kind] = Schedule(self, memory, batch, kind)
        losses = np.empty(steps)
        for first in range(0, steps, memory.steps):
            piece = order[first : first + memory.steps]
            memory.load(piece, self.shape, first_step + first)
            schedule.passes.refer(series)
            self.shared[[WAITING, PASSED, STEP, ALL_STEPS]] = 0, 0, 0, first_step + first
            self._run_tapes(schedule, len(piece))
            total = memory.losses[: len(piece) * batch].reshape(len(piece), batch).sum(axis=1, dtype=np.float64)
            losses[first : first + len(piece)] = total / (batch * self.shape.positions * self.shape.outputs)
        return losses

    def _run_tapes(self, schedule: Schedule, steps: int) -> None:
        run = self.programs[COMMON].functions["run"]

        def run_thread(thread: int) -> None:
            tape = schedule.tapes[thread]
            run(tape.ctypes.data, len(tape), steps, self.shared.ctypes.data)

        self.pool.run(run_thread)

    def _get_memory(self, kind: str, batch: int) -> BatchMemory:
        """The memory for batches of this size, at least."""
        learns = kind == "train"
        memory = self._memories.get(learns)
        if memory is None or memory.batch < batch:
            # What is too small goes first, with the schedules that are of it.
            self._schedules = {key: one for key, one in self._schedules.items() if one.memory is not memory}
            memory = self._memories[learns] = BatchMemory(self, batch, learns=learns)
        return memory
