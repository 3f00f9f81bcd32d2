"""The group of rows (sequences) that an emitted function computes: its sizes, array addresses and masks.

Units are divided into blocks of one SIMD vector; arrays with units in them are padded to whole blocks. Rows after the
end of the batch are computed from the last row's inputs, and never written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.cells import Cell
from grubench.kernels.emitter import Emitter, Int


@dataclass(frozen=True, kw_only=True)
class Tile:
    """How much of a matrix product is held in registers.

    Attributes:
        rows: Sequences of a group.
        columns: Blocks of units, in products with transposed weights.
        inner: Features or units at a time, in the weight gradients.
    """

    rows: int
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
        self.arguments = {name: emit.load_i64(table, position) for position, name in enumerate(names)}
        self.units, self.steps = self.arguments["units"], self.arguments["steps"]
        self.features = self.arguments["features"]
        self.blocks = emit.count_blocks(self.units)
        self.padded_units = emit.mul(self.blocks, emit.lanes)
        batch = self.arguments["batch"]
        indices = [emit.add(first_row, row) for row in range(tile.rows)]
        self.batch_index = [emit.minimum(index, emit.sub(batch, 1)) for index in indices]
        self.in_batch = [emit.is_less(index, batch) for index in indices]

    def row_address(self, name: str, row: int, stride: Int) -> Any:
        """The address of a row of an array whose rows begin `stride` floats apart."""
        return self.emit.address(self.arguments[name], self.emit.mul(self.batch_index[row], stride))

    def unit_mask(self, start: Int) -> Any:
        """The lanes that hold units, of the block that begins at unit `start`."""
        return self.emit.mask_first(self.emit.sub(self.units, start))

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

    def copy_in(self, name: str, target: Int, *, only_in_batch: bool = False) -> None:
        """Emit the copy of the group's rows of a `(batch, units)` array into scratch, `(row, padded unit)`.

        Args:
            name: The array.
            target: The address in scratch; the padding becomes 0.
            only_in_batch: Rows after the end of the batch become 0; else they are copies of the last row.
        """
        emit = self.emit

        def copy_block(_: Any, start: Any) -> None:
            for row in range(self.rows):
                mask = self.write_mask(row, start) if only_in_batch else self.unit_mask(start)
                vec = emit.load_masked(mask, self.row_address(name, row, self.units), start)
                emit.store(vec, target, emit.add(emit.mul(self.padded_units, row), start))

        self.loop_over_blocks(copy_block)

    def copy_out(self, source: Int, name: str) -> None:
        """Emit the copy of scratch, `(row, padded unit)`, into the group's rows of a `(batch, units)` array."""
        emit = self.emit

        def copy_block(_: Any, start: Any) -> None:
            for row in range(self.rows):
                vec = emit.load(source, emit.add(emit.mul(self.padded_units, row), start))
                emit.store_masked(self.write_mask(row, start), vec, self.row_address(name, row, self.units), start)

        self.loop_over_blocks(copy_block)
