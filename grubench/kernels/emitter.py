"""Vectors of 32-bit floats in LLVM: arithmetic, memory and loops, emitted while Python runs.

An `Emitter` writes one function. Whole numbers and addresses are LLVM's i64 (Python's are taken for constants),
offsets count floats, and a `Vec` is a vector of as many floats as the processor computes at once. Sums of products are
fused on purpose (`fma`) and never by the compiler, so that a row's result does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

F32, I64, I32, BIT = ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.IntType(1)
POINTER = ir.PointerType()
FLOAT_BYTES = 4

Int = Any  # a Python int or an ir.Value of i64


@dataclass(frozen=True, eq=False)
class Vec:
    """A vector of floats while a function is emitted."""

    emit: Emitter
    value: ir.Value

    def __add__(self, other: Vec) -> Vec:
        """Sum."""
        return Vec(self.emit, self.emit.builder.fadd(self.value, other.value))

    def __sub__(self, other: Vec) -> Vec:
        """Difference."""
        return Vec(self.emit, self.emit.builder.fsub(self.value, other.value))

    def __mul__(self, other: Vec) -> Vec:
        """Product."""
        return Vec(self.emit, self.emit.builder.fmul(self.value, other.value))

    def __truediv__(self, other: Vec) -> Vec:
        """Quotient."""
        return Vec(self.emit, self.emit.builder.fdiv(self.value, other.value))


class Emitter:
    """Emits the body of one function.

    Args:
        builder: Where to emit.
        lanes: Floats in a vector.
    """

    def __init__(self, builder: ir.IRBuilder, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self._vector = ir.VectorType(F32, lanes)
        self._mask = ir.VectorType(BIT, lanes)
        self._numbers = ir.VectorType(I32, lanes)

    # Whole numbers and addresses.

    def whole(self, value: Int) -> ir.Value:
        """A Python int as a constant; a value as it is."""
        return ir.Constant(I64, value) if isinstance(value, int) else value

    def add(self, *terms: Int) -> ir.Value:
        """The sum of whole numbers."""
        total = self.whole(terms[0])
        for term in terms[1:]:
            total = self.builder.add(total, self.whole(term))
        return total

    def sub(self, one: Int, other: Int) -> ir.Value:
        """The difference of whole numbers."""
        return self.builder.sub(self.whole(one), self.whole(other))

    def mul(self, *factors: Int) -> ir.Value:
        """The product of whole numbers."""
        total = self.whole(factors[0])
        for factor in factors[1:]:
            total = self.builder.mul(total, self.whole(factor))
        return total

    def less(self, one: Int, other: Int) -> ir.Value:
        """Whether one whole number is below another."""
        return self.builder.icmp_signed("<", self.whole(one), self.whole(other))

    def choose(self, condition: ir.Value, one: Int, other: Int) -> ir.Value:
        """One whole number where the condition holds, else the other."""
        return self.builder.select(condition, self.whole(one), self.whole(other))

    def least(self, one: Int, other: Int) -> ir.Value:
        """The smaller of two whole numbers."""
        return self.choose(self.less(one, other), one, other)

    def at(self, base: Int, offset: Int) -> ir.Value:
        """The address that lies so many floats behind another."""
        return self.add(base, self.mul(offset, FLOAT_BYTES))

    def blocks(self, count: Int) -> ir.Value:
        """The vectors that hold so many floats."""
        return self.builder.lshr(self.add(count, self.lanes - 1), self.whole(self.lanes.bit_length() - 1))

    def word(self, base: Int, position: int) -> ir.Value:
        """The whole number at a position of a table of them."""
        return self.builder.load(self._pointer(self.add(base, 8 * position)), typ=I64)

    def _pointer(self, address: ir.Value) -> ir.Value:
        return self.builder.inttoptr(address, POINTER)

    # Memory. Addresses are those of floats and need not be aligned.

    def load(self, base: Int, offset: Int = 0) -> Vec:
        """The vector at an address."""
        value = self.builder.load(self._pointer(self.at(base, offset)), typ=self._vector)
        value.align = FLOAT_BYTES
        return Vec(self, value)

    def store(self, vec: Vec, base: Int, offset: Int = 0) -> None:
        """Write a vector."""
        self.builder.store(vec.value, self._pointer(self.at(base, offset))).align = FLOAT_BYTES

    def spread(self, base: Int, offset: Int = 0) -> Vec:
        """The one float at an address in every lane."""
        value = self.builder.load(self._pointer(self.at(base, offset)), typ=F32)
        value.align = FLOAT_BYTES
        return Vec(self, self._splat(value, self._vector))

    def mask(self, count: Int) -> ir.Value:
        """The first lanes, as many as a whole number says; none where it is not positive."""
        number = self.builder.trunc(self.whole(count), I32)
        lanes = ir.Constant(self._numbers, list(range(self.lanes)))
        return self.builder.icmp_signed("<", lanes, self._splat(number, self._numbers))

    def load_some(self, mask: ir.Value, base: Int, offset: Int = 0) -> Vec:
        """The vector at an address in the lanes of a mask, 0 in the others; the memory of those is not touched."""
        kind = ir.FunctionType(self._vector, [POINTER, I32, self._mask, self._vector])
        load = self._intrinsic(f"llvm.masked.load.v{self.lanes}f32.p0", kind)
        where, align = self._pointer(self.at(base, offset)), ir.Constant(I32, FLOAT_BYTES)
        return Vec(self, self.builder.call(load, [where, align, mask, self.const(0).value]))

    def store_some(self, mask: ir.Value, vec: Vec, base: Int, offset: Int = 0) -> None:
        """Write the lanes of a mask."""
        kind = ir.FunctionType(ir.VoidType(), [self._vector, POINTER, I32, self._mask])
        store = self._intrinsic(f"llvm.masked.store.v{self.lanes}f32.p0", kind)
        where, align = self._pointer(self.at(base, offset)), ir.Constant(I32, FLOAT_BYTES)
        self.builder.call(store, [vec.value, where, align, mask])

    def collect(self, addresses: Sequence[Int], mask: ir.Value) -> Vec:
        """The float at each of as many addresses as there are lanes; 0 in the lanes outside of a mask."""
        value: ir.Value = ir.Constant(self._vector, ir.Undefined)
        for lane, address in enumerate(addresses):
            one = self.builder.load(self._pointer(self.whole(address)), typ=F32)
            one.align = FLOAT_BYTES
            value = self.builder.insert_element(value, one, ir.Constant(I32, lane))
        return Vec(self, self.builder.select(mask, value, self.const(0).value))

    def _splat(self, value: ir.Value, kind: ir.VectorType) -> ir.Value:
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(I32, 0))
        zeros = ir.Constant(self._numbers, [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def _intrinsic(self, name: str, kind: ir.FunctionType) -> ir.Function:
        module = self.builder.module
        known: ir.Function = module.globals.get(name) or ir.Function(module, kind, name)
        return known

    # Arithmetic.

    def const(self, value: float) -> Vec:
        """A number in every lane."""
        return Vec(self, ir.Constant(self._vector, [ir.Constant(F32, float(value))] * self.lanes))

    def fma(self, one: Vec, other: Vec, third: Vec) -> Vec:
        """One times other plus third, rounded once."""
        kind = ir.FunctionType(self._vector, [self._vector] * 3)
        call = self._intrinsic(f"llvm.fma.v{self.lanes}f32", kind)
        return Vec(self, self.builder.call(call, [one.value, other.value, third.value]))

    def clamp(self, vec: Vec, bound: float) -> Vec:
        """The vector within -bound to bound; NaN stays NaN."""
        value = vec.value
        for sign, limit in (("<", self.const(-bound).value), (">", self.const(bound).value)):
            value = self.builder.select(self.builder.fcmp_ordered(sign, value, limit), limit, value)
        return Vec(self, value)

    # Control.

    def loop(
        self,
        count: Int,
        carried: Sequence[Any],
        body: Callable[[ir.Value, list[Any]], Sequence[Any] | None],
        step: int = 1,
    ) -> list[Any]:
        """Emit `for k in range(0, count, step)`.

        Args:
            count: The bound.
            carried: Vectors and whole numbers that go from one turn to the next.
            body: Called once, with the turn's k and what is carried; returns what the next turn gets.
            step: The step.

        Returns:
            What is carried, after the last turn.
        """
        builder, before = self.builder, self.builder.block
        head, inside, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
        builder.branch(head)
        builder.position_at_end(head)
        turn = builder.phi(I64)
        turn.add_incoming(ir.Constant(I64, 0), before)
        phis = []
        for one in carried:
            value = one.value if isinstance(one, Vec) else self.whole(one)
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            phis.append(phi)
        builder.cbranch(builder.icmp_signed("<", turn, self.whole(count)), inside, end)
        builder.position_at_end(inside)
        wrapped = [Vec(self, phi) if isinstance(one, Vec) else phi for one, phi in zip(carried, phis, strict=True)]
        after = body(turn, list(wrapped)) or []
        turn.add_incoming(builder.add(turn, ir.Constant(I64, step)), builder.block)
        for phi, one in zip(phis, after, strict=True):
            phi.add_incoming(one.value if isinstance(one, Vec) else self.whole(one), builder.block)
        builder.branch(head)
        builder.position_at_end(end)
        return wrapped
