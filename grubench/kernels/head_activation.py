"""The activation before the Dense head, and its gradient, emitted as LLVM code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from grubench.kernels.activations import sigmoid_fraction, tanh

if TYPE_CHECKING:
    from grubench.kernels.emitter import Emitter, Vec
    from grubench.kernels.integer_emitter import Int

ACTIVATE = ("source", "target", "count")  # (row, count)
DERIVE = ("outputs", "gradients", "count")


def _relu(emit: Emitter, x: Vec) -> Vec:
    return emit.maximum_of(emit.constant(0), x)


def _sigmoid(emit: Emitter, x: Vec) -> Vec:
    top, bottom = sigmoid_fraction(emit, x)
    return top / bottom


# The activation, and its derivative from its output.
HEAD_ACTIVATIONS: dict[str, tuple[Callable[[Emitter, Vec], Vec], Callable[[Emitter, Vec], Vec]]] = {
    "relu": (_relu, lambda emit, y: emit.sign(y)),
    "tanh": (tanh, lambda emit, y: emit.constant(1) - y * y),
    "sigmoid": (_sigmoid, lambda emit, y: y * (emit.constant(1) - y)),
}


def emit_activate(emit: Emitter, name: str, table: Int, rows: tuple[Int, Int]) -> None:
    """Emit the activation of some rows."""
    activate = HEAD_ACTIVATIONS[name][0]
    _emit_rows(emit, ACTIVATE, table, rows, lambda _, source: activate(emit, source))


def emit_derive(emit: Emitter, name: str, table: Int, rows: tuple[Int, Int]) -> None:
    """Emit the product of the gradients of some rows and the derivative."""
    derive = HEAD_ACTIVATIONS[name][1]
    _emit_rows(emit, DERIVE, table, rows, lambda gradient, output: gradient * derive(emit, output))


def _emit_rows(
    emit: Emitter, names: tuple[str, ...], table: Int, rows: tuple[Int, Int], compute: Callable[[Vec, Vec], Vec]
) -> None:
    """Emit `target = compute(target, source)` for some rows; the first two names are the source and the target."""
    source, target, count = emit.load_table(names, table).values()

    def emit_row(number: Any, _: list[Any]) -> None:
        first = emit.mul(emit.add(rows[0], number), count)

        def emit_vector(start: Any, _: list[Any]) -> None:
            place, mask = emit.add(first, start), emit.mask_first(emit.sub(count, start))
            result = compute(emit.load_masked(mask, target, place), emit.load_masked(mask, source, place))
            emit.store_masked(mask, result, target, place)

        emit.loop(count, [], emit_vector, step=emit.lanes)

    emit.loop(emit.sub(rows[1], rows[0]), [], emit_row)
