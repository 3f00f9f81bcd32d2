"""A group of sequences while a function is emitted for it: its sizes, its addresses, and the tables they come from.

Units stand in blocks of one vector; what belongs to units is padded to whole blocks. Rows past the end of the batch are
computed like the last one and never written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.cells import Cell
from grubench.kernels.emitter import Emitter, Int

# What stands in the tables of whole numbers and addresses that the functions take, in this order.
FORWARD = (
    "batch",
    "steps",
    "units",
    "features",
    "x",  # (batch, steps, features)
    "h0",  # (batch, units)
    "c0",
    "w",  # (block, features, gate, lane)
    "u",  # (block, units, gate, lane), the gates that multiply the state
    "u_middle",  # the same of those that multiply the cell's middle
    "bias",  # (block, sum, lane)
    "hs",  # (batch, steps, units): every output
    "h_last",  # (batch, units)
    "c_last",
    "saved",  # group after group: (steps, block, row, vector, lane)
    "keep",  # 1 to save for the way back
)
BACKWARD = (
    "batch",
    "steps",
    "units",
    "features",
    "x",
    "h0",
    "hs",
    "saved",
    "u_back",  # (block, gate x units, lane): U transposed
    "u_middle_back",
    "w_back",  # (block of features, gate x units, lane): W transposed
    "d_hs",  # (batch, steps, units): by every output
    "use_d_hs",  # 0 where only the last output is used
    "d_h_last",
    "d_c_last",
    "d_x",  # (batch, steps, features)
    "need_d_x",
    "d_h0",
    "d_c0",
    "ring",  # steps that the ring holds
)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """How much of a product is held in registers.

    Attributes:
        rows: Sequences of a group.
        columns: Blocks of units, in products over slopes.
        inner: Inputs or states at a time, in the gradients of the weights.
    """

    rows: int
    columns: int
    inner: int


class Group:
    """What both directions know of their rows and sizes while a function is emitted.

    Args:
        emit: The emitter.
        cell: The cell.
        tile: The tile; its rows are the group's.
        names: The table's entries.
        table: The table's address.
        first: The batch index of the group's first row.
    """

    def __init__(self, emit: Emitter, cell: Cell, tile: Tile, *, names: Sequence[str], table: Int, first: Int) -> None:
        self.emit, self.cell, self.tile, self.rows, self.first = emit, cell, tile, tile.rows, first
        self.of = {name: emit.word(table, position) for position, name in enumerate(names)}
        self.units, self.steps, self.features = self.of["units"], self.of["steps"], self.of["features"]
        self.blocks = emit.blocks(self.units)
        self.width = emit.mul(self.blocks, emit.lanes)
        batch = self.of["batch"]
        places = [emit.add(first, row) for row in range(tile.rows)]
        self.index = [emit.least(place, emit.sub(batch, 1)) for place in places]
        self.real = [emit.less(place, batch) for place in places]

    def row_of(self, name: str, row: int, stride: Int) -> Any:
        """The address at which a row of an array begins, rows being `stride` floats apart."""
        return self.emit.at(self.of[name], self.emit.mul(self.index[row], stride))

    def inside(self, block_start: Int) -> Any:
        """The lanes of a block that hold units."""
        return self.emit.mask(self.emit.sub(self.units, block_start))

    def written(self, row: int, block_start: Int, width: Int | None = None) -> Any:
        """The lanes of a block that a row may write: none where the row is past the end of the batch."""
        emit = self.emit
        limit = emit.choose(self.real[row], self.units if width is None else width, 0)
        return emit.mask(emit.sub(limit, block_start))

    def each_block(self, body: Callable[[Any, Any], None]) -> None:
        """Emit a loop over the blocks of units: `body(block, its first unit)`."""

        def turn(block: Any, _: list[Any]) -> None:
            body(block, self.emit.mul(block, self.emit.lanes))

        self.emit.loop(self.blocks, [], turn)

    def take(self, name: str, target: Int, *, only_real: bool = False) -> None:
        """Copy the rows of a `(batch, units)` array into padded rows of scratch, 0 behind the units."""
        emit = self.emit

        def block(_: Any, start: Any) -> None:
            for row in range(self.rows):
                mask = self.written(row, start) if only_real else self.inside(start)
                vec = emit.load_some(mask, self.row_of(name, row, self.units), start)
                emit.store(vec, target, emit.add(emit.mul(self.width, row), start))

        self.each_block(block)

    def give(self, source: Int, name: str) -> None:
        """Copy padded rows of scratch into a `(batch, units)` array."""
        emit = self.emit

        def block(_: Any, start: Any) -> None:
            for row in range(self.rows):
                vec = emit.load(source, emit.add(emit.mul(self.width, row), start))
                emit.store_some(self.written(row, start), vec, self.row_of(name, row, self.units), start)

        self.each_block(block)
