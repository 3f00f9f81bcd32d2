"""Activations on vectors, emitted as LLVM code: tanh and the logistic sigmoid.

Each is a fraction (numerator, denominator), so that two of them can share one division.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grubench.kernels.emitter import Emitter, Vec

# tanh as a rational function, odd over even, as in Eigen (generic_fast_tanh_float): exact to a few ulp from -7.9 to
# 7.9, beyond which it is 1 in 32 bits.
TANH_BOUND = 7.90531110763549805
TANH_ODD = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
TANH_EVEN = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)


def tanh_fraction(emit: Emitter, x: Vec) -> tuple[Vec, Vec]:
    """Emit tanh(x) as numerator and denominator."""
    x = emit.clamp(x, TANH_BOUND)
    square = x * x
    odd, even = emit.constant(TANH_ODD[0]), emit.constant(TANH_EVEN[0])
    for factor in TANH_ODD[1:]:
        odd = emit.fma(odd, square, emit.constant(factor))
    for factor in TANH_EVEN[1:]:
        even = emit.fma(even, square, emit.constant(factor))
    return odd * x, even


def sigmoid_fraction(emit: Emitter, x: Vec) -> tuple[Vec, Vec]:
    """Emit the logistic sigmoid 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2 as numerator and denominator."""
    top, bottom = tanh_fraction(emit, x * emit.constant(0.5))
    return (top + bottom) * emit.constant(0.5), bottom


def tanh(emit: Emitter, x: Vec) -> Vec:
    """Emit the hyperbolic tangent."""
    top, bottom = tanh_fraction(emit, x)
    return top / bottom


def divide_both(emit: Emitter, first: tuple[Vec, Vec], second: tuple[Vec, Vec]) -> tuple[Vec, Vec]:
    """Emit the values of two fractions with one division, which takes as long as several products."""
    inverse = emit.constant(1) / (first[1] * second[1])
    return first[0] * second[1] * inverse, second[0] * first[1] * inverse
