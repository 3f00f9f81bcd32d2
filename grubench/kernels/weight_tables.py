"""The argument tables of what is done to a network's weights: second layouts, sums of gradients, clipping, update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.arguments import BIAS, PARTS, TRANSPOSE, TableMaker
from grubench.kernels.cells import CELLS
from grubench.kernels.integer_emitter import FLOAT_BYTES
from grubench.kernels.step_parts import CLIP, UPDATE

if TYPE_CHECKING:
    from grubench.kernels.batch_memory import BatchMemory
    from grubench.kernels.flat_weights import Span
    from grubench.kernels.network import Network


class WeightTables(TableMaker):
    """Makes the tables of a network's weights.

    Args:
        network: The network.
        memory: Its memory.
    """

    def __init__(self, network: Network, memory: BatchMemory) -> None:
        super().__init__()
        self.network, self.memory = network, memory
        self.weights, self.gradients = network.weights.ctypes.data, network.gradients.ctypes.data

    def make_sums(self) -> int:
        """The table of the sums of the parts' gradients."""
        partial = self.memory.partial
        stride = self.network.layout.packed_size
        return self._add(PARTS, gradients=partial, sums=self.network.gradients, parts=len(partial), stride=stride)

    def make_update(self, scale: int) -> int:
        """The table of the update of a variable, whose gradients are multiplied by the number at an address."""
        network = self.network
        slots = dict(zip(("slot0", "slot1"), network.slots, strict=False))
        return self._add(
            UPDATE,
            weights=network.weights,
            gradients=network.gradients,
            slot0=slots.get("slot0"),
            slot1=slots.get("slot1"),
            scalars=self.memory.scalars,
            scalar_count=self.memory.scalars.shape[1],
            clip_scale=scale,
            clip_value=self._add_float(network.shape.clipvalue or np.inf),
            shared=network.shared,
        )

    def make_scale(self) -> int:
        """The address of what a variable's gradients are multiplied by: 1, where they are not clipped."""
        return self._add_float(1)

    def make_clip(self, span: Span, scale: int) -> int:
        """The table of the clipping of a variable, which writes what its gradients are multiplied by."""
        return self._add(
            CLIP,
            gradients=self.gradients + FLOAT_BYTES * span.start,
            count=span.stop - span.start,
            limit=self._add_float(self.network.shape.clipnorm),
            target=scale,
        )

    def make_bias(self, number: int, *, of_gradients: bool = False) -> int:
        """The table of a layer's biases, or of their gradients, in Keras's layout and by pre-activation."""
        base, spans = self.gradients if of_gradients else self.weights, self.network.layout.spans[number]
        return self._add(
            BIAS,
            bias=base + FLOAT_BYTES * spans.bias.start,
            packed=base + FLOAT_BYTES * spans.packed_bias.start,
            units=self.network.shape.layers[number].units,
        )

    def make_transposes(self, number: int) -> list[int]:
        """The tables by which a layer's matrices are transposed, as its backward pass needs them."""
        shape, spans, own = self.network.shape, self.network.layout.spans[number], self.memory.layers[number]
        layer, is_first = shape.layers[number], number < len(shape.levels[0].layers)
        cell = CELLS[layer.cell]
        matrices = [
            (spans.u, own.u_transposed, layer.units, len(cell.from_state)),
            (spans.u_reset, own.u_reset_transposed, layer.units, len(cell.from_reset_state)),
            (spans.w, own.w_transposed, layer.features, 0 if is_first else cell.gates),
        ]
        return [
            self._add(
                TRANSPOSE,
                source=self.weights + FLOAT_BYTES * span.start,
                target=target,
                inner=inner,
                gates=gates,
                units=layer.units,
            )
            for span, target, inner, gates in matrices
            if gates
        ]
