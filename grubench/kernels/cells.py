"""The mathematics of the cells: one step forward and one step back, on vectors of units.

Conventions are Keras's. `x W + b` and `h U + b` reach a cell as sums a gate; what a cell names in `from_input` and
`from_state` says which of its sums the columns of W and of U add to. Activations are tanh and the logistic sigmoid.

Backward, `d` is the derivative of the loss by the step's output. A cell returns its derivative by each of its sums (the
`slopes`, which multiply x and h in the gradients of W and U) and what flows to the step before besides what U carries.

References:
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014 (GRU; Keras's z is their 1 - z).
    Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997; Gers et al., "Learning to Forget", 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
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


def tanh_parts(emit: Emitter, x: Vec) -> tuple[Vec, Vec]:
    """The numerator and denominator of tanh(x)."""
    x = emit.clamp(x, TANH_BOUND)
    square = x * x
    odd, even = emit.const(TANH_ODD[0]), emit.const(TANH_EVEN[0])
    for factor in TANH_ODD[1:]:
        odd = emit.fma(odd, square, emit.const(factor))
    for factor in TANH_EVEN[1:]:
        even = emit.fma(even, square, emit.const(factor))
    return odd * x, even


def sigmoid_parts(emit: Emitter, x: Vec) -> tuple[Vec, Vec]:
    """The numerator and denominator of the logistic sigmoid: 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2."""
    top, bottom = tanh_parts(emit, x * emit.const(0.5))
    return (top + bottom) * emit.const(0.5), bottom


def tanh(emit: Emitter, x: Vec) -> Vec:
    """The hyperbolic tangent."""
    top, bottom = tanh_parts(emit, x)
    return top / bottom


def two(emit: Emitter, one: tuple[Vec, Vec], other: tuple[Vec, Vec]) -> tuple[Vec, Vec]:
    """Two quotients with one division, which takes as long as several products."""
    inverse = emit.const(1) / (one[1] * other[1])
    return one[0] * other[1] * inverse, other[0] * one[1] * inverse


@dataclass(frozen=True)
class Step:
    """What a step forward gives.

    Attributes:
        h: The output.
        c: The cell state; None where there is none.
        saved: What the step back needs.
    """

    h: Vec
    c: Vec | None
    saved: tuple[Vec, ...]


@dataclass(frozen=True)
class StepBack:
    """What a step back gives.

    Attributes:
        slopes: The derivative by each sum.
        dh: What flows to the output of the step before, besides what U carries.
        dc: What flows to the cell state of the step before; None where there is none.
    """

    slopes: tuple[Vec, ...]
    dh: Vec
    dc: Vec | None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What the schedule must know of a cell.

    Attributes:
        name: `gru`, `gru_before`, `lstm` or `rnn`.
        sums: How many sums a step takes.
        from_input: The sum that each gate of W adds to, in the order of W's columns.
        from_state: The same for U, as far as it multiplies the output before.
        from_middle: The same for the rest of U, which multiplies what a cell makes of its first sums (`middle`).
        biases: How many biases a gate has.
        saved: How many vectors a step forward saves.
        has_c: Whether there is a cell state beside the output.
    """

    name: str
    sums: int
    from_input: tuple[int, ...]
    from_state: tuple[int, ...]
    from_middle: tuple[int, ...] = ()
    biases: int = 1
    saved: int
    has_c: bool = False

    @property
    def gates(self) -> int:
        """The gates, each a block of columns in W and U."""
        return len(self.from_input)

    def forward(self, emit: Emitter, sums: list[Vec], h: Vec, c: Vec | None) -> Step:
        """One step forward from the sums of each gate and the states before."""
        raise NotImplementedError

    def backward(self, emit: Emitter, d: Vec, dc: Vec | None, saved: list[Vec], h: Vec) -> StepBack:
        """One step back: `d` and `dc` by the states after, what was saved, and the output before."""
        raise NotImplementedError

    def middle(self, emit: Emitter, sums: list[Vec], h: Vec) -> tuple[Vec, tuple[Vec, ...]]:
        """What the last columns of U multiply, and what is saved until their product is there."""
        raise NotImplementedError

    def after_middle(self, emit: Emitter, saved: list[Vec], product: Vec, h: Vec) -> Step:
        """The rest of a step forward, from what `middle` saved and its product with U."""
        raise NotImplementedError

    def middle_again(self, emit: Emitter, saved: list[Vec], h: Vec) -> Vec:
        """`middle` once more, from what a step forward saved."""
        raise NotImplementedError

    def through_middle(self, emit: Emitter, d: Vec, saved: list[Vec], h: Vec) -> tuple[Vec, Vec]:
        """The rest of a step back, from the derivative by `middle`: the missing slope, and what flows to the output."""
        raise NotImplementedError


