"""The forward and backward pass of a recurrent layer over whole sequences, NumPy in and out.

Arrays are C-contiguous float32. Weights have Keras's shapes: W `(features, gates x units)`, U `(units, gates x units)`,
the biases `(gates x units,)` or, for a GRU with `reset_after`, `(2, gates x units)`.

A batch is divided into parts of a few groups of rows each; a part has weight gradients of its own, which are summed in
the parts' order. Up to four threads therefore give the same result bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.arguments import BACKWARD, FORWARD, ArgumentTable
from grubench.kernels.buffers import empty
from grubench.kernels.cells import CELLS, Cell
from grubench.kernels.compiler import Function, Program, load_program
from grubench.kernels.partition import partition_batch
from grubench.kernels.processor import Processor, detect_processor
from grubench.kernels.threads import get_pool
from grubench.kernels.weight_layout import WeightLayout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.kernels.arguments import Array

    Weights = tuple[Array, Array, Array]

# The parts of a batch, at least: up to as many threads sum the same gradients in the same order.
PARTS = 4
# Rows (steps x sequences) that the ring buffer of a backward pass holds: it stays in the cache beside the weights.
RING_ROWS = 64


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The result of a forward pass.

    Attributes:
        hs: The hidden state of every step, `(batch, steps, units)`.
        h: The last hidden state, `(batch, units)`.
        c: The last cell state, `(batch, units)`; None for a cell without it.
        saved: What the backward pass needs; without content where it was not saved.
    """

    hs: Array
    h: Array
    c: Array | None
    saved: Array


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """The gradients of a layer's inputs, weights and initial states, in their shapes; None where there is none."""

    x: Array | None
    w: Array
    u: Array
    bias: Array
    h0: Array
    c0: Array | None


