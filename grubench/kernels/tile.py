"""The group of rows (sequences) that an emitted function computes: its sizes, array addresses and masks.

Units are divided into blocks of one SIMD vector; arrays with units in them are padded to whole blocks. Rows after the
end of the batch are computed from the last row's inputs, and never written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.cells import Cell
from grubench.kernels.emitter import Emitter
from grubench.kernels.integer_emitter import Int

# The floats of a cache line. Rows of the ring buffer begin one more apart than they are long: rows of a power of two,
# which many layers have, would all fall on the same few places of the cache.
LINE = 16


@dataclass(frozen=True, kw_only=True)
class Tile:
    """How much of a matrix product is held in registers.

    Attributes:
        rows: Sequences of a group.
        gates: Gates at a time, in the forward pass.
        columns: Blocks of units, in products with transposed weights.
        inner: Features or units at a time, in the weight gradients.
    """

    rows: int
    gates: int
    columns: int
    inner: int


class RowGroup:
    """The rows and sizes that a function works on, while it is emitted.

    Args:
        emit: The emitter.
        cell: The cell.
        tile: The tile; its rows are the group's.
        names: The names of the argument table's entries.
        table: The argument table's address.
        first_row: The batch index of the group's first row.
    """

    def __init__(
        self, emit: Emitter, cell: Cell, tile: Tile, *, names: Sequence[str], table: Int, first_row: Int
    ) -> None:
        self.emit, self.cell, self.tile, self.rows, self.first_row = emit, cell, tile, tile.rows, first_row
        self.arguments = emit.load_table(names, table)
        self.units, self.steps = self.arguments["units"], self.arguments["steps"]
        self.features = self.arguments["features"]
        self.blocks = emit.count_blocks(self.units)
        self.padded_units = emit.mul(self.blocks, emit.lanes)
        self.ring_row = emit.add(self.padded_units, LINE)
        self.d_pre_row = emit.add(emit.mul(self.padded_units, cell.pre_activation_count), LINE)
        batch = self.arguments["batch"]
        indices = [emit.add(first_row, row) for row in range(tile.rows)]
        self.batch_index = [emit.minimum(index, emit.sub(batch, 1)) for index in indices]
        self.in_batch = [emit.is_less(index, batch) for index in indices]
        self.x_rows = [
            emit.load_i64(emit.add(self.arguments["x_rows"], emit.mul(index, 8)), 0) for index in self.batch_index
        ]

    def x_address(self, row: int, t: Int) -> Any:
        """The address of a row's inputs at a step."""
        return self.emit.address(self.x_rows[row], self.emit.mul(t, self.arguments["x_step"]))

    def step_address(self, name: str, row: int, t: Int) -> Any:
        """The address of a row's vector at a step, of an array with `name_row` and `name_step` floats between them."""
        return self.emit.address(self.row_address(name, row), self.emit.mul(t, self.arguments[f"{name}_step"]))

    def row_address(self, name: str, row: int) -> Any:
        """The address of a row of an array with `name_row` floats between its rows."""
        stride = self.arguments[f"{name}_row"]
        return self.emit.address(self.arguments[name], self.emit.mul(self.batch_index[row], stride))

    def write_mask(self, row: int, start: Int, width: Int | None = None) -> Any:
        """The lanes of a block that may be written: none for a row after the end of the batch.

        Args:
            row: The row.
            start: The block's first element.
            width: The elements of a row; None for the units.
        """
        emit = self.emit
        limit = emit.select(self.in_batch[row], self.units if width is None else width, 0)
        return emit.mask_first(emit.sub(limit, start))

    def loop_over_blocks(self, body: Callable[[Any, Any], None]) -> None:
        """Emit a loop over the blocks of units: `body(block, its first unit)`."""

        def iterate(block: Any, _: list[Any]) -> None:
            body(block, self.emit.mul(block, self.emit.lanes))

        self.emit.loop(self.blocks, [], iterate)

    def clear(self, target: Int) -> None:
        """Emit the writing of zeros into scratch, `(row, padded unit)`."""
        emit = self.emit
        count = emit.mul(self.padded_units, self.rows)
        emit.loop(count, [], lambda offset, _: emit.store(emit.constant(0), target, offset), step=emit.lanes)

    def copy_in(self, name: str, target: Int) -> None:
        """Emit the copy of the group's rows of an array into scratch, `(row, padded unit)`.

        The padding, and rows after the end of the batch, become 0.
        """
        emit = self.emit

        def copy_block(_: Any, start: Any) -> None:
            for row in range(self.rows):
                vec = emit.load_masked(self.write_mask(row, start), self.row_address(name, row), start)
                emit.store(vec, target, emit.add(emit.mul(self.padded_units, row), start))

        self.loop_over_blocks(copy_block)

    def copy_out(self, source: Int, name: str) -> None:
        """Emit the copy of scratch, `(row, padded unit)`, into the group's rows of an array."""
        emit = self.emit

        def copy_block(_: Any, start: Any) -> None:
            for row in range(self.rows):
                vec = emit.load(source, emit.add(emit.mul(self.padded_units, row), start))
                emit.store_masked(self.write_mask(row, start), vec, self.row_address(name, row), start)

        self.loop_over_blocks(copy_block)
