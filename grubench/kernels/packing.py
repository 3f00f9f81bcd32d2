"""Weights into the order that the kernels read them in, and gradients back into Keras's.

In the kernels' order a matrix lies block after block of units: `(block, inner, gate, lane)`, with 0 behind the units.
"""

from __future__ import annotations

from typing import Any

from grubench.kernels.emitter import Emitter, Int, Vec

# What stands in the tables of these functions.
# A matrix (inner, gates x units) whose rows begin `row` floats apart.
PACK = ("source", "target", "inner", "gates", "units", "row")
# The same from the parts of several slots, `stride` floats apart.
GATHER = (*PACK, "slots", "stride")


def pack(emit: Emitter, table: Int) -> None:
    """Emit the packing of a matrix `(inner, gates x units)` as `(block, inner, gate, lane)`."""
    of = {name: emit.word(table, position) for position, name in enumerate(PACK)}

    def one(source: Any, target: Any, mask: Any) -> None:
        emit.store(emit.load_some(mask, of["source"], source), of["target"], target)

    _each(emit, of, one)


def gather(emit: Emitter, table: Int) -> None:
    """Emit the sum of the slots' gradients `(block, inner, gate, lane)` as a matrix `(inner, gates x units)`."""
    of = {name: emit.word(table, position) for position, name in enumerate(GATHER)}

    def one(place: Any, source: Any, mask: Any) -> None:
        def add(slot: Any, total: list[Any]) -> list[Vec]:
            return [total[0] + emit.load(of["source"], emit.add(emit.mul(slot, of["stride"]), source))]

        total = emit.loop(of["slots"], [emit.const(0)], add)[0]
        emit.store_some(mask, total, of["target"], place)

    _each(emit, of, one)


def _each(emit: Emitter, of: dict[str, Any], one: Any) -> None:
    """Emit `one(place in the matrix, place among the blocks, the lanes that hold units)` for every vector."""

    def block(number: Any, _: list[Any]) -> None:
        start = emit.mul(number, emit.lanes)
        mask = emit.mask(emit.sub(of["units"], start))

        def inner(k: Any, _: list[Any]) -> None:
            packed = emit.mul(emit.add(emit.mul(number, of["inner"]), k), of["gates"])

            def gate(g: Any, _: list[Any]) -> None:
                place = emit.add(emit.mul(k, of["row"]), emit.mul(g, of["units"]), start)
                one(place, emit.mul(emit.add(packed, g), emit.lanes), mask)

            emit.loop(of["gates"], [], gate)

        emit.loop(of["inner"], [], inner)

    emit.loop(emit.blocks(of["units"]), [], block)


def pack_across(emit: Emitter, table: Int) -> None:
    """Emit the packing of a matrix `(inner, gates x units)` as `(block of inner, gates x units, lane)`: transposed."""
    of = {name: emit.word(table, position) for position, name in enumerate(PACK)}
    columns = emit.mul(of["gates"], of["units"])

    def block(number: Any, _: list[Any]) -> None:
        start = emit.mul(number, emit.lanes)
        rows = [emit.add(start, lane) for lane in range(emit.lanes)]
        real = [emit.less(row, of["inner"]) for row in rows]
        places = [emit.mul(emit.choose(here, row, 0), of["row"]) for here, row in zip(real, rows, strict=True)]
        inside = emit.mask(emit.sub(of["inner"], start))

        def column(k: Any, _: list[Any]) -> None:
            vec = emit.collect([emit.at(of["source"], emit.add(place, k)) for place in places], inside)
            emit.store(vec, of["target"], emit.mul(emit.add(emit.mul(number, columns), k), emit.lanes))

        emit.loop(columns, [], column)

    emit.loop(emit.blocks(of["inner"]), [], block)
