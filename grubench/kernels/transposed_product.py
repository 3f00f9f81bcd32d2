"""Products of the gradients of pre-activations with transposed weights, emitted as LLVM code for the backward pass.

They give the gradients of the previous hidden state and of the reset state (by U), and of the inputs (by W).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.integer_emitter import Int
from grubench.kernels.tile import RowGroup


@dataclass(frozen=True, kw_only=True)
class TransposedProduct:
    """A product of a step's gradients of pre-activations with transposed weights.

    Attributes:
        d_pre_activations: The address of the gradients of the pre-activations, `(row, pre-activation, padded unit)`.
        weights: The argument with the packed weights, `(block, gate x units, lane)`.
        gates: The pre-activation of each gate.
        targets: The address of the result of each row.
        width: The floats of a row of the result, which is written; None for a result that is added to padded rows.
    """

    d_pre_activations: Any
    weights: str
    gates: Sequence[int]
    targets: Sequence[Any]
    width: Any


def emit_product(group: RowGroup, product: TransposedProduct, blocks: Int) -> None:
    """Emit a product for the first `blocks` blocks of its targets, several of them at a time."""
    emit, columns = group.emit, group.tile.columns
    tiles = emit.builder.sdiv(emit.to_i64(blocks), emit.to_i64(columns))
    emit.loop(tiles, [], lambda k, _: _emit_blocks(group, product, emit.mul(k, columns), columns))
    done = emit.mul(tiles, columns)
    emit.loop(emit.sub(blocks, done), [], lambda k, _: _emit_blocks(group, product, emit.add(done, k), 1))


def _emit_blocks(group: RowGroup, product: TransposedProduct, block: Int, columns: int) -> None:
    """Emit a product for `columns` blocks from `block` on, all rows."""
    emit, lanes = group.emit, group.emit.lanes
    places = [
        (row, emit.add(emit.mul(block, lanes), column * lanes))
        for column in range(columns)
        for row in range(group.rows)
    ]
    sums = _initial_sums(group, product, places)
    block_floats = emit.mul(group.units, len(product.gates), lanes)
    base = emit.address(group.arguments[product.weights], emit.mul(block, block_floats))
    for position, gate in enumerate(product.gates):
        panel = emit.address(base, emit.mul(group.units, position * lanes))
        panels = [emit.address(panel, emit.mul(block_floats, column)) for column in range(columns)]
        d_pre = emit.address(product.d_pre_activations, emit.mul(group.padded_units, gate))
        sums = _add_gate(group, sums, panels, d_pre)
    for vec, (row, offset) in zip(sums, places, strict=True):
        if product.width is None:
            emit.store(vec, product.targets[row], offset)
        else:
            mask = group.write_mask(row, offset, product.width)
            emit.store_masked(mask, vec, product.targets[row], offset)


def _initial_sums(group: RowGroup, product: TransposedProduct, places: list[tuple[int, Any]]) -> list[Any]:
    """The values to add to: those of the targets, or 0 for a result that is written and not added."""
    emit = group.emit
    if product.width is None:
        return [emit.load(product.targets[row], offset) for row, offset in places]
    width = emit.mul(product.width, group.arguments["add_d_x"])
    return [
        emit.load_masked(group.write_mask(row, offset, width), product.targets[row], offset) for row, offset in places
    ]


def _add_gate(group: RowGroup, sums: list[Any], panels: Sequence[Any], d_pre: Int) -> list[Any]:
    """Emit the sums, `[column x row]`, with the product of one gate's gradients and weights added."""
    emit, rows = group.emit, group.rows

    def iterate(k: Any, carried: list[Any]) -> list[Any]:
        weights = [emit.load(panel, emit.mul(k, emit.lanes)) for panel in panels]
        totals = list(carried)
        for row in range(rows):
            gradient = emit.broadcast(d_pre, emit.add(emit.mul(group.d_pre_row, row), k))
            for column, vec in enumerate(weights):
                totals[column * rows + row] = emit.fma(gradient, vec, totals[column * rows + row])
        return totals

    return emit.loop(group.units, sums, iterate)
