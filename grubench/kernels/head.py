"""The Dense head, the loss and its gradient, emitted as LLVM code: forward and backward of a row in one pass.

At each position (the last step, or every step) each output is the product of the hidden state and a row of weights. Its
error gives the loss, and at once the gradients of the hidden state, the weights and the bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grubench.kernels.emitter import Emitter, Int, Vec
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


def emit_head(emit: Emitter, terms: Terms, table: Int, rows: tuple[Int, Int], gradients: Int) -> None:
    """Emit loss and gradients of some rows.

    Args:
        emit: The emitter.
        terms: The loss's value and derivative.
        table: The argument table (`HEAD`).
        rows: The first row, and the one after the last.
        gradients: The address of the gradients that are added to: of the weights, `(output, padded unit)`, and of the
            bias, `(output,)`.
    """
    a = emit.load_table(HEAD, table)
    blocks = emit.count_blocks(a["units"])
    padded = emit.mul(blocks, emit.lanes)
    d_bias = emit.address(gradients, emit.mul(padded, a["outputs"]))
    scale = emit.broadcast(a["scale"])
    first_loss = emit.address(a["losses"], emit.mul(emit.load_shared(a["shared"], STEP), a["batch"]))

    def emit_output(output: Int, h: Int, d_h: Int, target: Int, total: Vec) -> Vec:
        w = emit.address(a["w"], emit.mul(output, padded))
        error = _emit_product(emit, blocks, a["units"], h, w) + emit.broadcast(a["bias"], output)
        value, derivative = terms(emit, error - emit.broadcast(target))
        gradient = derivative * scale
        d_w = emit.address(gradients, emit.mul(output, padded))
        emit.store_masked(emit.mask_first(1), emit.broadcast(d_bias, output) + gradient, d_bias, output)
        use = emit.is_less(0, output)

        def add_block(block: Any, _: list[Any]) -> None:
            start = emit.mul(block, emit.lanes)
            mask = emit.mask_first(emit.sub(a["units"], start))
            # The first output writes the gradient of the hidden state, the others add to it.
            before = emit.load_masked(emit.mask_first(emit.select(use, emit.sub(a["units"], start), 0)), d_h, start)
            emit.store_masked(mask, emit.fma(gradient, emit.load(w, start), before), d_h, start)
            state = emit.load_masked(mask, h, start)
            emit.store(emit.fma(gradient, state, emit.load(d_w, start)), d_w, start)

        emit.loop(blocks, [], add_block)
        return total + value

    def emit_row(number: Any, _: list[Any]) -> None:
        row = emit.add(rows[0], number)
        y = emit.load_i64(emit.add(a["y_rows"], emit.mul(row, 8)), 0)

        def emit_position(position: Any, carried: list[Any]) -> list[Any]:
            h = emit.address(a["h"], emit.add(emit.mul(row, a["h_row"]), emit.mul(position, a["h_position"])))
            d_h = emit.address(a["d_h"], emit.add(emit.mul(row, a["d_h_row"]), emit.mul(position, a["d_h_position"])))

            def iterate(output: Any, carried: list[Any]) -> list[Any]:
                target = emit.address(y, emit.mul(emit.add(position, output), a["y_position"]))
                return [emit_output(output, h, d_h, target, carried[0])]

            return emit.loop(a["outputs"], carried, iterate)

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
    a = emit.load_table(HEAD, table)
    blocks = emit.count_blocks(a["units"])
    padded = emit.mul(blocks, emit.lanes)

    def emit_position(number: Any, _: list[Any]) -> None:
        row = emit.add(rows[0], emit.builder.sdiv(number, a["positions"]))
        position = emit.builder.srem(number, a["positions"])
        h = emit.address(a["h"], emit.add(emit.mul(row, a["h_row"]), emit.mul(position, a["h_position"])))
        place = emit.mul(emit.add(emit.mul(row, a["positions"]), position), a["outputs"])

        def emit_output(output: Any, _: list[Any]) -> None:
            w = emit.address(a["w"], emit.mul(output, padded))
            value = _emit_product(emit, blocks, a["units"], h, w) + emit.broadcast(a["bias"], output)
            emit.store_masked(emit.mask_first(1), value, a["predictions"], emit.add(place, output))

        emit.loop(a["outputs"], [], emit_output)

    emit.loop(emit.mul(emit.sub(rows[1], rows[0]), a["positions"]), [], emit_position)


def _emit_product(emit: Emitter, blocks: Int, units: Int, h: Int, w: Int) -> Vec:
    """The product of a hidden state and a row of weights, in every lane."""

    def add_block(block: Any, carried: list[Any]) -> list[Any]:
        start = emit.mul(block, emit.lanes)
        state = emit.load_masked(emit.mask_first(emit.sub(units, start)), h, start)
        return [emit.fma(state, emit.load(w, start), carried[0])]

    return emit.sum_lanes(emit.loop(blocks, [emit.constant(0)], add_block)[0])
