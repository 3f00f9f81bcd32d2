"""The way forward of a group of sequences, from the first step to the last.

A function handles as many sequences (rows) as fit in the registers, for their whole length, and needs nothing of other
groups: no barrier, no library for products of matrices. A tile is one block of units of every row, all gates: x W and
h U add up in registers, and the cell's mathematics follows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.cells import Step
from grubench.kernels.emitter import Int, Vec
from grubench.kernels.tile import Group


def forward(group: Group, scratch: Int) -> None:
    """Emit the way forward of a group; scratch holds two states, a cell state, a middle and a step's saved vectors."""
    emit, cell = group.emit, group.cell
    state = emit.mul(group.width, group.rows)
    ours, theirs, c = scratch, emit.at(scratch, state), emit.at(scratch, emit.mul(state, 2))
    group.take("h0", ours)
    if cell.has_c:
        group.take("c0", c)
    step_floats = emit.mul(state, cell.saved)
    kept = emit.at(group.of["saved"], emit.mul(group.first, group.steps, group.width, cell.saved))
    keep = emit.less(0, group.of["keep"])
    middle = emit.at(scratch, emit.mul(state, 3))
    saved = emit.choose(keep, kept, emit.at(scratch, emit.mul(state, 4)))
    advance = emit.choose(keep, step_floats, 0)

    def step(t: Any, carried: list[Any]) -> list[Any]:
        h, after, saved = carried
        at = At(t=t, h=h, after=after, c=c, middle=middle, saved=saved)
        group.each_block(lambda block, start: _block(group, block, start, at))
        if cell.from_middle:
            group.each_block(lambda block, start: _block_after_middle(group, block, start, at))
        return [after, h, emit.at(saved, advance)]

    last = emit.loop(group.steps, [ours, theirs, saved], step)[0]
    group.give(last, "h_last")
    if cell.has_c:
        group.give(c, "c_last")


@dataclass(frozen=True, kw_only=True)
class At:
    """Where a step of the group stands.

    Attributes:
        t: The step.
        h: The outputs before, `(row, width)`.
        after: The outputs to write.
        c: The cell states.
        middle: What the last columns of U multiply, `(row, width)`, of a cell that has it.
        saved: What is kept for the way back.
    """

    t: Any
    h: Any
    after: Any
    c: Any
    middle: Any
    saved: Any


def _block(group: Group, block: Int, start: Int, at: At) -> None:
    """Emit one step of one block of units: the sums of all gates and rows, then the cell."""
    emit, cell, rows, lanes = group.emit, group.cell, group.rows, group.emit.lanes
    biases = emit.at(group.of["bias"], emit.mul(block, cell.sums * lanes))
    sums = [[emit.load(biases, position * lanes)] * rows for position in range(cell.sums)]
    sequence = emit.mul(group.steps, group.features)
    x = [emit.at(group.row_of("x", row, sequence), emit.mul(at.t, group.features)) for row in range(rows)]
    h = [emit.at(at.h, emit.mul(group.width, row)) for row in range(rows)]
    for weights, values, inner, gates in (
        ("w", x, group.features, cell.from_input),
        ("u", h, group.units, cell.from_state),
    ):
        panel = emit.at(group.of[weights], emit.mul(block, inner, len(gates) * lanes))
        made = _multiplied(group, [sums[gate] for gate in gates], panel, inner, values)
        for gate, one in zip(gates, made, strict=True):
            sums[gate] = one
    for row in range(rows):
        offset = emit.add(emit.mul(group.width, row), start)
        ours = [one[row] for one in sums]
        if cell.from_middle:
            middle, kept = cell.middle(emit, ours, emit.load(at.h, offset))
            emit.store(middle, at.middle, offset)
            _save(group, block, row, at, kept)
        else:
            before = emit.load(at.c, offset) if cell.has_c else None
            _finish(group, block, row, at, cell.forward(emit, ours, emit.load(at.h, offset), before))


def _block_after_middle(group: Group, block: Int, start: Int, at: At) -> None:
    """Emit the rest of a step of one block of units, with the product of the middle and the last columns of U."""
    emit, cell, rows, lanes = group.emit, group.cell, group.rows, group.emit.lanes
    panel = emit.at(group.of["u_middle"], emit.mul(block, group.units, len(cell.from_middle) * lanes))
    values = [emit.at(at.middle, emit.mul(group.width, row)) for row in range(rows)]
    (products,) = _multiplied(group, [[emit.const(0)] * rows], panel, group.units, values)
    for row in range(rows):
        place = _place(group, block, row)
        saved = [emit.load(at.saved, emit.add(place, position * lanes)) for position in range(cell.saved)]
        h = emit.load(at.h, emit.add(emit.mul(group.width, row), start))
        _finish(group, block, row, at, cell.after_middle(emit, saved, products[row], h))


def _finish(group: Group, block: Int, row: int, at: At, step: Step) -> None:
    """Emit the writing of what a step gives."""
    emit = group.emit
    start = emit.mul(block, emit.lanes)
    offset = emit.add(emit.mul(group.width, row), start)
    emit.store(step.h, at.after, offset)
    target = group.row_of("hs", row, emit.mul(group.steps, group.units))
    emit.store_some(group.written(row, start), step.h, target, emit.add(emit.mul(at.t, group.units), start))
    if step.c is not None:
        emit.store(step.c, at.c, offset)
    _save(group, block, row, at, step.saved)


def _save(group: Group, block: Int, row: int, at: At, vectors: Sequence[Vec]) -> None:
    """Emit the saving of a row's vectors."""
    place = _place(group, block, row)
    for position, vec in enumerate(vectors):
        group.emit.store(vec, at.saved, group.emit.add(place, position * group.emit.lanes))


def _place(group: Group, block: Int, row: int) -> Any:
    """Where the saved vectors of a row and block begin within a step's."""
    emit = group.emit
    return emit.mul(emit.add(emit.mul(block, group.rows), row), group.cell.saved * emit.lanes)


def _multiplied(
    group: Group, sums: Sequence[list[Vec]], panel: Int, inner: Int, values: Sequence[Any]
) -> list[list[Vec]]:
    """The sums of each gate and row, with the product of the row's values and a block of packed weights added."""
    emit, rows, gates = group.emit, group.rows, len(sums)

    def turn(k: Any, carried: list[Any]) -> list[Any]:
        at = emit.mul(k, gates * emit.lanes)
        columns = [emit.load(panel, emit.add(at, gate * emit.lanes)) for gate in range(gates)]
        added = list(carried)
        for row in range(rows):
            value = emit.spread(values[row], k)
            for gate, column in enumerate(columns):
                added[gate * rows + row] = emit.fma(value, column, added[gate * rows + row])
        return added

    flat = emit.loop(inner, [one for gate in sums for one in gate], turn)
    return [flat[gate * rows : (gate + 1) * rows] for gate in range(gates)]
