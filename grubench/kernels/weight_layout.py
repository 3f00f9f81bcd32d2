"""Weights in the kernels' layout and gradients back in Keras's, NumPy in and out.

Keras has W `(features, gates x units)`, U `(units, gates x units)` and biases `(gates x units,)` or, for a GRU with
`reset_after`, `(2, gates x units)`. The layout of the kernels is that of `packing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.arguments import PACK, SUM_PARTS, ArgumentTable, check_array
from grubench.kernels.buffers import empty
from grubench.kernels.emitter import FLOAT_BYTES

if TYPE_CHECKING:
    from grubench.kernels.arguments import Array
    from grubench.kernels.cells import Cell
    from grubench.kernels.compiler import Function, Program


@dataclass(frozen=True, kw_only=True)
class GateRange:
    """Neighboring gates of a weight matrix.

    Attributes:
        first: The first gate.
        count: How many gates.
    """

    first: int
    count: int


@dataclass(frozen=True, kw_only=True)
class WeightLayout:
    """Packs weights for the kernels and unpacks their gradients.

    Attributes:
        cell: The cell.
        program: The cell's compiled functions.
        units: The layer's units.
        lanes: Floats in a vector register.
    """

    cell: Cell
    program: Program
    units: int
    lanes: int

    @property
    def w_gates(self) -> GateRange:
        """The gates of W: all."""
        return GateRange(first=0, count=self.cell.gates)

    @property
    def u_gates(self) -> GateRange:
        """The gates of U that multiply the hidden state: the first ones."""
        return GateRange(first=0, count=len(self.cell.from_state))

    @property
    def u_reset_gates(self) -> GateRange:
        """The gates of U that multiply the reset state: the last ones."""
        count = len(self.cell.from_reset_state)
        return GateRange(first=self.cell.gates - count, count=count)

    def pad(self, size: int) -> int:
        """Round a number of units or features up to whole vectors."""
        return -(-size // self.lanes) * self.lanes

    def pack(self, matrix: Array, gates: GateRange) -> Array | None:
        """Gates of a matrix `(inner, gates x units)` as `(block, inner, gate, lane)`; None where there is no gate."""
        return self._pack(self.program.pack, matrix, (self.pad(self.units), len(matrix), gates.count), gates)

    def pack_transposed(self, matrix: Array, gates: GateRange) -> Array | None:
        """Gates of a matrix `(inner, gates x units)` as `(block of inner, gates x units, lane)`; None for no gate."""
        shape = (self.pad(len(matrix)), gates.count, self.units)
        return self._pack(self.program.pack_transposed, matrix, shape, gates)

    def _pack(self, function: Function, matrix: Array, shape: tuple[int, ...], gates: GateRange) -> Array | None:
        if not gates.count:
            return None
        check_array(matrix)
        packed = empty(shape)
        table = ArgumentTable(
            PACK, source=self._gate_address(matrix, gates), target=packed, **self._sizes(matrix, gates)
        )
        function(table.address, 0, 0, 0)
        return packed

    def sum_parts(self, partial: Array, start: int, matrix: Array, gates: GateRange) -> None:
        """Sum the gradients of the parts of a batch into gates of a matrix `(inner, gates x units)`.

        Args:
            partial: The gradients of each part, `(part, ...)`, in the kernels' layout.
            start: Where the matrix's gradients begin in each.
            matrix: The matrix to write.
            gates: Its gates to write.
        """
        if not gates.count:
            return
        table = ArgumentTable(
            SUM_PARTS,
            source=partial.ctypes.data + FLOAT_BYTES * start,
            target=self._gate_address(matrix, gates),
            parts=len(partial),
            stride=partial.shape[1],
            **self._sizes(matrix, gates),
        )
        self.program.sum_parts(table.address, 0, 0, 0)

    def pack_bias(self, bias: Array) -> Array:
        """The bias of each pre-activation as `(block, pre-activation, lane)`.

        A GRU's z and r have one pre-activation each for x W and h U: their two biases are added.
        """
        cell = self.cell
        sums = np.zeros((cell.pre_activation_count, self.pad(self.units)), np.float32)
        targets = (cell.from_input, cell.from_state)
        for biases, positions in zip(bias.reshape(-1, cell.gates, self.units), targets, strict=False):
            for gate_bias, position in zip(biases, positions, strict=True):
                sums[position, : self.units] += gate_bias
        return np.ascontiguousarray(sums.reshape(cell.pre_activation_count, -1, self.lanes).transpose(1, 0, 2))

    def unpack_bias(self, partial: Array) -> Array:
        """The sum of the parts' bias gradients, in Keras's shape.

        Args:
            partial: The gradients of each part, `(part, block x pre-activation x lane)`.
        """
        count = self.cell.pre_activation_count
        total = partial[0]
        for gradients in partial[1:]:
            total = total + gradients
        padded = total.reshape(-1, count, self.lanes).transpose(1, 0, 2).reshape(count, -1)
        d_pre = padded[:, : self.units]
        if self.cell.biases_per_gate == 1:
            return np.ascontiguousarray(d_pre).reshape(-1)
        return np.stack([d_pre[list(self.cell.from_input)].reshape(-1), d_pre[list(self.cell.from_state)].reshape(-1)])

    def _gate_address(self, matrix: Array, gates: GateRange) -> int:
        """The address of the first of a matrix's gates."""
        return int(matrix.ctypes.data) + FLOAT_BYTES * gates.first * self.units

    def _sizes(self, matrix: Array, gates: GateRange) -> dict[str, int]:
        """The sizes of some gates of a matrix, as the argument tables have them."""
        inner, row = matrix.shape
        return {"inner": inner, "gates": gates.count, "units": self.units, "row": row}
