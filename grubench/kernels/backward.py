"""The backward pass of a group of sequences, emitted as LLVM code: all steps, from the last to the first.

Steps collect the gradients of their pre-activations, inputs and states in a ring buffer that stays in the cache. When
it is full, one product adds them to the weight gradients, so that no step's weight gradients are written to memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grubench.kernels.emitter import Vec
from grubench.kernels.integer_emitter import Int
from grubench.kernels.tile import RowGroup
from grubench.kernels.transposed_product import TransposedProduct, emit_product
from grubench.kernels.weight_gradients import StepRing, collect_inputs, emit_weight_gradients

# The pre-activation whose gradient needs the gradient of the reset state: a GRU's r.
RESET_GATE = 1


def emit_backward(group: RowGroup, scratch: Int, gradients: Int) -> None:
    """Emit the backward pass of a group, which adds to the weight gradients.

    Args:
        group: The rows.
        scratch: The address of memory for the gradients of the hidden state, the cell state and the reset state, each
            `(row, padded unit)`, and the ring buffer (`StepRing`).
        gradients: The address of the weight gradients, one after the other: of the columns of U that multiply the
            hidden state and of those that multiply the reset state, `(block, units, gate, lane)`; of W,
            `(block, features, gate, lane)`; of the biases, `(block, pre-activation, lane)`.
    """
    emit = group.emit
    backward = _place_scratch(group, scratch)
    group.copy_in("d_h_last", backward.d_h)
    if group.cell.has_cell_state:
        group.clear(backward.d_c)
    ring_steps = group.arguments["ring_steps"]
    flushes = emit.builder.sdiv(emit.add(group.steps, ring_steps, -1), ring_steps)

    def fill_and_flush(index: Any, _: list[Any]) -> None:
        end = emit.sub(group.steps, emit.mul(index, ring_steps))
        count = emit.minimum(ring_steps, end)
        emit.loop(count, [], lambda k, _: backward.emit_step(k, emit.sub(emit.sub(end, 1), k)))
        emit_weight_gradients(backward.ring, emit.mul(count, group.rows), gradients)

    emit.loop(flushes, [], fill_and_flush)


def _place_scratch(group: RowGroup, scratch: Int) -> BackwardPass:
    """Emit the addresses of what lies in scratch, one after the other."""
    emit = group.emit
    state = emit.mul(group.padded_units, group.rows)
    ring_rows = emit.mul(group.arguments["ring_steps"], group.rows)
    d_c, d_reset_state = emit.address(scratch, state), emit.address(scratch, emit.mul(state, 2))
    states = emit.address(scratch, emit.mul(state, 3))
    d_pre = emit.address(states, emit.mul(ring_rows, group.ring_row))
    inputs = emit.address(d_pre, emit.mul(ring_rows, group.d_pre_row))
    reset_states = emit.address(inputs, emit.mul(ring_rows, emit.count_blocks(group.features), emit.lanes))
    ring = StepRing(group=group, states=states, d_pre_activations=d_pre, inputs=inputs, reset_states=reset_states)
    return BackwardPass(group=group, ring=ring, d_h=scratch, d_c=d_c, d_reset_state=d_reset_state)


@dataclass(frozen=True, kw_only=True)
class BackwardPass:
    """The backward pass of a group, step by step.

    Attributes:
        group: The rows.
        ring: The ring buffer of steps.
        d_h: The address of the gradient of the hidden state, `(row, padded unit)`, updated in place.
        d_c: The same of the cell state.
        d_reset_state: The same of the reset state.
    """

    group: RowGroup
    ring: StepRing
    d_h: Any
    d_c: Any
    d_reset_state: Any

    def emit_step(self, k: Int, t: Int) -> None:
        """Emit the backward step of step t, as the k-th of the ring buffer."""
        group, emit, cell = self.group, self.group.emit, self.group.cell
        ring_row = emit.mul(k, group.rows)
        d_pre = emit.address(self.ring.d_pre_activations, emit.mul(ring_row, group.d_pre_row))
        group.loop_over_blocks(lambda block, start: self._emit_block(block, start, t, ring_row, d_pre))
        if cell.from_reset_state:
            self._emit_reset_state(t, ring_row, d_pre)
        u_product = TransposedProduct(
            d_pre_activations=d_pre,
            weights="u_transposed",
            gates=cell.from_state,
            targets=self._row_addresses(self.d_h),
            width=None,
        )
        emit_product(group, u_product, group.blocks)
        collect_inputs(self.ring, ring_row, t)
        self._emit_d_x(t, d_pre)

    def _emit_reset_state(self, t: Int, ring_row: Int, d_pre: Int) -> None:
        """Emit the gradients of the reset state, and through it those of r's pre-activation and the hidden state."""
        group = self.group
        u_product = TransposedProduct(
            d_pre_activations=d_pre,
            weights="u_reset_transposed",
            gates=group.cell.from_reset_state,
            targets=self._row_addresses(self.d_reset_state),
            width=None,
        )
        emit_product(group, u_product, group.blocks)
        group.loop_over_blocks(lambda block, start: self._finish_block(block, start, t, ring_row, d_pre))

    def _emit_d_x(self, t: Int, d_pre: Int) -> None:
        """Emit the gradient of step t's inputs, where it is needed."""
        group, emit = self.group, self.group.emit
        needed = emit.is_less(0, group.arguments["need_d_x"])
        blocks = emit.select(needed, emit.count_blocks(group.features), 0)
        targets = [group.step_address("d_x", row, t) for row in range(group.rows)]
        w_product = TransposedProduct(
            d_pre_activations=d_pre,
            weights="w_transposed",
            gates=group.cell.from_input,
            targets=targets,
            width=group.features,
        )
        emit_product(group, w_product, blocks)

    def _row_addresses(self, base: Int) -> list[Any]:
        emit, group = self.group.emit, self.group
        return [emit.address(base, emit.mul(group.padded_units, row)) for row in range(group.rows)]

    def _emit_block(self, block: Int, start: Int, t: Int, ring_row: Int, d_pre: Int) -> None:
        """Emit the cell's backward step of one block of units of every row."""
        group, emit, cell = self.group, self.group.emit, self.group.cell
        for row in range(group.rows):
            offset = emit.add(emit.mul(group.padded_units, row), start)
            saved = self._load_saved(block, row, t)
            h = self._load_previous_h(row, start, t)
            emit.store(h, self.ring.states, self._ring_offset(ring_row, row, start))
            d_h = emit.load(self.d_h, offset) + self._load_d_hs(row, start, t)
            d_c = emit.load(self.d_c, offset) if cell.has_cell_state else None
            result = cell.backward(emit, d_h, d_c, saved, h)
            emit.store(result.d_h, self.d_h, offset)
            if result.d_c is not None:
                emit.store(result.d_c, self.d_c, offset)
            if cell.from_reset_state:
                reset_state = cell.recompute_reset_state(emit, saved, h)
                emit.store(reset_state, self.ring.reset_states, self._ring_offset(ring_row, row, start))
                emit.store(emit.constant(0), self.d_reset_state, offset)
            for position, gradient in enumerate(result.d_pre_activations):
                emit.store(gradient, d_pre, self._d_pre_offset(row, position, start))

    def _finish_block(self, block: Int, start: Int, t: Int, ring_row: Int, d_pre: Int) -> None:
        """Emit the second part of the cell's backward step, from the gradient of the reset state."""
        group, emit = self.group, self.group.emit
        for row in range(group.rows):
            offset = emit.add(emit.mul(group.padded_units, row), start)
            h = emit.load(self.ring.states, self._ring_offset(ring_row, row, start))
            d_reset_state = emit.load(self.d_reset_state, offset)
            saved = self._load_saved(block, row, t)
            d_pre_r, d_h = group.cell.finish_backward(emit, d_reset_state, saved, h)
            emit.store(d_pre_r, d_pre, self._d_pre_offset(row, RESET_GATE, start))
            emit.store(emit.load(self.d_h, offset) + d_h, self.d_h, offset)

    def _ring_offset(self, ring_row: Int, row: int, start: Int) -> Any:
        """The offset of a row and block in the ring buffer's states and reset states."""
        emit = self.group.emit
        return emit.add(emit.mul(emit.add(ring_row, row), self.group.ring_row), start)

    def _d_pre_offset(self, row: int, position: int, start: Int) -> Any:
        """The offset of a row, pre-activation and block in a step's gradients of the pre-activations."""
        emit, group = self.group.emit, self.group
        return emit.add(emit.mul(group.d_pre_row, row), emit.mul(group.padded_units, position), start)

    def _load_saved(self, block: Int, row: int, t: Int) -> list[Vec]:
        """The vectors that the forward pass saved of a row and block at step t."""
        group, emit = self.group, self.group.emit
        count, lanes = group.cell.saved_count, emit.lanes
        first = emit.mul(group.batch_index[0], group.steps, group.padded_units, count)
        step_floats = emit.mul(group.padded_units, group.rows, count)
        offset = emit.mul(emit.add(emit.mul(block, group.rows), row), count * lanes)
        base = emit.address(group.arguments["saved"], emit.add(first, emit.mul(t, step_floats), offset))
        return [emit.load(base, position * lanes) for position in range(count)]

    def _load_previous_h(self, row: int, start: Int, t: Int) -> Vec:
        """The hidden state before step t: that of step t - 1 in `hs`, or 0."""
        group, emit = self.group, self.group.emit
        is_later = emit.is_less(0, t)
        limit = emit.select(is_later, group.units, 0)
        base = group.step_address("hs", row, emit.select(is_later, emit.sub(t, 1), 0))
        return emit.load_masked(emit.mask_first(emit.sub(limit, start)), base, start)

    def _load_d_hs(self, row: int, start: Int, t: Int) -> Vec:
        """The loss's own gradient of step t's hidden state; 0 where it is not used, or after the end of the batch."""
        group, emit = self.group, self.group.emit
        use = group.arguments["use_d_hs"]
        limit = emit.select(group.in_batch[row], emit.mul(group.units, use), 0)
        # An address outside of the array costs time even where nothing is loaded from it: strides of 0 keep it inside.
        base, offset = group.step_address("d_hs", row, t), emit.mul(start, use)
        return emit.load_masked(emit.mask_first(emit.sub(limit, start)), base, offset)
