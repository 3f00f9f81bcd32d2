"""The forward pass of a group of sequences, emitted as LLVM code: all steps, from the first to the last.

One function computes as many sequences (rows) as fit in the registers, over their whole length, and reads nothing of
other groups: it needs no barrier and no BLAS. A step goes block by block of units: x W and h U of all rows and gates
are summed in registers, and the cell's equations follow at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.cells import ForwardStep
from grubench.kernels.emitter import Vec
from grubench.kernels.integer_emitter import Int
from grubench.kernels.tile import RowGroup


def emit_forward(group: RowGroup, scratch: Int) -> None:
    """Emit the forward pass of a group, from a state of zeros.

    Args:
        group: The rows.
        scratch: The address of memory for two hidden states, a cell state, a reset state, each `(row, padded unit)`,
            and the saved vectors of one step.
    """
    emit, cell = group.emit, group.cell
    state = emit.mul(group.padded_units, group.rows)
    h0, h1, c = scratch, emit.address(scratch, state), emit.address(scratch, emit.mul(state, 2))
    group.clear(h0)
    if cell.has_cell_state:
        group.clear(c)
    step_floats = emit.mul(state, cell.saved_count)
    group_floats = emit.mul(group.first_row, group.steps, group.padded_units, cell.saved_count)
    all_saved = emit.address(group.arguments["saved"], group_floats)
    save = emit.is_less(0, group.arguments["save"])
    reset_state = emit.address(scratch, emit.mul(state, 3))
    # Without a backward pass every step writes over the same scratch memory.
    saved = emit.select(save, all_saved, emit.address(scratch, emit.mul(state, 4)))
    saved_stride = emit.select(save, step_floats, 0)

    def iterate(t: Any, carried: list[Any]) -> list[Any]:
        h, h_next, saved = carried
        step = StepAddresses(t=t, h=h, h_next=h_next, c=c, reset_state=reset_state, saved=saved)
        group.loop_over_blocks(lambda block, start: _emit_block(group, block, start, step))
        if cell.from_reset_state:
            group.loop_over_blocks(lambda block, start: _finish_block(group, block, start, step))
        return [h_next, h, emit.address(saved, saved_stride)]

    h_last = emit.loop(group.steps, [h0, h1, saved], iterate)[0]
    group.copy_out(h_last, "h_last")


@dataclass(frozen=True, kw_only=True)
class StepAddresses:
    """The memory of a step.

    Attributes:
        t: The step's index.
        h: The previous hidden state, `(row, padded unit)`.
        h_next: The hidden state to write, `(row, padded unit)`.
        c: The cell state, `(row, padded unit)`, read and written in place.
        reset_state: The reset state, `(row, padded unit)`, of a cell that has it.
        saved: The vectors saved for the backward pass, `(block, row, vector, lane)`.
    """

    t: Any
    h: Any
    h_next: Any
    c: Any
    reset_state: Any
    saved: Any


def _emit_block(group: RowGroup, block: Int, start: Int, step: StepAddresses) -> None:
    """Emit a step of one block of units: the pre-activations of all gates and rows, then the cell's equations."""
    emit, cell, rows = group.emit, group.cell, group.rows
    pre_activations = _emit_pre_activations(group, block, step)
    for row in range(rows):
        offset = emit.add(emit.mul(group.padded_units, row), start)
        row_pre_activations = [gate[row] for gate in pre_activations]
        if cell.from_reset_state:
            reset_state, vectors = cell.compute_reset_state(emit, row_pre_activations, emit.load(step.h, offset))
            emit.store(reset_state, step.reset_state, offset)
            _save_vectors(group, block, row, step, vectors)
        else:
            c = emit.load(step.c, offset) if cell.has_cell_state else None
            result = cell.forward(emit, row_pre_activations, emit.load(step.h, offset), c)
            _store_step(group, block, row, step, result)


