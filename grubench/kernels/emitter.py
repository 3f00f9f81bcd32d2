"""An emitter of LLVM code for vectors (SIMD) of 32-bit floats: arithmetic, masked loads and stores, loops.

An `Emitter` writes one function, with the integers of `integer_emitter`. A `Vec` is a SIMD vector: as many floats as
the processor computes at once, each in a lane. Fused multiply-adds are emitted on purpose (`fma`) and never formed by
the compiler, so that the result of a sequence does not depend on the other sequences of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from grubench.kernels.integer_emitter import FLOAT_BYTES, I64, POINTER, Int, IntegerEmitter

F32, I32, BIT = ir.FloatType(), ir.IntType(32), ir.IntType(1)


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


class Emitter(IntegerEmitter):
    """Emits the body of one function.

    Args:
        builder: Where to emit.
        lanes: Floats in a vector.
    """

    def __init__(self, builder: ir.IRBuilder, lanes: int) -> None:
        super().__init__(builder)
        self.lanes = lanes
        self._vector = ir.VectorType(F32, lanes)
        self._mask = ir.VectorType(BIT, lanes)
        self._numbers = ir.VectorType(I32, lanes)

    def count_blocks(self, count: Int) -> ir.Value:
        """The number of vectors that hold so many floats."""
        return self.builder.lshr(self.add(count, self.lanes - 1), self.to_i64(self.lanes.bit_length() - 1))

    # Memory. Addresses point to floats and need no alignment to vectors.

    def load(self, base: Int, offset: Int = 0) -> Vec:
        """The vector at an address."""
        value = self.builder.load(self._pointer(self.address(base, offset)), typ=self._vector)
        value.align = FLOAT_BYTES
        return Vec(self, value)

    def store(self, vec: Vec, base: Int, offset: Int = 0) -> None:
        """Write a vector."""
        self.builder.store(vec.value, self._pointer(self.address(base, offset))).align = FLOAT_BYTES

    def broadcast(self, base: Int, offset: Int = 0) -> Vec:
        """The float at an address, in every lane."""
        value = self.builder.load(self._pointer(self.address(base, offset)), typ=F32)
        value.align = FLOAT_BYTES
        return Vec(self, self.splat(value, self._vector))

    def mask_first(self, count: Int) -> ir.Value:
        """The mask of the first `count` lanes; none where it is not positive."""
        number = self.builder.trunc(self.to_i64(count), I32)
        lanes = ir.Constant(self._numbers, list(range(self.lanes)))
        return self.builder.icmp_signed("<", lanes, self.splat(number, self._numbers))

    def load_masked(self, mask: ir.Value, base: Int, offset: Int = 0) -> Vec:
        """The vector at an address in the lanes of a mask, 0 in the others, whose memory is not read."""
        kind = ir.FunctionType(self._vector, [POINTER, I32, self._mask, self._vector])
        load = self._intrinsic(f"llvm.masked.load.v{self.lanes}f32.p0", kind)
        pointer, align = self._pointer(self.address(base, offset)), ir.Constant(I32, FLOAT_BYTES)
        return Vec(self, self.builder.call(load, [pointer, align, mask, self.constant(0).value]))

    def store_masked(self, mask: ir.Value, vec: Vec, base: Int, offset: Int = 0) -> None:
        """Write the lanes of a mask; the memory of the others is not written."""
        kind = ir.FunctionType(ir.VoidType(), [self._vector, POINTER, I32, self._mask])
        store = self._intrinsic(f"llvm.masked.store.v{self.lanes}f32.p0", kind)
        pointer, align = self._pointer(self.address(base, offset)), ir.Constant(I32, FLOAT_BYTES)
        self.builder.call(store, [vec.value, pointer, align, mask])

    def gather(self, addresses: Sequence[Int], mask: ir.Value) -> Vec:
        """The float at the address of each lane; 0 in the lanes outside a mask."""
        value: ir.Value = ir.Constant(self._vector, ir.Undefined)
        for lane, address in enumerate(addresses):
            element = self.builder.load(self._pointer(self.to_i64(address)), typ=F32)
            element.align = FLOAT_BYTES
            value = self.builder.insert_element(value, element, ir.Constant(I32, lane))
        return Vec(self, self.builder.select(mask, value, self.constant(0).value))

    def splat(self, value: ir.Value, kind: ir.VectorType) -> ir.Value:
        """A value in every lane of a vector of this type."""
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(I32, 0))
        zeros = ir.Constant(self._numbers, [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def _intrinsic(self, name: str, kind: ir.FunctionType) -> ir.Function:
        module = self.builder.module
        function: ir.Function = module.globals.get(name) or ir.Function(module, kind, name)
        return function

    # Arithmetic.

    def constant(self, value: float) -> Vec:
        """A constant in every lane."""
        return Vec(self, ir.Constant(self._vector, [ir.Constant(F32, float(value))] * self.lanes))

    def fma(self, first: Vec, second: Vec, third: Vec) -> Vec:
        """The fused multiply-add: first x second + third, rounded once."""
        kind = ir.FunctionType(self._vector, [self._vector] * 3)
        call = self._intrinsic(f"llvm.fma.v{self.lanes}f32", kind)
        return Vec(self, self.builder.call(call, [first.value, second.value, third.value]))

    def clamp(self, vec: Vec, bound: float) -> Vec:
        """The vector limited to -bound to bound; NaN stays NaN."""
        return self.clamp_to(vec, self.constant(bound))

    def clamp_to(self, vec: Vec, bound: Vec) -> Vec:
        """The vector limited to -bound to bound; NaN stays NaN."""
        value, low = vec.value, (self.constant(0) - bound).value
        for sign, limit in (("<", low), (">", bound.value)):
            value = self.builder.select(self.builder.fcmp_ordered(sign, value, limit), limit, value)
        return Vec(self, value)

    def sqrt(self, vec: Vec) -> Vec:
        """The square root."""
        return self._call_unary("sqrt", vec)

    def absolute(self, vec: Vec) -> Vec:
        """The absolute value."""
        return self._call_unary("fabs", vec)

    def _call_unary(self, name: str, vec: Vec) -> Vec:
        function = self._intrinsic(f"llvm.{name}.v{self.lanes}f32", ir.FunctionType(self._vector, [self._vector]))
        return Vec(self, self.builder.call(function, [vec.value]))

    def maximum_of(self, first: Vec, second: Vec) -> Vec:
        """The larger of two vectors, lane by lane; NaN where the second is."""
        first_is_larger = self.builder.fcmp_ordered(">", first.value, second.value)
        return Vec(self, self.builder.select(first_is_larger, first.value, second.value))

    def sign(self, vec: Vec) -> Vec:
        """-1, 0 or 1; NaN stays NaN."""
        zero, value = self.constant(0).value, vec.value
        for comparison, unit in (("<", self.constant(-1)), (">", self.constant(1))):
            value = self.builder.select(self.builder.fcmp_ordered(comparison, vec.value, zero), unit.value, value)
        return Vec(self, value)

    def sum_lanes(self, vec: Vec) -> Vec:
        """The sum of the lanes, in every lane, halves added to halves."""
        value, width = vec.value, self.lanes // 2
        while width:
            swapped = ir.Constant(self._numbers, [lane ^ width for lane in range(self.lanes)])
            value = self.builder.fadd(value, self.builder.shuffle_vector(value, value, swapped))
            width //= 2
        return Vec(self, value)

    # Loops.

    def emit_while(self, condition: Callable[[ir.Value], ir.Value], body: Callable[[ir.Value], None]) -> None:
        """Emit `while condition(k): body(k)`, with k counting from 0."""
        self._emit_loop(condition, [], lambda index, _: body(index), 1)

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
            carried: The initial values of vectors and integers that pass from one iteration to the next.
            body: Called once, with k and the carried values; returns those of the next iteration.
            step: The step.

        Returns:
            The carried values after the last iteration.
        """
        return self._emit_loop(lambda index: self.is_less(index, count), carried, body, step)

    def _emit_loop(
        self,
        condition: Callable[[ir.Value], ir.Value],
        carried: Sequence[Any],
        body: Callable[[ir.Value, list[Any]], Sequence[Any] | None],
        step: int,
    ) -> list[Any]:
        """Emit `loop` with a condition of k in place of its bound."""
        builder, before = self.builder, self.builder.block
        head, inside, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(I64)
        index.add_incoming(ir.Constant(I64, 0), before)
        phis = []
        for initial in carried:
            value = self._to_value(initial)
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            phis.append(phi)
        builder.cbranch(condition(index), inside, end)
        builder.position_at_end(inside)
        current = [
            Vec(self, phi) if isinstance(initial, Vec) else phi for initial, phi in zip(carried, phis, strict=True)
        ]
        following = body(index, list(current)) or []
        index.add_incoming(builder.add(index, ir.Constant(I64, step)), builder.block)
        for phi, value in zip(phis, following, strict=True):
            phi.add_incoming(self._to_value(value), builder.block)
        builder.branch(head)
        builder.position_at_end(end)
        return current

    def _to_value(self, value: Vec | Int) -> ir.Value:
        return value.value if isinstance(value, Vec) else self.to_i64(value)
