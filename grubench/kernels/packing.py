"""Packing of weights into the kernels' layout, and unpacking of gradients into Keras's, emitted as LLVM code.

In the kernels' layout a matrix lies block after block of units, `(block, inner, gate, lane)`, padded with 0. The inner
dimension is that of the features (W) or of the units of the previous state (U).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grubench.kernels.arguments import PACK, SUM_PARTS
from grubench.kernels.emitter import Emitter, Int, Vec


def emit_pack(emit: Emitter, table: Int) -> None:
    """Emit the packing of a matrix `(inner, gates x units)` as `(block, inner, gate, lane)`."""
    arguments = {name: emit.load_i64(table, position) for position, name in enumerate(PACK)}

    def copy(source: Any, target: Any, mask: Any) -> None:
        emit.store(emit.load_masked(mask, arguments["source"], source), arguments["target"], target)

    _loop_over_vectors(emit, arguments, copy)


def emit_sum_parts(emit: Emitter, table: Int) -> None:
    """Emit the sum of partial gradients `(part, block, inner, gate, lane)` as a matrix `(inner, gates x units)`."""
    arguments = {name: emit.load_i64(table, position) for position, name in enumerate(SUM_PARTS)}

    def sum_vectors(target: Any, source: Any, mask: Any) -> None:
        def add(part: Any, total: list[Any]) -> list[Vec]:
            offset = emit.add(emit.mul(part, arguments["stride"]), source)
            return [total[0] + emit.load(arguments["source"], offset)]

        total = emit.loop(arguments["parts"], [emit.constant(0)], add)[0]
        emit.store_masked(mask, total, arguments["target"], target)

    _loop_over_vectors(emit, arguments, sum_vectors)


def _loop_over_vectors(emit: Emitter, arguments: dict[str, Any], body: Callable[[Any, Any, Any], None]) -> None:
    """Emit `body(offset in the matrix, offset in the packed matrix, mask of units)` for every vector."""

    def loop_over_inner(block: Any, _: list[Any]) -> None:
        start = emit.mul(block, emit.lanes)
        mask = emit.mask_first(emit.sub(arguments["units"], start))

        def loop_over_gates(k: Any, _: list[Any]) -> None:
            packed = emit.mul(emit.add(emit.mul(block, arguments["inner"]), k), arguments["gates"])

            def emit_vector(gate: Any, _: list[Any]) -> None:
                offset = emit.add(emit.mul(k, arguments["row"]), emit.mul(gate, arguments["units"]), start)
                body(offset, emit.mul(emit.add(packed, gate), emit.lanes), mask)

            emit.loop(arguments["gates"], [], emit_vector)

        emit.loop(arguments["inner"], [], loop_over_gates)

    emit.loop(emit.count_blocks(arguments["units"]), [], loop_over_inner)


def emit_pack_transposed(emit: Emitter, table: Int) -> None:
    """Emit the packing of a matrix `(inner, gates x units)` as `(block of inner, gates x units, lane)`."""
    arguments = {name: emit.load_i64(table, position) for position, name in enumerate(PACK)}
    columns = emit.mul(arguments["gates"], arguments["units"])

    def loop_over_columns(block: Any, _: list[Any]) -> None:
        start = emit.mul(block, emit.lanes)
        rows = [emit.add(start, lane) for lane in range(emit.lanes)]
        valid = [emit.is_less(row, arguments["inner"]) for row in rows]
        offsets = [
            emit.mul(emit.select(is_valid, row, 0), arguments["row"]) for is_valid, row in zip(valid, rows, strict=True)
        ]
        mask = emit.mask_first(emit.sub(arguments["inner"], start))

        def pack_column(k: Any, _: list[Any]) -> None:
            addresses = [emit.address(arguments["source"], emit.add(offset, k)) for offset in offsets]
            vec = emit.gather(addresses, mask)
            emit.store(vec, arguments["target"], emit.mul(emit.add(emit.mul(block, columns), k), emit.lanes))

        emit.loop(columns, [], pack_column)

    emit.loop(emit.count_blocks(arguments["inner"]), [], loop_over_columns)
