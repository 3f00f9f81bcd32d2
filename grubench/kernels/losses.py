"""The losses: the value of an error, and its derivative, emitted as LLVM code. An error is forecast less target."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from grubench.kernels.activations import tanh

if TYPE_CHECKING:
    from grubench.kernels.emitter import Emitter, Vec

HUBER_DELTA = 1.0
# exp(-2x) is below the rounding of 1 from here on.
LARGE = 20.0
# 1 / n! for the exponential, the highest first; 1 / n for the series of the inverse hyperbolic tangent.
EXPONENTIAL = tuple(1 / math.factorial(n) for n in range(12, -1, -1))
INVERSE_TANH = tuple(1 / n for n in range(17, 0, -2))
HALVINGS = 6


def squared(emit: Emitter, error: Vec) -> tuple[Vec, Vec]:  # noqa: ARG001
    """e^2, and 2 e."""
    return error * error, error + error


def absolute(emit: Emitter, error: Vec) -> tuple[Vec, Vec]:
    """|e|, and its sign."""
    return emit.absolute(error), emit.sign(error)


def huber(emit: Emitter, error: Vec) -> tuple[Vec, Vec]:
    """e^2 / 2 up to 1, |e| - 1/2 beyond (Huber, 1964): with c the error limited to 1, c e - c^2 / 2."""
    limited = emit.clamp(error, HUBER_DELTA)
    return limited * error - emit.constant(0.5) * limited * limited, limited


def log_cosh(emit: Emitter, error: Vec) -> tuple[Vec, Vec]:
    """log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log(2), and tanh(e)."""
    size = emit.absolute(error)
    shrunk = _exp_of_negative(emit, emit.clamp(size, LARGE) * emit.constant(-2))
    value = size + _log_of_one_more(emit, shrunk) - emit.constant(math.log(2))
    return value, tanh(emit, error)


def _exp_of_negative(emit: Emitter, x: Vec) -> Vec:
    """exp(x) for x from -40 to 0: a Taylor series of x / 64, squared six times."""
    x = x * emit.constant(0.5**HALVINGS)
    total = emit.constant(EXPONENTIAL[0])
    for factor in EXPONENTIAL[1:]:
        total = emit.fma(total, x, emit.constant(factor))
    for _ in range(HALVINGS):
        total = total * total
    return total


def _log_of_one_more(emit: Emitter, x: Vec) -> Vec:
    """log(1 + x) for x from 0 to 1: twice the inverse hyperbolic tangent of x / (2 + x)."""
    part = x / (x + emit.constant(2))
    square = part * part
    total = emit.constant(INVERSE_TANH[0])
    for factor in INVERSE_TANH[1:]:
        total = emit.fma(total, square, emit.constant(factor))
    return emit.constant(2) * part * total


LOSS_TERMS: dict[str, Callable[[Emitter, Vec], tuple[Vec, Vec]]] = {
    "mse": squared,
    "mae": absolute,
    "huber": huber,
    "log_cosh": log_cosh,
}
