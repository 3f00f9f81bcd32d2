"""The weight gradients of the backward pass, emitted as LLVM code: a ring buffer of steps, and its products.

Several steps are collected before one product adds them to the gradients of W, U and the biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.integer_emitter import Int
from grubench.kernels.tile import RowGroup


@dataclass(frozen=True, kw_only=True)
class StepRing:
    """The ring buffer of the backward pass: addresses of what is collected of each step.

    Attributes:
        group: The rows.
        states: The hidden states before each step, `(step x row, ring row)`.
        d_pre_activations: The gradients of the pre-activations, `(step x row, row of pre-activations)`.
        inputs: The inputs of each step, `(step x row, padded feature)`.
        reset_states: The reset state of each step, `(step x row, ring row)`, of a cell that has it.
    """

    group: RowGroup
    states: Any
    d_pre_activations: Any
    inputs: Any
    reset_states: Any


@dataclass(frozen=True, kw_only=True)
class WeightGradient:
    """The gradient of one weight matrix, or of some of its gates.

    Attributes:
        target: The address of the gradient, `(block, inner, gate, lane)`.
        inner: The number of features or units that the weights multiply.
        gates: The pre-activation of each gate.
        values: The address of the collected inputs, hidden states or reset states.
        stride: The floats of a collected row.
    """

    target: Any
    inner: Any
    gates: Sequence[int]
    values: Any
    stride: Any


def collect_inputs(ring: StepRing, ring_row: Int, t: Int) -> None:
    """Emit the copy of step t's inputs into the ring buffer, from `ring_row` on."""
    group, emit = ring.group, ring.group.emit
    blocks = emit.count_blocks(group.features)
    padded_features = emit.mul(blocks, emit.lanes)

    def copy_block(block: Any, _: list[Any]) -> None:
        start = emit.mul(block, emit.lanes)
        mask = emit.mask_first(emit.sub(group.features, start))
        for row in range(group.rows):
            source = group.x_address(row, t)
            target = emit.add(emit.mul(emit.add(ring_row, row), padded_features), start)
            emit.store(emit.load_masked(mask, source, start), ring.inputs, target)

    emit.loop(blocks, [], copy_block)


def emit_weight_gradients(ring: StepRing, count: Int, gradients: Int) -> None:
    """Emit the addition of `count` collected rows to the weight gradients (laid out as in `emit_backward`)."""
    group, emit, cell = ring.group, ring.group.emit, ring.group.cell
    padded_units, units, features = group.padded_units, group.units, group.features
    padded_features = emit.mul(emit.count_blocks(features), emit.lanes)
    d_u = gradients
    d_u_reset = emit.address(d_u, emit.mul(padded_units, units, len(cell.from_state)))
    d_w = emit.address(d_u_reset, emit.mul(padded_units, units, len(cell.from_reset_state)))
    d_bias = emit.address(d_w, emit.mul(padded_units, features, len(cell.from_input)))
    _emit_gradient(
        ring,
        WeightGradient(target=d_u, inner=units, gates=cell.from_state, values=ring.states, stride=group.ring_row),
        count,
    )
    if cell.from_reset_state:
        of_reset_state = WeightGradient(
            target=d_u_reset,
            inner=units,
            gates=cell.from_reset_state,
            values=ring.reset_states,
            stride=group.ring_row,
        )
        _emit_gradient(ring, of_reset_state, count)
    _emit_gradient(
        ring,
        WeightGradient(target=d_w, inner=features, gates=cell.from_input, values=ring.inputs, stride=padded_features),
        count,
    )
    _emit_bias_gradient(ring, d_bias, count)


def _emit_gradient(ring: StepRing, gradient: WeightGradient, count: Int) -> None:
    """Emit target += transposed values x gradients of the pre-activations, over `count` collected rows."""
    group, emit = ring.group, ring.group.emit

    def emit_block(block: Any, start: Any) -> None:
        target = emit.address(gradient.target, emit.mul(block, gradient.inner, len(gradient.gates) * emit.lanes))
        d_pre = emit.address(ring.d_pre_activations, start)
        done: Any = emit.to_i64(0)
        for size in (group.tile.inner, 2, 1):  # the remainder goes in smaller tiles
            tiles = emit.builder.sdiv(emit.sub(gradient.inner, done), emit.to_i64(size))
            _emit_tiles(group, gradient, (done, tiles, size), (target, d_pre, count))
            done = emit.add(done, emit.mul(tiles, size))

    group.loop_over_blocks(emit_block)


def _emit_tiles(
    group: RowGroup, gradient: WeightGradient, tiles: tuple[Int, Int, int], block: tuple[Int, Int, Int]
) -> None:
    """Emit a loop over tiles: the first index, the number and the size of them."""
    emit = group.emit
    first, number, size = tiles
    emit.loop(number, [], lambda k, _: _emit_tile(group, gradient, emit.add(first, emit.mul(k, size)), size, block))


def _emit_tile(group: RowGroup, gradient: WeightGradient, k: Int, size: int, block: tuple[Int, Int, Int]) -> None:
    """Emit the gradients of `size` features or units from the k-th on, for one block and all its gates.

    Args:
        group: The rows.
        gradient: The gradient.
        k: The first feature or unit.
        size: How many.
        block: The addresses of the block's gradients and gradients of pre-activations, and the collected rows.
    """
    emit, gates = group.emit, len(gradient.gates)
    target, d_pre, count = block
    padded_units, lanes = group.padded_units, emit.lanes
    offsets = [emit.add(emit.mul(k, gates * lanes), position * lanes) for position in range(size * gates)]

    def iterate(row: Any, carried: list[Any]) -> list[Any]:
        offset = emit.mul(row, group.d_pre_row)
        columns = [emit.load(d_pre, emit.add(offset, emit.mul(padded_units, gate))) for gate in gradient.gates]
        totals = list(carried)
        for inner in range(size):
            value = emit.broadcast(gradient.values, emit.add(emit.mul(row, gradient.stride), k, inner))
            for position, column in enumerate(columns):
                totals[inner * gates + position] = emit.fma(value, column, totals[inner * gates + position])
        return totals

    totals = emit.loop(count, [emit.load(target, offset) for offset in offsets], iterate)
    for offset, vec in zip(offsets, totals, strict=True):
        emit.store(vec, target, offset)


def _emit_bias_gradient(ring: StepRing, target: Int, count: Int) -> None:
    """Emit the addition of `count` collected gradients of the pre-activations to the gradients of the biases."""
    group, emit = ring.group, ring.group.emit
    pre_activations, lanes = group.cell.pre_activation_count, emit.lanes

    def emit_block(block: Any, start: Any) -> None:
        base = emit.address(target, emit.mul(block, pre_activations * lanes))

        def iterate(row: Any, carried: list[Any]) -> list[Any]:
            offset = emit.add(emit.mul(row, group.d_pre_row), start)
            return [
                total + emit.load(ring.d_pre_activations, emit.add(offset, emit.mul(group.padded_units, position)))
                for position, total in enumerate(carried)
            ]

        initial = [emit.load(base, position * lanes) for position in range(pre_activations)]
        totals = emit.loop(count, initial, iterate)
        for position, vec in enumerate(totals):
            emit.store(vec, base, position * lanes)

    group.loop_over_blocks(emit_block)
