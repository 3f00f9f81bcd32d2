"""A recurrent layer over whole sequences, NumPy in and out: the outputs, and the gradients.

Arrays are C-contiguous float32. Weights have Keras's shapes: W `(features, gates x units)`, U `(units, gates x units)`,
the bias `(gates x units,)` or, for a GRU, `(2, gates x units)`.

A batch is cut into slots, each a few groups of rows; a slot has gradients of its own, which are added up in the slots'
order. Up to four threads therefore give the same result to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.kernels.buffers import empty
from grubench.kernels.cells import CELLS, Cell
from grubench.kernels.compiler import Function, Processor, Program, processor, program
from grubench.kernels.emitter import FLOAT_BYTES
from grubench.kernels.packing import GATHER, PACK
from grubench.kernels.partition import plan
from grubench.kernels.threads import team
from grubench.kernels.tile import BACKWARD, FORWARD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

# Slots that a batch is cut into: as many threads give the same sums, in the same order.
SLOTS = 4
# Rows (steps times sequences) that the ring of a way back holds: in the cache beside the weights.
RING_ROWS = 64


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a way forward gives.

    Attributes:
        hs: Every output, `(batch, steps, units)`.
        h: The last, `(batch, units)`.
        c: The last cell state; None where there is none.
        saved: What the way back needs; empty where it was not kept.
    """

    hs: Array
    h: Array
    c: Array | None
    saved: Array


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """The derivatives of a loss by what a layer takes, in the shapes of those; None where not wanted or absent."""

    x: Array | None
    w: Array
    u: Array
    bias: Array
    h0: Array
    c0: Array | None


