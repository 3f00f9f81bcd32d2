"""An emitter of LLVM code for integers: arithmetic, tables in memory, calls, and what threads share.

Integers and addresses are LLVM's i64; a Python int becomes a constant. Offsets count floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

I64 = ir.IntType(64)
POINTER = ir.PointerType()
FLOAT_BYTES = 4

Int = Any  # a Python int or an ir.Value of i64


class IntegerEmitter:
    """Emits integers of one function.

    Args:
        builder: Where to emit.
    """

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    # Arithmetic.

    def to_i64(self, value: Int) -> ir.Value:
        """A Python int as a constant; an i64 value unchanged."""
        return ir.Constant(I64, value) if isinstance(value, int) else value

    def add(self, *terms: Int) -> ir.Value:
        """The sum of integers."""
        total = self.to_i64(terms[0])
        for term in terms[1:]:
            total = self.builder.add(total, self.to_i64(term))
        return total

    def sub(self, first: Int, second: Int) -> ir.Value:
        """The difference of two integers."""
        return self.builder.sub(self.to_i64(first), self.to_i64(second))

    def mul(self, *factors: Int) -> ir.Value:
        """The product of integers."""
        total = self.to_i64(factors[0])
        for factor in factors[1:]:
            total = self.builder.mul(total, self.to_i64(factor))
        return total

    def is_less(self, first: Int, second: Int) -> ir.Value:
        """Whether the first integer is less than the second."""
        return self.builder.icmp_signed("<", self.to_i64(first), self.to_i64(second))

    def is_equal(self, first: Int, second: Int) -> ir.Value:
        """Whether two integers are equal."""
        return self.builder.icmp_signed("==", self.to_i64(first), self.to_i64(second))

    def select(self, condition: ir.Value, first: Int, second: Int) -> ir.Value:
        """The first integer where the condition holds, else the second."""
        return self.builder.select(condition, self.to_i64(first), self.to_i64(second))

    def minimum(self, first: Int, second: Int) -> ir.Value:
        """The smaller of two integers."""
        return self.select(self.is_less(first, second), first, second)

    def address(self, base: Int, offset: Int) -> ir.Value:
        """The address `offset` floats after another."""
        return self.add(base, self.mul(offset, FLOAT_BYTES))

    # Memory.

    def load_i64(self, base: Int, position: int) -> ir.Value:
        """The integer at a position of a table of i64."""
        return self.builder.load(self._pointer(self.add(base, 8 * position)), typ=I64)

    def load_table(self, names: Sequence[str], table: Int) -> dict[str, ir.Value]:
        """The integers of a table of i64, by their names."""
        return {name: self.load_i64(table, position) for position, name in enumerate(names)}

    def store_i64(self, value: Int, base: Int) -> None:
        """Write an integer."""
        self.builder.store(self.to_i64(value), self._pointer(base))

    # Control.

    def call(self, function: Int, arguments: Sequence[Int] = ()) -> None:
        """Call the compiled function at an address, with integers."""
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(arguments))
        pointer = self.builder.inttoptr(self.to_i64(function), kind.as_pointer())
        self.builder.call(pointer, [self.to_i64(value) for value in arguments])

    def emit_if(self, condition: ir.Value, then: Callable[[], None]) -> None:
        """Emit what runs where a condition holds."""
        with self.builder.if_then(condition):
            then()

    # Integers that threads share.

    def add_shared(self, base: Int, position: int, value: int) -> ir.Value:
        """Add to an integer at a position of a table, before and after all other memory; what it was before."""
        pointer = self._pointer(self.add(base, 8 * position))
        return self.builder.atomic_rmw("add", pointer, self.to_i64(value), "acq_rel")

    def exchange_shared(self, base: Int, position: int, value: int) -> ir.Value:
        """Write an integer at a position of a table; what it was before."""
        pointer = self._pointer(self.add(base, 8 * position))
        return self.builder.atomic_rmw("xchg", pointer, self.to_i64(value), "acq_rel")

    def load_shared(self, base: Int, position: int) -> ir.Value:
        """The integer at a position of a table, as the thread that wrote it last left it."""
        return self.builder.load_atomic(self._pointer(self.add(base, 8 * position)), "acquire", 8, typ=I64)

    def _pointer(self, address: ir.Value) -> ir.Value:
        return self.builder.inttoptr(address, POINTER)
