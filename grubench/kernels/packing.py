"""Sums over the parts of a batch, and what of the weights lies in a second layout, emitted as LLVM code.

Weights lie in the kernels' layout, `(block, inner, gate, lane)`, padded with 0: a block is a vector of units, the inner
dimension that of the features (W) or of the units of the previous state (U). So do their gradients and what the
optimizer keeps. The backward pass reads U and W transposed, and the biases that add to a pre-activation as one.
"""

from __future__ import annotations

from typing import Any

from grubench.kernels.arguments import BIAS, PARTS, TRANSPOSE
from grubench.kernels.cells import Cell
from grubench.kernels.emitter import Emitter, Vec
from grubench.kernels.integer_emitter import Int


def emit_sum_parts(emit: Emitter, table: Int, span: tuple[Int, Int]) -> None:
    """Emit the sum of the gradients of the parts, of a span of floats; those of the parts become 0."""
    a = emit.load_table(PARTS, table)

    def sum_vector(offset: Any, _: list[Any]) -> None:
        place = emit.add(span[0], offset)

        def add(part: Any, total: list[Any]) -> list[Vec]:
            source = emit.add(emit.mul(part, a["stride"]), place)
            value = emit.load(a["gradients"], source)
            emit.store(emit.constant(0), a["gradients"], source)
            return [total[0] + value]

        emit.store(emit.loop(a["parts"], [emit.constant(0)], add)[0], a["sums"], place)

    emit.loop(emit.sub(span[1], span[0]), [], sum_vector, step=emit.lanes)


def emit_transpose(emit: Emitter, table: Int) -> None:
    """Emit a matrix `(block, inner, gate, lane)` as `(block of inner, gates x units, lane of inner)`."""
    a = emit.load_table(TRANSPOSE, table)
    columns = emit.mul(a["gates"], a["units"])
    row = emit.mul(a["gates"], emit.lanes)

    def loop_over_inner(block: Any, _: list[Any]) -> None:
        start = emit.mul(block, emit.lanes)
        places = [emit.add(start, lane) for lane in range(emit.lanes)]
        rows = [emit.mul(emit.select(emit.is_less(k, a["inner"]), k, 0), row) for k in places]
        mask = emit.mask_first(emit.sub(a["inner"], start))

        def loop_over_gates(gate: Any, _: list[Any]) -> None:
            def copy_column(unit: Any, _: list[Any]) -> None:
                unit_block = emit.builder.sdiv(unit, emit.to_i64(emit.lanes))
                lane = emit.builder.srem(unit, emit.to_i64(emit.lanes))
                first = emit.add(emit.mul(unit_block, a["inner"], row), emit.mul(gate, emit.lanes), lane)
                vec = emit.gather([emit.address(a["source"], emit.add(first, k)) for k in rows], mask)
                column = emit.add(emit.mul(block, columns), emit.mul(gate, a["units"]), unit)
                emit.store(vec, a["target"], emit.mul(column, emit.lanes))

            emit.loop(a["units"], [], copy_column)

        emit.loop(a["gates"], [], loop_over_gates)

    emit.loop(emit.count_blocks(a["inner"]), [], loop_over_inner)


def emit_pack_bias(emit: Emitter, cell: Cell, table: Int) -> None:
    """Emit Keras's biases as `(block, pre-activation, lane)`, the sum of those that add to a pre-activation."""
    a = emit.load_table(BIAS, table)
    places = list_biases(cell)

    def pack_block(block: Any, _: list[Any]) -> None:
        start = emit.mul(block, emit.lanes)
        mask = emit.mask_first(emit.sub(a["units"], start))
        for position in range(cell.pre_activation_count):
            total = emit.constant(0)
            for number, place in enumerate(places):
                if place == position:
                    offset = emit.add(emit.mul(a["units"], number), start)
                    total = total + emit.load_masked(mask, a["bias"], offset)
            target = emit.mul(emit.add(emit.mul(block, cell.pre_activation_count), position), emit.lanes)
            emit.store(total, a["packed"], target)

    emit.loop(emit.count_blocks(a["units"]), [], pack_block)


def emit_sum_bias(emit: Emitter, cell: Cell, table: Int) -> None:
    """Emit the gradients of Keras's biases: each is that of its pre-activation, `(block, pre-activation, lane)`."""
    a = emit.load_table(BIAS, table)

    def copy_block(block: Any, _: list[Any]) -> None:
        start = emit.mul(block, emit.lanes)
        mask = emit.mask_first(emit.sub(a["units"], start))
        for number, position in enumerate(list_biases(cell)):
            source = emit.mul(emit.add(emit.mul(block, cell.pre_activation_count), position), emit.lanes)
            target = emit.add(emit.mul(a["units"], number), start)
            emit.store_masked(mask, emit.load(a["packed"], source), a["bias"], target)

    emit.loop(emit.count_blocks(a["units"]), [], copy_block)


def list_biases(cell: Cell) -> tuple[int, ...]:
    """The pre-activation that each gate's bias adds to, in the order of Keras's biases."""
    return cell.from_input + (cell.from_state if cell.biases_per_gate > 1 else ())
