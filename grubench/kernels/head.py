"""The Dense head, the loss and its gradient, emitted as LLVM code: forward and backward of a row in one pass.

At each position (the last step, or every step) each output is the product of the hidden state and a row of weights. Its
error gives the loss, and at once the gradients of the hidden state, the weights and the bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grubench.kernels.emitter import Emitter, Vec
from grubench.kernels.integer_emitter import Int
from grubench.kernels.tape import STEP

HEAD = (
    "units",
    "outputs",
    "positions",  # 1, or the steps
    "h",  # the hidden states, `(row, position, unit)` in strides of their own
    "h_row",
    "h_position",
    "w",  # (output, padded unit)
    "bias",  # (output,)
    "y_rows",  # the address of each row's first target
    "y_position",  # floats between a row's targets
    "d_h",  # the gradient of the hidden states, in strides of its own
    "d_h_row",
    "d_h_position",
    "scale",  # the address of 1 / (all outputs of the batch)
    "losses",  # (step, row): the sum of a row's losses
    "batch",
    "predictions",  # (row, position, output)
    "shared",
)
Terms = Callable[[Emitter, Vec], tuple[Vec, Vec]]


def emit_head(emit: Emitter, terms: Terms, table: Int, rows: tuple[Int, Int], gradients: Int | None) -> None:
    """Emit loss and gradients of some rows.

    Args:
        emit: The emitter.
        terms: The loss's value and derivative.
        table: The argument table (`HEAD`).
        rows: The first row, and the one after the last.
        gradients: The address of the gradients that are added to: of the weights, `(output, padded unit)`, and of the
            bias, `(output,)`; None for the loss alone.
    """
    head = _Head(emit, table)
    a = head.arguments
    scale = emit.broadcast(a["scale"])
    first_loss = emit.address(a["losses"], emit.mul(emit.load_shared(a["shared"], STEP), a["batch"]))

    def emit_row(number: Any, _: list[Any]) -> None:
        row = emit.add(rows[0], number)
        y = emit.load_i64(emit.add(a["y_rows"], emit.mul(row, 8)), 0)

        def emit_position(position: Any, carried: list[Any]) -> list[Any]:
            h = head.position_address("h", row, position)

            def emit_output(output: Any, carried: list[Any]) -> list[Any]:
                target = emit.address(y, emit.mul(emit.add(position, output), a["y_position"]))
                value, derivative = terms(emit, head.compute_output(output, h) - emit.broadcast(target))
                if gradients is not None:
                    d_h = head.position_address("d_h", row, position)
                    head.add_gradients(output, derivative * scale, h, d_h, gradients)
                return [carried[0] + value]

            return emit.loop(a["outputs"], carried, emit_output)

        total = emit.loop(a["positions"], [emit.constant(0)], emit_position)[0]
        emit.store_masked(emit.mask_first(1), total, first_loss, row)

    emit.loop(emit.sub(rows[1], rows[0]), [], emit_row)


def emit_forecast(emit: Emitter, table: Int, rows: tuple[Int, Int]) -> None:
    """Emit the forecasts of some rows.

    Args:
        emit: The emitter.
        table: The argument table (`HEAD`).
        rows: The first row, and the one after the last.
    """
    head = _Head(emit, table)
    a = head.arguments

    def emit_position(number: Any, _: list[Any]) -> None:
        row = emit.add(rows[0], emit.builder.sdiv(number, a["positions"]))
        position = emit.builder.srem(number, a["positions"])
        h = head.position_address("h", row, position)
        place = emit.mul(emit.add(emit.mul(row, a["positions"]), position), a["outputs"])

        def emit_output(output: Any, _: list[Any]) -> None:
            value = head.compute_output(output, h)
            emit.store_masked(emit.mask_first(1), value, a["predictions"], emit.add(place, output))

        emit.loop(a["outputs"], [], emit_output)

    emit.loop(emit.mul(emit.sub(rows[1], rows[0]), a["positions"]), [], emit_position)


class _Head:
    """The Dense layer, while a function is emitted.

    Args:
        emit: The emitter.
        table: The argument table (`HEAD`).
    """

    def __init__(self, emit: Emitter, table: Int) -> None:
        self.emit, self.arguments = emit, emit.load_table(HEAD, table)
        self.units = self.arguments["units"]
        self.blocks = emit.count_blocks(self.units)
        self.padded = emit.mul(self.blocks, emit.lanes)

    def position_address(self, name: str, row: Int, position: Int) -> Any:
        """The address of a row's hidden state at a position (`h`), or of its gradient (`d_h`)."""
        emit, a = self.emit, self.arguments
        offset = emit.add(emit.mul(row, a[f"{name}_row"]), emit.mul(position, a[f"{name}_position"]))
        return emit.address(a[name], offset)

    def compute_output(self, output: Int, h: Int) -> Vec:
        """Emit an output, in every lane: the product of a hidden state and a row of weights, and the bias."""
        emit = self.emit
        w = emit.address(self.arguments["w"], emit.mul(output, self.padded))

        def add_block(block: Any, carried: list[Any]) -> list[Any]:
            start = emit.mul(block, emit.lanes)
            state = emit.load_masked(emit.mask_first(emit.sub(self.units, start)), h, start)
            return [emit.fma(state, emit.load(w, start), carried[0])]

        product = emit.sum_lanes(emit.loop(self.blocks, [emit.constant(0)], add_block)[0])
        return product + emit.broadcast(self.arguments["bias"], output)

    def add_gradients(self, output: Int, gradient: Vec, h: Int, d_h: Int, gradients: Int) -> None:
        """Emit what an output adds to the gradients of the hidden state, the weights and the bias.

        Args:
            output: The output.
            gradient: Its gradient, in every lane.
            h: The address of the hidden state.
            d_h: The address of its gradient.
            gradients: The address of the others, as in `emit_head`.
        """
        emit = self.emit
        offset = emit.mul(output, self.padded)
        w, d_w = emit.address(self.arguments["w"], offset), emit.address(gradients, offset)
        d_bias = emit.address(gradients, emit.mul(self.padded, self.arguments["outputs"]))
        emit.store_masked(emit.mask_first(1), emit.broadcast(d_bias, output) + gradient, d_bias, output)
        # The first output writes the gradient of the hidden state, the others add to it.
        units_before = emit.select(emit.is_less(0, output), self.units, 0)

        def add_block(block: Any, _: list[Any]) -> None:
            start = emit.mul(block, emit.lanes)
            mask = emit.mask_first(emit.sub(self.units, start))
            before = emit.load_masked(emit.mask_first(emit.sub(units_before, start)), d_h, start)
            emit.store_masked(mask, emit.fma(gradient, emit.load(w, start), before), d_h, start)
            state = emit.load_masked(mask, h, start)
            emit.store(emit.fma(gradient, state, emit.load(d_w, start)), d_w, start)

        emit.loop(self.blocks, [], add_block)
