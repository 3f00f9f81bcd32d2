"""All weights of a network in one array of floats, in the kernels' layout, and back in Keras's.

The weights of a layer lie one after the other: the gates of U that multiply the hidden state, those that multiply the
reset state, W, and the biases of the pre-activations; a matrix as `(block, inner, gate, lane)`. The head's are
`(output, padded unit)` and `(output,)`. Keras's own biases of the layers, two of which may add to one pre-activation,
follow at the end. The gradients, and what the optimizer keeps, have the same layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.cells import CELLS, Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.kernels.arguments import Array

# Every variable begins at a multiple of this: the longest vector.
ALIGNMENT = 16


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """A recurrent layer.

    Attributes:
        cell: Its name in `CELLS`.
        features: Inputs a step.
        units: Units.
        is_reversed: Whether it goes from the last step to the first.
    """

    cell: str
    features: int
    units: int
    is_reversed: bool = False


@dataclass(frozen=True, kw_only=True)
class LevelShape:
    """The layers that read the same input, whose outputs are joined: one, or one for each direction.

    Attributes:
        layers: The layers.
        dropout: The rate of the dropout after them.
    """

    layers: tuple[LayerShape, ...]
    dropout: float = 0.0

    @property
    def width(self) -> int:
        """The outputs of a step."""
        return sum(layer.units for layer in self.layers)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A range of the array.

    Attributes:
        start: The first float.
        stop: The one after the last.
    """

    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class LayerSpans:
    """Where the weights of a layer lie.

    Attributes:
        u: All gates of U.
        u_reset: Those of them that multiply the reset state; empty where none does.
        w: W.
        packed_bias: The biases of the pre-activations.
        bias: Keras's biases.
    """

    u: Span
    u_reset: Span
    w: Span
    packed_bias: Span
    bias: Span


class FlatWeights:
    """The layout of a network's weights.

    Args:
        levels: The layers.
        outputs: The outputs of the head.
        lanes: Floats in a vector.
    """

    def __init__(self, levels: Sequence[LevelShape], outputs: int, lanes: int) -> None:
        self.layers = tuple(layer for level in levels for layer in level.layers)
        self.top, self.outputs, self.lanes = levels[-1].width, outputs, lanes
        self._size = 0
        packed = [self._place_layer(layer) for layer in self.layers]
        head_floats = outputs * self.pad(self.top)
        head = self._add(head_floats + outputs)
        self.head_w = Span(start=head.start, stop=head.start + head_floats)
        self.head_bias = Span(start=self.head_w.stop, stop=head.stop)
        # So much is computed by the passes; what follows is copied from it.
        self.packed_size = self._size
        self.spans = [
            LayerSpans(u=u, u_reset=u_reset, w=w, packed_bias=bias, bias=self._add(_bias_count(layer)))
            for layer, (u, u_reset, w, bias) in zip(self.layers, packed, strict=True)
        ]
        self.size = self._size

    def pad(self, size: int) -> int:
        """A number of units, rounded up to whole vectors."""
        return -(-size // self.lanes) * self.lanes

    def _add(self, size: int) -> Span:
        start = self._size
        self._size += -(-size // ALIGNMENT) * ALIGNMENT
        return Span(start=start, stop=start + size)

    def _place_layer(self, layer: LayerShape) -> tuple[Span, Span, Span, Span]:
        cell, padded = CELLS[layer.cell], self.pad(layer.units)
        # The gradients of a layer are one array: nothing may lie between its parts.
        sizes = (
            padded * layer.units * len(cell.from_state),
            padded * layer.units * len(cell.from_reset_state),
            padded * layer.features * cell.gates,
            padded * cell.pre_activation_count,
        )
        whole = self._add(sum(sizes))
        ends = (whole.start + np.cumsum(sizes)).tolist()
        starts = [whole.start, *ends[:-1]]
        state, reset, w, bias = (Span(start=a, stop=b) for a, b in zip(starts, ends, strict=True))
        return Span(start=state.start, stop=reset.stop), reset, w, bias

    def list_variables(self) -> list[Span]:
        """Where each of Keras's variables lies, in Keras's order."""
        spans = [span for layer in self.spans for span in (layer.w, layer.u, layer.bias)]
        return [*spans, self.head_w, self.head_bias]

    def pack(self, variables: Sequence[Array], target: Array) -> None:
        """Write Keras's variables into an array of `size` floats; the padding becomes 0."""
        target[:] = 0
        values = list(variables)
        for layer, spans in zip(self.layers, self.spans, strict=True):
            w, u, bias = (values.pop(0) for _ in range(3))
            cell, split = CELLS[layer.cell], layer.units * len(CELLS[layer.cell].from_state)
            target[spans.w.start : spans.w.stop] = self._pack_matrix(w, layer.units)
            target[spans.u.start : spans.u_reset.start] = self._pack_matrix(u[:, :split], layer.units)
            if cell.from_reset_state:
                target[spans.u_reset.start : spans.u_reset.stop] = self._pack_matrix(u[:, split:], layer.units)
            target[spans.bias.start : spans.bias.stop] = bias.reshape(-1)
        w, bias = values
        rows = target[self.head_w.start : self.head_w.stop].reshape(self.outputs, -1)
        rows[:, : len(w)] = w.T
        target[self.head_bias.start : self.head_bias.stop] = bias

    def unpack(self, source: Array) -> list[Array]:
        """Keras's variables from such an array."""
        variables: list[Array] = []
        for layer, spans in zip(self.layers, self.spans, strict=True):
            cell = CELLS[layer.cell]
            variables.append(self._unpack_matrix(source[spans.w.start : spans.w.stop], layer.units, cell.gates))
            state = source[spans.u.start : spans.u_reset.start]
            parts = [self._unpack_matrix(state, layer.units, len(cell.from_state))]
            if cell.from_reset_state:
                reset = source[spans.u_reset.start : spans.u_reset.stop]
                parts.append(self._unpack_matrix(reset, layer.units, len(cell.from_reset_state)))
            variables.append(np.concatenate(parts, axis=1))
            bias = source[spans.bias.start : spans.bias.stop].copy()
            variables.append(bias.reshape(2, -1) if cell.biases_per_gate > 1 else bias)
        rows = source[self.head_w.start : self.head_w.stop].reshape(self.outputs, -1)
        w = np.ascontiguousarray(rows[:, : self.top].T)
        return [*variables, w, source[self.head_bias.start : self.head_bias.stop].copy()]

    def _pack_matrix(self, matrix: Array, units: int) -> Array:
        """A matrix `(inner, gates x units)` as `(block, inner, gate, lane)`, flat."""
        inner, gates = len(matrix), matrix.shape[1] // units
        padded = np.zeros((inner, gates, self.pad(units)), np.float32)
        padded[:, :, :units] = matrix.reshape(inner, gates, units)
        return padded.reshape(inner, gates, -1, self.lanes).transpose(2, 0, 1, 3).reshape(-1)

    def _unpack_matrix(self, flat: Array, units: int, gates: int) -> Array:
        blocks = flat.reshape(self.pad(units) // self.lanes, -1, gates, self.lanes)
        matrix = blocks.transpose(1, 2, 0, 3).reshape(blocks.shape[1], gates, -1)[:, :, :units]
        return np.ascontiguousarray(matrix.reshape(len(matrix), -1))


def _bias_count(layer: LayerShape) -> int:
    cell: Cell = CELLS[layer.cell]
    return cell.biases_per_gate * cell.gates * layer.units
