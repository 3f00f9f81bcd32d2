"""Dropout, emitted as LLVM code: each value is 0 with the rate's probability, and else divided by what is kept.

Random numbers come from Philox, a generator without a state: a number follows from the seed, the layer, the step, the
row and the place in it. They are the same on any number of threads, after a resumption, and for vectors of any length.

References:
    Srivastava et al., "Dropout", 2014. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011 (Philox).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from grubench.kernels.emitter import I32, Emitter, Vec
from grubench.kernels.integer_emitter import I64, Int
from grubench.kernels.tape import ALL_STEPS

DROPOUT = (
    "source",  # (row, count)
    "target",
    "count",
    "threshold",  # of 2^32: below it a value is dropped
    "scale",  # the address of 1 / (1 - rate)
    "seed",
    "layer",
    "shared",
)
ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
# Values that share a counter's four numbers lie so far apart: the longest vector.
APART = 16


class _Philox:
    """Philox4x32-10 on vectors of counters."""

    def __init__(self, emit: Emitter) -> None:
        self.emit, self.builder = emit, emit.builder
        self.narrow, self.wide = ir.VectorType(I32, emit.lanes), ir.VectorType(I64, emit.lanes)

    def splat(self, value: ir.Value) -> ir.Value:
        """A 32-bit integer in every lane."""
        return self.emit.splat(value, self.narrow)

    def draw(self, counter: list[ir.Value], key: list[ir.Value]) -> list[ir.Value]:
        """Four vectors of 32 random bits from four of counters; the key is two integers."""
        keys = list(key)
        for _ in range(ROUNDS):
            first, second = (
                self._multiply(counter[place], by) for place, by in ((0, MULTIPLIERS[0]), (2, MULTIPLIERS[1]))
            )
            xor = self.builder.xor
            counter = [
                xor(xor(second[0], counter[1]), self.splat(keys[0])),
                second[1],
                xor(xor(first[0], counter[3]), self.splat(keys[1])),
                first[1],
            ]
            keys = [self.builder.add(k, ir.Constant(I32, weyl)) for k, weyl in zip(keys, WEYL, strict=True)]
        return counter

    def _multiply(self, vec: ir.Value, by: int) -> tuple[ir.Value, ir.Value]:
        """The high and the low half of a product."""
        factor = ir.Constant(self.wide, [by] * self.emit.lanes)
        product = self.builder.mul(self.builder.zext(vec, self.wide), factor)
        half = ir.Constant(self.wide, [32] * self.emit.lanes)
        high = self.builder.trunc(self.builder.lshr(product, half), self.narrow)
        return high, self.builder.trunc(product, self.narrow)


def emit_dropout(emit: Emitter, table: Int, rows: tuple[Int, Int]) -> None:
    """Emit the dropout of some rows; with their gradients as the source, its gradient.

    Args:
        emit: The emitter.
        table: The argument table (`DROPOUT`).
        rows: The first row, and the one after the last.
    """
    a = emit.load_table(DROPOUT, table)
    builder, philox = emit.builder, _Philox(emit)
    narrow = [builder.trunc(value, I32) for value in (a["seed"], a["layer"], emit.load_shared(a["shared"], ALL_STEPS))]
    key = [narrow[0], builder.trunc(builder.lshr(a["seed"], ir.Constant(I64, 32)), I32)]
    threshold = philox.splat(builder.trunc(a["threshold"], I32))
    scale, lanes = emit.broadcast(a["scale"]), emit.lanes
    chunk = 4 * APART

    def emit_row(number: Any, _: list[Any]) -> None:
        row = emit.add(rows[0], number)
        source, target = (emit.address(a[name], emit.mul(row, a["count"])) for name in ("source", "target"))

        def emit_chunk(number: Any, _: list[Any]) -> None:
            for part in range(APART // lanes):
                first = ir.Constant(philox.narrow, [part * lanes + lane for lane in range(lanes)])
                place = builder.trunc(emit.mul(number, APART), I32)
                counter = [
                    builder.add(philox.splat(place), first),
                    philox.splat(builder.trunc(row, I32)),
                    philox.splat(narrow[2]),
                    philox.splat(narrow[1]),
                ]
                for word, bits in enumerate(philox.draw(counter, key)):
                    start = emit.add(emit.mul(number, chunk), word * APART + part * lanes)
                    _emit_vector(start, bits)

        def _emit_vector(start: Int, bits: ir.Value) -> None:
            mask = emit.mask_first(emit.sub(a["count"], start))
            kept = builder.icmp_unsigned(">=", bits, threshold)
            value = emit.load_masked(mask, source, start) * scale
            emit.store_masked(mask, Vec(emit, builder.select(kept, value.value, emit.constant(0).value)), target, start)

        chunks = builder.sdiv(emit.add(a["count"], chunk - 1), ir.Constant(I64, chunk))
        emit.loop(chunks, [], emit_chunk)

    emit.loop(emit.sub(rows[1], rows[0]), [], emit_row)