class GRU(Cell):
    """The gated recurrent unit with `reset_after`: z, r, candidate c = tanh(x W_c + r (h U_c)), h' = z h + (1 - z) c.

    The sums are those of z, of r, of x W_c and of q = h U_c.
    """

    def forward(self, emit: Emitter, sums: list[Vec], h: Vec, c: Vec | None) -> Step:  # noqa: ARG002
        """One step forward."""
        az, ar, ac, q = sums
        top, bottom = sigmoid_parts(emit, ar)
        r = top / bottom
        z, candidate = two(emit, sigmoid_parts(emit, az), tanh_parts(emit, emit.fma(r, q, ac)))
        return Step(emit.fma(z, h - candidate, candidate), None, (z, r, candidate, q))

    def backward(self, emit: Emitter, d: Vec, dc: Vec | None, saved: list[Vec], h: Vec) -> StepBack:  # noqa: ARG002
        """One step back."""
        z, r, candidate, q = saved
        one = emit.const(1)
        rest = d * (one - z)
        dcandidate = rest * (one - candidate * candidate)
        dz = rest * z * (h - candidate)
        dq = dcandidate * r
        dr = dq * q * (one - r)
        return StepBack((dz, dr, dcandidate, dq), d * z, None)


class GRUBefore(Cell):
    """The gated recurrent unit as published, without `reset_after`: c = tanh(x W_c + (r h) U_c).

    The middle is r h; the slope of r waits for the derivative by it.
    """

    def middle(self, emit: Emitter, sums: list[Vec], h: Vec) -> tuple[Vec, tuple[Vec, ...]]:
        """The state that the reset gate lets through."""
        z, r = two(emit, sigmoid_parts(emit, sums[0]), sigmoid_parts(emit, sums[1]))
        return r * h, (z, r, sums[2])

    def after_middle(self, emit: Emitter, saved: list[Vec], product: Vec, h: Vec) -> Step:
        """The candidate and the output."""
        z, r, ac = saved
        candidate = tanh(emit, ac + product)
        return Step(emit.fma(z, h - candidate, candidate), None, (z, r, candidate))

    def backward(self, emit: Emitter, d: Vec, dc: Vec | None, saved: list[Vec], h: Vec) -> StepBack:  # noqa: ARG002
        """One step back, but for the slope of r."""
        z, _, candidate = saved
        one = emit.const(1)
        rest = d * (one - z)
        return StepBack((rest * z * (h - candidate), emit.const(0), rest * (one - candidate * candidate)), d * z, None)

    def middle_again(self, emit: Emitter, saved: list[Vec], h: Vec) -> Vec:  # noqa: ARG002
        """The state that the reset gate let through."""
        return saved[1] * h

    def through_middle(self, emit: Emitter, d: Vec, saved: list[Vec], h: Vec) -> tuple[Vec, Vec]:
        """The slope of r, and what flows to the output before."""
        r = saved[1]
        return d * h * r * (emit.const(1) - r), d * r


class LSTM(Cell):
    """Long short-term memory: c' = f c + i g, h' = o tanh(c'); the columns are those of i, f, g and o."""

    def forward(self, emit: Emitter, sums: list[Vec], h: Vec, c: Vec | None) -> Step:  # noqa: ARG002
        """One step forward."""
        assert c is not None
        i, f = two(emit, sigmoid_parts(emit, sums[0]), sigmoid_parts(emit, sums[1]))
        g, o = two(emit, tanh_parts(emit, sums[2]), sigmoid_parts(emit, sums[3]))
        after = emit.fma(f, c, i * g)
        return Step(o * tanh(emit, after), after, (i, f, g, o, c))

    def backward(self, emit: Emitter, d: Vec, dc: Vec | None, saved: list[Vec], h: Vec) -> StepBack:  # noqa: ARG002
        """One step back; the cell state after the step is computed again, from the saved one before."""
        assert dc is not None
        i, f, g, o, c = saved
        one = emit.const(1)
        t = tanh(emit, emit.fma(f, c, i * g))
        through = d * o
        dafter = emit.fma(through, one - t * t, dc)
        di = dafter * g * i * (one - i)
        df = dafter * c * f * (one - f)
        dg = dafter * i * (one - g * g)
        do = through * t * (one - o)
        return StepBack((di, df, dg, do), emit.const(0), dafter * f)


class RNN(Cell):
    """The simple recurrent cell: h' = tanh(x W + h U + b)."""

    def forward(self, emit: Emitter, sums: list[Vec], h: Vec, c: Vec | None) -> Step:  # noqa: ARG002
        """One step forward."""
        after = tanh(emit, sums[0])
        return Step(after, None, (after,))

    def backward(self, emit: Emitter, d: Vec, dc: Vec | None, saved: list[Vec], h: Vec) -> StepBack:  # noqa: ARG002
        """One step back."""
        (after,) = saved
        return StepBack((d * (emit.const(1) - after * after),), emit.const(0), None)


def kernel_name(cell: str, *, reset_after: bool) -> str:
    """The name here of a cell with a setting of its own."""
    return "gru_before" if cell == "gru" and not reset_after else cell


CELLS: dict[str, Cell] = {
    "gru": GRU(name="gru", sums=4, from_input=(0, 1, 2), from_state=(0, 1, 3), biases=2, saved=4),
    "gru_before": GRUBefore(
        name="gru_before", sums=3, from_input=(0, 1, 2), from_state=(0, 1), from_middle=(2,), saved=3
    ),
    "lstm": LSTM(name="lstm", sums=4, from_input=(0, 1, 2, 3), from_state=(0, 1, 2, 3), saved=5, has_c=True),
    "rnn": RNN(name="rnn", sums=1, from_input=(0,), from_state=(0,), saved=1),
}