class Recurrence:
    """A recurrent cell on this processor.

    Args:
        cell: `gru` (with `reset_after`), `gru_before` (without), `lstm` or `rnn`.
        threads: Threads to compute with; 0 for all processors.
        machine: The processor to compile for; this machine's where not given.

    Raises:
        ValueError: This machine's processor lacks what the kernels need.
    """

    def __init__(self, cell: str, threads: int = 0, machine: Processor | None = None) -> None:
        machine = machine or processor()
        if machine is None:
            raise ValueError("The fused kernels need AVX2 or NEON.")
        self.machine = machine
        self.cell: Cell = CELLS[cell]
        self.lanes = machine.lanes
        self.sizes = [tile.rows for tile in machine.tiles(self.cell.gates)]
        self.workers = team(threads)
        self.slots = max(SLOTS, self.workers.count)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The compiled functions, got when first needed."""
        if self._program is None:
            self._program = program(self.cell.name, self.machine)
        return self._program

    def forward(
        self, x: Array, weights: tuple[Array, Array, Array], states: Sequence[Array], *, keep: bool = True
    ) -> Outputs:
        """Run over sequences `(batch, steps, features)` from initial states `(batch, units)`.

        Args:
            x: The inputs.
            weights: W, U and the biases.
            states: The initial output, and the initial cell state of a cell that has one.
            keep: Save what the way back needs.
        """
        w, u, bias = weights
        batch, steps, features = x.shape
        units, width = u.shape[0], self._width(u.shape[0])
        groups = plan(batch, self.slots, self.sizes)
        rows = sum(size for slot in groups for _, size in slot)
        saved = empty((rows, steps, width, self.cell.saved) if keep else (1,))
        hs, h = empty((batch, steps, units)), empty((batch, units))
        c = empty((batch, units)) if self.cell.has_c else None
        table = Table(
            FORWARD,
            batch=batch,
            steps=steps,
            units=units,
            features=features,
            x=x,
            h0=states[0],
            c0=states[1] if self.cell.has_c else None,
            w=self._packed(w, units, self.cell.gates),
            u=self._packed(u, units, len(self.cell.from_state)),
            u_middle=self._packed(u, units, -len(self.cell.from_middle)),
            bias=self._packed_bias(bias, units),
            hs=hs,
            h_last=h,
            c_last=c,
            saved=saved,
            keep=int(keep),
        )
        functions = self.program.forward
        scratch_floats = self.sizes[0] * width * (4 + self.cell.saved)

        def run(slot: int) -> None:
            scratch = empty((scratch_floats,))
            for first, size in groups[slot]:
                functions[size](table.address, first, scratch.ctypes.data, 0)

        self.workers.each(run, len(groups))
        return Outputs(hs=hs, h=h, c=c, saved=saved)

    def backward(
        self,
        x: Array,
        weights: tuple[Array, Array, Array],
        h0: Array,
        outputs: Outputs,
        *,
        d_hs: Array | None,
        d_states: Sequence[Array],
        need_x: bool = True,
    ) -> Gradients:
        """The gradients, from the derivatives by the outputs of `forward`.

        Args:
            x: The inputs.
            weights: W, U and the biases.
            h0: The initial output.
            outputs: What `forward` gave; its `hs` and `saved` are used.
            d_hs: The derivative by every output; None where only the last was used.
            d_states: Those by the last output and, of a cell that has one, the last cell state.
            need_x: Whether the gradient of the inputs is wanted.
        """
        w, u, _ = weights
        batch, steps, features = x.shape
        cell, units, width = self.cell, u.shape[0], self._width(u.shape[0])
        groups = plan(batch, self.slots, self.sizes)
        sizes = (
            width * units * len(cell.from_state),
            width * units * len(cell.from_middle),
            width * features * cell.gates,
            width * cell.sums,
        )
        sums = empty((len(groups), sum(sizes)))
        d_x = empty(x.shape) if need_x else None
        d_h0 = empty((batch, units))
        d_c0 = empty((batch, units)) if cell.has_c else None
        ring = max(1, min(steps, RING_ROWS // self.sizes[0]))
        table = Table(
            BACKWARD,
            batch=batch,
            steps=steps,
            units=units,
            features=features,
            x=x,
            h0=h0,
            hs=outputs.hs,
            saved=outputs.saved,
            u_back=self._packed_across(u, units, len(cell.from_state)),
            u_middle_back=self._packed_across(u, units, -len(cell.from_middle)),
            w_back=self._packed_across(w, units, cell.gates) if need_x else None,
            d_hs=d_hs,
            use_d_hs=int(d_hs is not None),
            d_h_last=d_states[0],
            d_c_last=d_states[1] if cell.has_c else None,
            d_x=d_x,
            need_d_x=int(need_x),
            d_h0=d_h0,
            d_c0=d_c0,
            ring=ring,
        )
        collected = ring * self.sizes[0] * (width * (2 + cell.sums) + self._width(features))
        functions = self.program.backward
        scratch_floats = self.sizes[0] * width * 3 + collected

        def run(slot: int) -> None:
            sums[slot] = 0
            scratch = empty((scratch_floats,))
            for first, size in groups[slot]:
                functions[size](table.address, first, scratch.ctypes.data, sums[slot].ctypes.data)

        self.workers.each(run, len(groups))
        of_u, of_middle, of_w, of_bias = np.cumsum((0, *sizes)).tolist()[:-1]
        d_w, d_u = empty((features, cell.gates * units)), empty((units, cell.gates * units))
        self._gather(sums, of_w, d_w, units, cell.gates)
        self._gather(sums, of_u, d_u, units, len(cell.from_state))
        self._gather(sums, of_middle, d_u, units, -len(cell.from_middle))
        bias = self._unpacked_bias(sums[:, of_bias:], units)
        return Gradients(x=d_x, w=d_w, u=d_u, bias=bias, h0=d_h0, c0=d_c0)

    def _width(self, units: int) -> int:
        """Units in whole vectors."""
        return -(-units // self.lanes) * self.lanes

    def _packed(self, matrix: Array, units: int, gates: int) -> Array | None:
        """Gates of a matrix `(inner, gates x units)` as `(block, inner, gate, lane)`, 0 behind the units."""
        shape = (self._width(units), len(matrix), abs(gates))
        return self._run(self.program.pack, matrix, shape, units, gates)

    def _packed_across(self, matrix: Array, units: int, gates: int) -> Array | None:
        """Gates of a matrix `(inner, gates x units)` as `(block of inner, gates x units, lane)`, 0 behind the inner."""
        shape = (self._width(len(matrix)), abs(gates), units)
        return self._run(self.program.pack_across, matrix, shape, units, gates)

    @staticmethod
    def _run(function: Function, matrix: Array, shape: tuple[int, ...], units: int, gates: int) -> Array | None:
        """Pack the first gates of a matrix, the last where their number is negative; None for none of them."""
        if not gates:
            return None
        _check(matrix)
        packed = empty(shape)
        table = Table(PACK, source=_first(matrix, units, gates), target=packed, **_sides(matrix, units, gates))
        function(table.address, 0, 0, 0)
        return packed

    def _gather(self, sums: Array, start: int, matrix: Array, units: int, gates: int) -> None:
        """Add up the slots' gradients `(slot, ...)` from a place on into the first (or last) gates of a matrix."""
        if not gates:
            return
        table = Table(
            GATHER,
            source=sums.ctypes.data + FLOAT_BYTES * start,
            target=_first(matrix, units, gates),
            slots=len(sums),
            stride=sums.shape[1],
            **_sides(matrix, units, gates),
        )
        self.program.gather(table.address, 0, 0, 0)

    def _packed_bias(self, bias: Array, units: int) -> Array:
        """The biases of each sum as `(block, sum, lane)`; those of x W and of h U of a GRU's z and r are one."""
        cell, width = self.cell, self._width(units)
        sums = np.zeros((cell.sums, width), np.float32)
        for part, gates in zip(bias.reshape(-1, cell.gates, units), (cell.from_input, cell.from_state), strict=False):
            for row, gate in zip(part, gates, strict=True):
                sums[gate, :units] += row
        return np.ascontiguousarray(sums.reshape(cell.sums, -1, self.lanes).transpose(1, 0, 2))

    def _unpacked_bias(self, packed: Array, units: int) -> Array:
        """The slots' gradients of the biases, added up: `(2, gates x units)` for a cell with two biases a gate."""
        cell = self.cell
        total = packed[0]
        for other in packed[1:]:
            total = total + other
        sums = total.reshape(-1, cell.sums, self.lanes).transpose(1, 0, 2).reshape(cell.sums, -1)[:, :units]
        if cell.biases == 1:
            return np.ascontiguousarray(sums).reshape(-1)
        return np.stack([sums[list(cell.from_input)].reshape(-1), sums[list(cell.from_state)].reshape(-1)])


def _first(matrix: Array, units: int, gates: int) -> int:
    """The address of the first of a matrix's first gates, or of its last where their number is negative."""
    return int(matrix.ctypes.data) + FLOAT_BYTES * (matrix.shape[1] + gates * units if gates < 0 else 0)


def _sides(matrix: Array, units: int, gates: int) -> dict[str, int]:
    """The sizes of some gates of a matrix, as the tables of packing have them."""
    inner, row = matrix.shape
    return {"inner": inner, "gates": abs(gates), "units": units, "row": row}


class Table:
    """The whole numbers and addresses that a function takes; it holds the arrays while they are used."""

    def __init__(self, names: tuple[str, ...], **entries: int | Array | None) -> None:
        self._arrays = entries
        self._words = np.array([_word(entries.get(name)) for name in names], np.int64)
        self.address = self._words.ctypes.data


# What an absent array points to: a masked load of nothing still looks at its address.
_NOTHING = np.zeros(64, np.float32)


def _word(entry: int | Array | None) -> int:
    if isinstance(entry, int):
        return entry
    array = _NOTHING if entry is None else entry
    _check(array)
    return int(array.ctypes.data)


def _check(array: Array) -> None:
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError("The kernels take C-contiguous arrays of float32.")