class Recurrence:
    """A recurrent cell on this processor.

    Args:
        cell: `gru` (with `reset_after`), `gru_reset_before` (without), `lstm` or `rnn`.
        threads: Threads to compute with; 0 for all cores.
        processor: The processor to compile for; None for this machine's.

    Raises:
        ValueError: This machine's processor lacks the vector instructions that the kernels need.
    """

    def __init__(self, cell: str, threads: int = 0, processor: Processor | None = None) -> None:
        processor = processor or detect_processor()
        if processor is None:
            raise ValueError("The fused kernels need AVX2 or NEON.")
        self.processor = processor
        self.cell: Cell = CELLS[cell]
        self.group_sizes = [tile.rows for tile in processor.tiles(self.cell.gates)]
        self.pool = get_pool(threads)
        self.parts = max(PARTS, self.pool.threads)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The compiled functions, loaded on first use."""
        if self._program is None:
            self._program = load_program(self.cell.name, self.processor)
        return self._program

    def forward(
        self, x: Array, weights: Weights, states: Sequence[Array], *, save_for_backward: bool = True
    ) -> Outputs:
        """Run the forward pass.

        Args:
            x: The inputs, `(batch, steps, features)`.
            weights: W, U and the biases.
            states: The initial hidden state and, of a cell that has it, the initial cell state, `(batch, units)`.
            save_for_backward: Save what the backward pass needs.
        """
        w, u, bias = weights
        cell, batch, steps, units = self.cell, *x.shape[:2], len(u)
        layout = self._layout(units)
        partition = partition_batch(batch, self.parts, self.group_sizes)
        rows = sum(size for groups in partition for _, size in groups)
        saved_shape = (rows, steps, layout.pad(units), cell.saved_count) if save_for_backward else (1,)
        outputs = Outputs(
            hs=empty((batch, steps, units)),
            h=empty((batch, units)),
            c=empty((batch, units)) if cell.has_cell_state else None,
            saved=empty(saved_shape),
        )
        table = ArgumentTable(
            FORWARD,
            **_sizes(x, units),
            x=x,
            h0=states[0],
            c0=states[1] if cell.has_cell_state else None,
            w=layout.pack(w, layout.w_gates),
            u=layout.pack(u, layout.u_gates),
            u_reset=layout.pack(u, layout.u_reset_gates),
            bias=layout.pack_bias(bias),
            hs=outputs.hs,
            h_last=outputs.h,
            c_last=outputs.c,
            saved=outputs.saved,
            save=int(save_for_backward),
        )
        scratch_floats = self.group_sizes[0] * layout.pad(units) * (4 + cell.saved_count)
        self._run(self.program.forward, table, partition, scratch_floats)
        return outputs

    def backward(
        self,
        x: Array,
        weights: Weights,
        h0: Array,
        outputs: Outputs,
        *,
        d_hs: Array | None,
        d_states: Sequence[Array],
        need_d_x: bool = True,
    ) -> Gradients:
        """Run the backward pass, from the gradients of the outputs of `forward`.

        Args:
            x: The inputs, `(batch, steps, features)`.
            weights: W, U and the biases.
            h0: The initial hidden state, `(batch, units)`.
            outputs: The result of `forward`; its `hs` and `saved` are used.
            d_hs: The gradient of the hidden state of every step; None where only the last was used.
            d_states: The gradients of the last hidden state and, of a cell that has it, the last cell state.
            need_d_x: Whether the gradient of the inputs is needed.
        """
        w, u, _ = weights
        cell, batch, units, features = self.cell, len(x), len(u), x.shape[2]
        layout = self._layout(units)
        partition = partition_batch(batch, self.parts, self.group_sizes)
        partial = empty((len(partition), sum(self._gradient_sizes(layout, features))))
        ring_steps = max(1, min(x.shape[1], RING_ROWS // self.group_sizes[0]))
        d_x = empty(x.shape) if need_d_x else None
        d_h0 = empty((batch, units))
        d_c0 = empty((batch, units)) if cell.has_cell_state else None
        table = ArgumentTable(
            BACKWARD,
            **_sizes(x, units),
            x=x,
            h0=h0,
            hs=outputs.hs,
            saved=outputs.saved,
            u_transposed=layout.pack_transposed(u, layout.u_gates),
            u_reset_transposed=layout.pack_transposed(u, layout.u_reset_gates),
            w_transposed=layout.pack_transposed(w, layout.w_gates) if need_d_x else None,
            d_hs=d_hs,
            use_d_hs=int(d_hs is not None),
            d_h_last=d_states[0],
            d_c_last=d_states[1] if cell.has_cell_state else None,
            d_x=d_x,
            need_d_x=int(need_d_x),
            d_h0=d_h0,
            d_c0=d_c0,
            ring_steps=ring_steps,
        )
        self._run(
            self.program.backward, table, partition, self._backward_scratch(layout, features, ring_steps), partial
        )
        d_w, d_u, d_bias = self._sum_gradients(layout, partial, features)
        return Gradients(x=d_x, w=d_w, u=d_u, bias=d_bias, h0=d_h0, c0=d_c0)

    def _layout(self, units: int) -> WeightLayout:
        return WeightLayout(cell=self.cell, program=self.program, units=units, lanes=self.processor.lanes)

    def _run(
        self,
        functions: dict[int, Function],
        table: ArgumentTable,
        partition: list[list[tuple[int, int]]],
        scratch_floats: int,
        partial: Array | None = None,
    ) -> None:
        """Run a function, by rows, on the groups of each part; a part has scratch memory and gradients of its own."""

        def run_part(part: int) -> None:
            scratch = empty((scratch_floats,))
            gradients = 0
            if partial is not None:
                partial[part] = 0
                gradients = partial[part].ctypes.data
            for first_row, rows in partition[part]:
                functions[rows](table.address, first_row, scratch.ctypes.data, gradients)

        self.pool.run(run_part, len(partition))

    def _backward_scratch(self, layout: WeightLayout, features: int, ring_steps: int) -> int:
        """The floats of scratch memory that the backward pass of the largest group needs."""
        rows, padded_units = self.group_sizes[0], layout.pad(layout.units)
        ring_floats = padded_units * (2 + self.cell.pre_activation_count) + layout.pad(features)
        return rows * padded_units * 3 + ring_steps * rows * ring_floats

    def _gradient_sizes(self, layout: WeightLayout, features: int) -> tuple[int, int, int, int]:
        """The floats of a part's gradients: of U (by the hidden state, by the reset state), of W and of the biases."""
        cell, units, padded_units = self.cell, layout.units, layout.pad(layout.units)
        return (
            padded_units * units * len(cell.from_state),
            padded_units * units * len(cell.from_reset_state),
            padded_units * features * cell.gates,
            padded_units * cell.pre_activation_count,
        )

    def _sum_gradients(self, layout: WeightLayout, partial: Array, features: int) -> Weights:
        """The gradients of W, U and the biases in Keras's shapes, summed over the parts of the batch."""
        columns = self.cell.gates * layout.units
        u_start = 0
        u_reset_start, w_start, bias_start, _ = np.cumsum(self._gradient_sizes(layout, features)).tolist()
        d_w, d_u = empty((features, columns)), empty((layout.units, columns))
        layout.sum_parts(partial, w_start, d_w, layout.w_gates)
        layout.sum_parts(partial, u_start, d_u, layout.u_gates)
        layout.sum_parts(partial, u_reset_start, d_u, layout.u_reset_gates)
        return d_w, d_u, layout.unpack_bias(partial[:, bias_start:])


def _sizes(x: Array, units: int) -> dict[str, int]:
    """The sizes of a layer and its inputs, as the argument tables have them."""
    batch, steps, features = x.shape
    return {"batch": batch, "steps": steps, "units": units, "features": features}
