"""The memory of a network's passes: states, what the backward pass needs, gradients, and the batch's addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.buffers import zeros
from grubench.kernels.cells import CELLS
from grubench.kernels.optimizers import UPDATE_RULES
from grubench.kernels.tile import LINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.kernels.arguments import Array
    from grubench.kernels.flat_weights import LayerShape
    from grubench.kernels.network import Network, NetworkShape

# Steps of one call, at most.
STEPS = 1024
# Rows (steps x sequences) that the ring buffer of a backward pass holds: it stays in the cache beside the weights.
RING_ROWS = 64
# The rows that groups may reach past the batch.
PAST = 8


@dataclass(kw_only=True)
class LevelMemory:
    """The memory of a level; its output has a step where the level above reads all of them.

    Attributes:
        hs: The hidden states, `(row, step, width)`.
        h: The last hidden states, `(row, width)`.
        out: The output after dropout: `hs` or `h` where there is none.
        d_out: The gradient of the output.
    """

    hs: Array
    h: Array
    out: Array
    d_out: Array


@dataclass(kw_only=True)
class LayerMemory:
    """The memory of a layer.

    Attributes:
        saved: What the forward pass saves.
        x_rows: The address of each row's inputs.
        u_transposed: U, of the gates that multiply the hidden state.
        u_reset_transposed: U, of the gates that multiply the reset state.
        w_transposed: W.
    """

    saved: Array
    x_rows: NDArray[np.int64]
    u_transposed: Array
    u_reset_transposed: Array
    w_transposed: Array


class BatchMemory:
    """The memory for batches up to a size.

    Args:
        network: The network.
        batch: The size.
        learns: Whether it is for training; else nothing is saved, and there are no gradients.
    """

    def __init__(self, network: Network, batch: int, *, learns: bool) -> None:
        shape, self.batch, self.learns = network.shape, batch, learns
        self.steps = STEPS if learns else 1
        self.partial = zeros(network.parts, network.layout.packed_size if learns else 1)
        self.levels = [self._make_level(network, number) for number in range(len(shape.levels))]
        self.layers = [self._make_layer(network, layer) for layer in shape.layers]
        out = self.levels[-1].out
        self.top = zeros(*out.shape) if shape.activation else out  # what the head reads
        self.no_gradient = zeros(max(layer.units for layer in shape.layers))  # of the last hidden state, of any row
        self.y_rows = np.zeros(batch, np.int64)
        self.order = np.zeros(self.steps * batch, np.int64)
        self.losses = zeros(self.steps * batch)
        self.scalars = zeros(self.steps, UPDATE_RULES[shape.optimizer].scalar_count)
        self.predictions = zeros(1) if learns else zeros(batch, shape.positions, shape.outputs)
        rows = max(network.processor.tiles(CELLS[layer.cell].gates)[0].rows for layer in shape.layers)
        self.ring_steps = max(1, min(shape.lookback, RING_ROWS // rows))
        self.scratch = [zeros(self._count_scratch(network, rows)) for _ in range(network.pool.threads)]

    def load(self, order: NDArray[np.int64], shape: NetworkShape, first_step: int) -> None:
        """Take the windows and the optimizer's numbers of some steps."""
        self.order[: order.size] = order.reshape(-1)
        if self.learns:
            scalars = UPDATE_RULES[shape.optimizer].list_scalars(shape.learning_rate, first_step + 1, len(order))
            self.scalars[: len(order)] = scalars

    def _make_level(self, network: Network, number: int) -> LevelMemory:
        shape, level = network.shape, network.shape.levels[number]
        hs, h = zeros(self.batch, shape.lookback, level.width), zeros(self.batch, level.width)
        source = hs if shape.every_step or number < len(shape.levels) - 1 else h
        return LevelMemory(
            hs=hs,
            h=h,
            out=zeros(*source.shape) if level.dropout and self.learns else source,
            d_out=zeros(*source.shape) if self.learns else zeros(1),
        )

    def _make_layer(self, network: Network, layer: LayerShape) -> LayerMemory:
        shape, layout = network.shape, network.layout
        cell, padded = CELLS[layer.cell], layout.pad(layer.units)
        rows = self.batch + PAST
        return LayerMemory(
            saved=zeros(rows, shape.lookback, padded, cell.saved_count) if self.learns else zeros(1),
            x_rows=np.zeros(self.batch, np.int64),
            u_transposed=zeros(padded, len(cell.from_state), layer.units),
            u_reset_transposed=zeros(padded, len(cell.from_reset_state), layer.units),
            w_transposed=zeros(layout.pad(layer.features), cell.gates, layer.units),
        )

    def _count_scratch(self, network: Network, rows: int) -> int:
        """The floats of scratch memory of the largest group, forward or backward."""
        most = 0
        for layer in network.shape.layers:
            cell, padded = CELLS[layer.cell], network.layout.pad(layer.units)
            forward = rows * padded * (4 + cell.saved_count)
            ring = padded * (2 + cell.pre_activation_count) + 3 * LINE + network.layout.pad(layer.features)
            most = max(most, forward, rows * padded * 3 + self.ring_steps * rows * ring)
        return most