def _emit_pre_activations(group: RowGroup, block: Int, step: StepAddresses) -> list[list[Vec]]:
    """Emit x W + h U + b of a block, `[pre-activation][row]`, as far as U multiplies the hidden state."""
    emit, cell, rows, lanes = group.emit, group.cell, group.rows, group.emit.lanes
    bias = emit.address(group.arguments["bias"], emit.mul(block, cell.pre_activation_count * lanes))
    sums = [[emit.load(bias, position * lanes)] * rows for position in range(cell.pre_activation_count)]
    x = [group.x_address(row, step.t) for row in range(rows)]
    h = [emit.address(step.h, emit.mul(group.padded_units, row)) for row in range(rows)]
    for weights, values, inner, gates in (
        ("w", x, group.features, cell.from_input),
        ("u", h, group.units, cell.from_state),
    ):
        panel = emit.address(group.arguments[weights], emit.mul(block, inner, len(gates) * lanes))
        totals = _add_product(group, [sums[gate] for gate in gates], panel, inner, values)
        for gate, total in zip(gates, totals, strict=True):
            sums[gate] = total
    return sums


def _finish_block(group: RowGroup, block: Int, start: Int, step: StepAddresses) -> None:
    """Emit the second part of a step of one block: the product of the reset state and U, then the equations."""
    emit, cell, rows, lanes = group.emit, group.cell, group.rows, group.emit.lanes
    panel = emit.address(group.arguments["u_reset"], emit.mul(block, group.units, len(cell.from_reset_state) * lanes))
    reset_states = [emit.address(step.reset_state, emit.mul(group.padded_units, row)) for row in range(rows)]
    (products,) = _add_product(group, [[emit.constant(0)] * rows], panel, group.units, reset_states)
    for row in range(rows):
        offset = _saved_offset(group, block, row)
        saved = [emit.load(step.saved, emit.add(offset, position * lanes)) for position in range(cell.saved_count)]
        h = emit.load(step.h, emit.add(emit.mul(group.padded_units, row), start))
        _store_step(group, block, row, step, cell.finish_forward(emit, saved, products[row], h))


def _store_step(group: RowGroup, block: Int, row: int, step: StepAddresses, result: ForwardStep) -> None:
    """Emit the stores of a step's states and saved vectors."""
    emit = group.emit
    start = emit.mul(block, emit.lanes)
    offset = emit.add(emit.mul(group.padded_units, row), start)
    emit.store(result.h, step.h_next, offset)
    emit.store_masked(group.write_mask(row, start), result.h, group.step_address("hs", row, step.t), start)
    if result.c is not None:
        emit.store(result.c, step.c, offset)
    _save_vectors(group, block, row, step, result.saved)


def _save_vectors(group: RowGroup, block: Int, row: int, step: StepAddresses, vectors: Sequence[Vec]) -> None:
    """Emit the stores of what the backward pass needs of a row and block."""
    offset = _saved_offset(group, block, row)
    for position, vec in enumerate(vectors):
        group.emit.store(vec, step.saved, group.emit.add(offset, position * group.emit.lanes))


def _saved_offset(group: RowGroup, block: Int, row: int) -> Any:
    """The offset of a row and block among a step's saved vectors."""
    emit = group.emit
    return emit.mul(emit.add(emit.mul(block, group.rows), row), group.cell.saved_count * emit.lanes)


def _add_product(
    group: RowGroup, sums: Sequence[list[Vec]], panel: Int, inner: Int, values: Sequence[Any]
) -> list[list[Vec]]:
    """Emit the product of values and one block of packed weights, added to sums.

    Args:
        group: The rows.
        sums: The vectors to add to, `[gate][row]`.
        panel: The address of the block of weights, `(inner, gate, lane)`.
        inner: The number of features or units that are summed over.
        values: The address of each row's values, `(inner,)`.

    Returns:
        The sums, `[gate][row]`.
    """
    emit, rows, at_once = group.emit, group.rows, group.tile.gates
    found: list[list[Vec]] = []
    for first in range(0, len(sums), at_once):
        some = sums[first : first + at_once]

        def iterate(k: Any, carried: list[Any], first: int = first, count: int = len(some)) -> list[Any]:
            offset = emit.mul(k, len(sums) * emit.lanes)
            columns = [emit.load(panel, emit.add(offset, (first + gate) * emit.lanes)) for gate in range(count)]
            totals = list(carried)
            for row in range(rows):
                value = emit.broadcast(values[row], k)
                for gate, column in enumerate(columns):
                    totals[gate * rows + row] = emit.fma(value, column, totals[gate * rows + row])
            return totals

        flat = emit.loop(inner, [vec for gate in some for vec in gate], iterate)
        found += [flat[gate * rows : (gate + 1) * rows] for gate in range(len(some))]
    return found
