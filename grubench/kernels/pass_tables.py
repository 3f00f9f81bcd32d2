"""The argument tables of a network's passes: of the batch, the layers, dropout and the head.

A table says where a compiled function finds its inputs, weights and outputs in memory. It is made once for all batches
of one size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.arguments import BACKWARD, FORWARD, ArgumentTable, TableMaker
from grubench.kernels.dropout import DROPOUT
from grubench.kernels.head import HEAD
from grubench.kernels.head_activation import ACTIVATE, DERIVE
from grubench.kernels.integer_emitter import FLOAT_BYTES
from grubench.kernels.step_parts import BATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.kernels.arguments import Array, Entry
    from grubench.kernels.batch_memory import BatchMemory
    from grubench.kernels.flat_weights import LayerShape, LayerSpans
    from grubench.kernels.network import Network


@dataclass(frozen=True, kw_only=True)
class LayerTables:
    """A layer, where its weights lie, and the addresses of its argument tables; that of `backward` 0 without one."""

    shape: LayerShape
    spans: LayerSpans
    forward: int
    backward: int


@dataclass(frozen=True, kw_only=True)
class LevelTables:
    """The layers of a level, and the addresses of the tables of its dropout; 0 where there is none."""

    layers: tuple[LayerTables, ...]
    drop: int
    drop_back: int


class PassTables(TableMaker):
    """Makes the tables of the passes of batches of one size.

    Args:
        network: The network.
        memory: Its memory.
        batch: The rows of a batch.
    """

    def __init__(self, network: Network, memory: BatchMemory, batch: int) -> None:
        super().__init__()
        self.network, self.memory, self.batch, self.learns = network, memory, batch, memory.learns
        self.weights = network.weights.ctypes.data
        self._readers: list[ArgumentTable] = []

    def refer(self, series: Array) -> None:
        """Let the batches read their windows from this array."""
        for table in self._readers:
            table.change("series", series)

    def make_batch(self, *, with_targets: bool) -> list[int]:
        """The tables by which the rows of a batch are found: of the inputs of each direction, and of the targets."""
        memory, shape = self.memory, self.network.shape
        last = (shape.lookback - 1) * shape.features
        inputs = zip(shape.levels[0].layers, memory.layers, strict=False)
        places = [(own.x_rows, last if layer.is_reversed else 0) for layer, own in inputs]
        if with_targets:
            places.append((memory.y_rows, (1 if shape.every_step else shape.lookback) * shape.features))
        return [self._make_reader(rows, offset) for rows, offset in places]

    def _make_reader(self, rows: NDArray[np.int64], offset: int) -> int:
        table = ArgumentTable(
            BATCH,
            order=self.memory.order,
            batch=self.batch,
            series=0,
            features=self.network.shape.features,
            offset=offset,
            rows=rows,
            shared=self.network.shared,
        )
        self._readers.append(table)
        return table.address

    # The layers.

    def make_level(self, number: int) -> LevelTables:
        """The tables of a level."""
        shape = self.network.shape
        level = shape.levels[number]
        first = sum(len(below.layers) for below in shape.levels[:number])
        layers, offset = [], 0
        for place, layer in enumerate(level.layers):
            layers.append(self._make_layer(number, first + place, offset))
            offset += layer.units
        drop, drop_back = self._make_dropout(number) if level.dropout and self.learns else (0, 0)
        return LevelTables(layers=tuple(layers), drop=drop, drop_back=drop_back)

    def _make_layer(self, level: int, number: int, offset: int) -> LayerTables:
        """The tables of a layer, whose outputs begin `offset` floats from those of its level."""
        layer, spans = self.network.shape.layers[number], self.network.layout.spans[number]
        shared = self._list_shared(level, number, offset)
        forward = self._make_forward(level, number, offset, shared)
        backward = self._make_backward(level, number, offset, shared) if self.learns else 0
        return LayerTables(shape=layer, spans=spans, forward=forward, backward=backward)

    def _list_shared(self, level: int, number: int, offset: int) -> dict[str, Entry]:
        """What forward and backward pass of a layer have in common: sizes, inputs and hidden states."""
        memory, shape, layer = self.memory, self.network.shape, self.network.shape.layers[number]
        own, width = memory.layers[number], shape.levels[level].width
        direction, first_step = _find_direction(layer, shape.lookback)
        if level:
            below = memory.levels[level - 1].out
            start = below.ctypes.data + FLOAT_BYTES * first_step * layer.features
            own.x_rows[:] = start + np.arange(memory.batch) * below.strides[0]
        return {
            "batch": self.batch,
            "steps": shape.lookback,
            "units": layer.units,
            "features": layer.features,
            "x_rows": own.x_rows,
            "x_step": direction * layer.features,
            "hs": memory.levels[level].hs.ctypes.data + FLOAT_BYTES * (first_step * width + offset),
            "hs_row": shape.lookback * width,
            "hs_step": direction * width,
            "saved": own.saved,
        }

    def _make_forward(self, level: int, number: int, offset: int, shared: dict[str, Entry]) -> int:
        memory, spans = self.memory, self.network.layout.spans[number]
        return self._add(
            FORWARD,
            **shared,
            w=self.weights + FLOAT_BYTES * spans.w.start,
            u=self.weights + FLOAT_BYTES * spans.u.start,
            u_reset=self.weights + FLOAT_BYTES * spans.u_reset.start,
            bias=self.weights + FLOAT_BYTES * spans.packed_bias.start,
            h_last=memory.levels[level].h.ctypes.data + FLOAT_BYTES * offset,
            h_last_row=self.network.shape.levels[level].width,
            save=int(self.learns),
        )

    def _make_backward(self, level: int, number: int, offset: int, shared: dict[str, Entry]) -> int:
        memory, shape = self.memory, self.network.shape
        layer, own, width = shape.layers[number], memory.layers[number], shape.levels[level].width
        direction, first_step = _find_direction(layer, shape.lookback)
        sequences = shape.every_step or level < len(shape.levels) - 1
        d_out = memory.levels[level].d_out.ctypes.data + FLOAT_BYTES * offset
        below = memory.levels[level - 1].d_out.ctypes.data + FLOAT_BYTES * first_step * layer.features
        return self._add(
            BACKWARD,
            **shared,
            u_transposed=own.u_transposed,
            u_reset_transposed=own.u_reset_transposed,
            w_transposed=own.w_transposed,
            d_hs=d_out + FLOAT_BYTES * first_step * width if sequences else None,
            d_hs_row=shape.lookback * width if sequences else 0,
            d_hs_step=direction * width if sequences else 0,
            use_d_hs=int(sequences),
            d_h_last=memory.no_gradient if sequences else d_out,
            d_h_last_row=0 if sequences else width,
            d_x=below if level else None,
            d_x_row=shape.lookback * layer.features,
            d_x_step=direction * layer.features,
            need_d_x=int(level > 0),
            add_d_x=int(offset > 0),
            ring_steps=memory.ring_steps,
        )

    def _make_dropout(self, number: int) -> tuple[int, int]:
        own, level = self.memory.levels[number], self.network.shape.levels[number]
        source = own.hs if own.out.ndim == 3 else own.h
        common: dict[str, Entry] = {
            "count": int(np.prod(own.out.shape[1:])),
            "threshold": round(level.dropout * 2**32),
            "scale": self._add_float(1 / (1 - level.dropout)),
            "seed": self.network.shape.seed,
            "layer": number,
            "shared": self.network.shared,
        }
        drop = self._add(DROPOUT, source=source, target=own.out, **common)
        return drop, self._add(DROPOUT, source=own.d_out, target=own.d_out, **common)

    # The head.

    def make_activation(self) -> tuple[int, int]:
        """The tables of the activation before the head, and of its gradient."""
        memory, states = self.memory, self.memory.levels[-1]
        count = int(np.prod(states.out.shape[1:]))
        forward = self._add(ACTIVATE, source=states.out, target=memory.top, count=count)
        return forward, self._add(DERIVE, outputs=memory.top, gradients=states.d_out, count=count)

    def make_head(self) -> int:
        """The table of the head."""
        network, memory, shape = self.network, self.memory, self.network.shape
        units = shape.levels[-1].width
        row = shape.positions * units
        return self._add(
            HEAD,
            units=units,
            outputs=shape.outputs,
            positions=shape.positions,
            h=memory.top,
            h_row=row,
            h_position=units,
            w=self.weights + FLOAT_BYTES * network.layout.head_w.start,
            bias=self.weights + FLOAT_BYTES * network.layout.head_bias.start,
            y_rows=memory.y_rows,
            y_position=shape.features,
            d_h=memory.levels[-1].d_out,
            d_h_row=row,
            d_h_position=units,
            scale=self._add_float(1 / (self.batch * shape.positions * shape.outputs)),
            losses=memory.losses,
            batch=self.batch,
            predictions=memory.predictions,
            shared=network.shared,
        )


def _find_direction(layer: LayerShape, lookback: int) -> tuple[int, int]:
    """How a layer goes through the steps, forward (1) or backward (-1), and its first step."""
    return (-1, lookback - 1) if layer.is_reversed else (1, 0)
