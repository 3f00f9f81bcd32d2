"""The equations of the recurrent cells (GRU, LSTM, simple RNN): one step forward and one step backward.

Conventions are Keras's. The pre-activations of a step are `x W + b` and `h U + b`. `from_input` and `from_state` say
which pre-activation the columns of each gate of W and of U add to. Activations are tanh and the logistic sigmoid.

In a backward step `d_h` is the derivative of the loss by the step's hidden state. A cell returns the gradients of its
pre-activations (multiplied by x and h they are the gradients of W and U), and the gradients of the previous hidden
state and cell state, without the part that goes through U.

References:
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014 (GRU; Keras's z is their 1 - z).
    Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997; Gers et al., "Learning to Forget", 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grubench.kernels.activations import divide_both, sigmoid_fraction, tanh, tanh_fraction

if TYPE_CHECKING:
    from grubench.kernels.emitter import Emitter, Vec


@dataclass(frozen=True)
class ForwardStep:
    """The result of a forward step.

    Attributes:
        h: The hidden state, which is the output.
        c: The cell state; None for a cell without it.
        saved: The vectors that the backward step needs.
    """

    h: Vec
    c: Vec | None
    saved: tuple[Vec, ...]


@dataclass(frozen=True)
class BackwardStep:
    """The result of a backward step.

    Attributes:
        d_pre_activations: The gradient of each pre-activation.
        d_h: The gradient of the previous hidden state, without the part that goes through U.
        d_c: The gradient of the previous cell state; None for a cell without it.
    """

    d_pre_activations: tuple[Vec, ...]
    d_h: Vec
    d_c: Vec | None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A recurrent cell: its gates, and the equations of its step.

    In all methods `h` and `c` are the previous hidden state and cell state. A cell with `from_reset_state` computes a
    forward step in two parts (`compute_reset_state`, `finish_forward`), because U multiplies the reset state r * h.

    Attributes:
        name: `gru`, `gru_reset_before`, `lstm` or `rnn`.
        pre_activation_count: Pre-activations of a unit.
        from_input: The pre-activation that each gate of W adds to, in the order of W's columns.
        from_state: The same for the gates of U that multiply the hidden state.
        from_reset_state: The same for the last gates of U, which multiply the reset state r * h.
        biases_per_gate: 2 where x W and h U have biases of their own.
        saved_count: Vectors that a forward step saves for the backward pass.
        has_cell_state: Whether there is a cell state beside the hidden state.
    """

    name: str
    pre_activation_count: int
    from_input: tuple[int, ...]
    from_state: tuple[int, ...]
    from_reset_state: tuple[int, ...] = ()
    biases_per_gate: int = 1
    saved_count: int
    has_cell_state: bool = False

    @property
    def gates(self) -> int:
        """The number of gates, each a block of columns in W and U."""
        return len(self.from_input)

    def forward(self, emit: Emitter, pre_activations: list[Vec], h: Vec, c: Vec | None) -> ForwardStep:
        """Emit a forward step."""
        raise NotImplementedError

    def backward(self, emit: Emitter, d_h: Vec, d_c: Vec | None, saved: list[Vec], h: Vec) -> BackwardStep:
        """Emit a backward step, from the gradients of the step's hidden state and cell state."""
        raise NotImplementedError

    def compute_reset_state(self, emit: Emitter, pre_activations: list[Vec], h: Vec) -> tuple[Vec, tuple[Vec, ...]]:
        """Emit the first part of a forward step: the reset state, and the vectors to save."""
        raise NotImplementedError

    def finish_forward(self, emit: Emitter, saved: list[Vec], product: Vec, h: Vec) -> ForwardStep:
        """Emit the second part of a forward step, from the product of the reset state and U."""
        raise NotImplementedError

    def recompute_reset_state(self, emit: Emitter, saved: list[Vec], h: Vec) -> Vec:
        """Emit the reset state once more, from the saved vectors."""
        raise NotImplementedError

    def finish_backward(self, emit: Emitter, d_reset_state: Vec, saved: list[Vec], h: Vec) -> tuple[Vec, Vec]:
        """Emit the second part of a backward step: the gradients of r's pre-activation and of h (through r * h)."""
        raise NotImplementedError


class GRU(Cell):
    """The gated recurrent unit with `reset_after`: z, r, candidate c = tanh(x W_c + r (h U_c)), h' = z h + (1 - z) c.

    The pre-activations are those of z, of r, x W_c and q = h U_c.
    """

    def forward(self, emit: Emitter, pre_activations: list[Vec], h: Vec, c: Vec | None) -> ForwardStep:  # noqa: ARG002
        """Emit a forward step."""
        pre_z, pre_r, pre_c, q = pre_activations
        top, bottom = sigmoid_fraction(emit, pre_r)
        r = top / bottom
        z, candidate = divide_both(emit, sigmoid_fraction(emit, pre_z), tanh_fraction(emit, emit.fma(r, q, pre_c)))
        return ForwardStep(emit.fma(z, h - candidate, candidate), None, (z, r, candidate, q))

    def backward(self, emit: Emitter, d_h: Vec, d_c: Vec | None, saved: list[Vec], h: Vec) -> BackwardStep:  # noqa: ARG002
        """Emit a backward step."""
        z, r, candidate, q = saved
        one = emit.constant(1)
        d_candidate = d_h * (one - z)
        d_pre_c = d_candidate * (one - candidate * candidate)
        d_pre_z = d_candidate * z * (h - candidate)
        d_q = d_pre_c * r
        d_pre_r = d_q * q * (one - r)
        return BackwardStep((d_pre_z, d_pre_r, d_pre_c, d_q), d_h * z, None)


class GRUResetBefore(Cell):
    """The gated recurrent unit as published, without `reset_after`: candidate c = tanh(x W_c + (r h) U_c).

    The reset state is r h. The gradient of r's pre-activation needs the gradient of the reset state.
    """

    def compute_reset_state(self, emit: Emitter, pre_activations: list[Vec], h: Vec) -> tuple[Vec, tuple[Vec, ...]]:
        """Emit the reset state r h."""
        pre_z, pre_r, pre_c = pre_activations
        z, r = divide_both(emit, sigmoid_fraction(emit, pre_z), sigmoid_fraction(emit, pre_r))
        return r * h, (z, r, pre_c)

    def finish_forward(self, emit: Emitter, saved: list[Vec], product: Vec, h: Vec) -> ForwardStep:
        """Emit the candidate and the hidden state."""
        z, r, pre_c = saved
        candidate = tanh(emit, pre_c + product)
        return ForwardStep(emit.fma(z, h - candidate, candidate), None, (z, r, candidate))

    def backward(self, emit: Emitter, d_h: Vec, d_c: Vec | None, saved: list[Vec], h: Vec) -> BackwardStep:  # noqa: ARG002
        """Emit a backward step, with 0 in place of the gradient of r's pre-activation."""
        z, _, candidate = saved
        one = emit.constant(1)
        d_candidate = d_h * (one - z)
        d_pre_z = d_candidate * z * (h - candidate)
        d_pre_r = emit.constant(0)
        d_pre_c = d_candidate * (one - candidate * candidate)
        return BackwardStep((d_pre_z, d_pre_r, d_pre_c), d_h * z, None)

    def recompute_reset_state(self, emit: Emitter, saved: list[Vec], h: Vec) -> Vec:  # noqa: ARG002
        """Emit the reset state r h."""
        return saved[1] * h

    def finish_backward(self, emit: Emitter, d_reset_state: Vec, saved: list[Vec], h: Vec) -> tuple[Vec, Vec]:
        """Emit the gradients of r's pre-activation and of the previous hidden state."""
        r = saved[1]
        return d_reset_state * h * r * (emit.constant(1) - r), d_reset_state * r


class LSTM(Cell):
    """Long short-term memory: c' = f c + i g, h' = o tanh(c'); the gates are i, f, g and o, in this order."""

    def forward(self, emit: Emitter, pre_activations: list[Vec], h: Vec, c: Vec | None) -> ForwardStep:  # noqa: ARG002
        """Emit a forward step."""
        assert c is not None
        pre_i, pre_f, pre_g, pre_o = pre_activations
        i, f = divide_both(emit, sigmoid_fraction(emit, pre_i), sigmoid_fraction(emit, pre_f))
        g, o = divide_both(emit, tanh_fraction(emit, pre_g), sigmoid_fraction(emit, pre_o))
        c_next = emit.fma(f, c, i * g)
        return ForwardStep(o * tanh(emit, c_next), c_next, (i, f, g, o, c))

    def backward(self, emit: Emitter, d_h: Vec, d_c: Vec | None, saved: list[Vec], h: Vec) -> BackwardStep:  # noqa: ARG002
        """Emit a backward step; the step's cell state is computed again from the saved previous one."""
        assert d_c is not None
        i, f, g, o, c = saved
        one = emit.constant(1)
        tanh_c = tanh(emit, emit.fma(f, c, i * g))
        d_tanh_c = d_h * o
        d_c_next = emit.fma(d_tanh_c, one - tanh_c * tanh_c, d_c)
        d_pre_i = d_c_next * g * i * (one - i)
        d_pre_f = d_c_next * c * f * (one - f)
        d_pre_g = d_c_next * i * (one - g * g)
        d_pre_o = d_tanh_c * tanh_c * (one - o)
        return BackwardStep((d_pre_i, d_pre_f, d_pre_g, d_pre_o), emit.constant(0), d_c_next * f)


class RNN(Cell):
    """The simple recurrent cell: h' = tanh(x W + h U + b)."""

    def forward(self, emit: Emitter, pre_activations: list[Vec], h: Vec, c: Vec | None) -> ForwardStep:  # noqa: ARG002
        """Emit a forward step."""
        h_next = tanh(emit, pre_activations[0])
        return ForwardStep(h_next, None, (h_next,))

    def backward(self, emit: Emitter, d_h: Vec, d_c: Vec | None, saved: list[Vec], h: Vec) -> BackwardStep:  # noqa: ARG002
        """Emit a backward step."""
        (h_next,) = saved
        return BackwardStep((d_h * (emit.constant(1) - h_next * h_next),), emit.constant(0), None)


# The compiled code that all networks have in common is one module; the others are named after their cell.
COMMON = "common"


def select_cell(cell: str, *, reset_after: bool) -> str:
    """The name in `CELLS` of a cell (`gru`, `lstm`, `rnn`); a GRU without `reset_after` has equations of its own."""
    return "gru_reset_before" if cell == "gru" and not reset_after else cell


CELLS: dict[str, Cell] = {
    "gru": GRU(
        name="gru",
        pre_activation_count=4,
        from_input=(0, 1, 2),
        from_state=(0, 1, 3),
        biases_per_gate=2,
        saved_count=4,
    ),
    "gru_reset_before": GRUResetBefore(
        name="gru_reset_before",
        pre_activation_count=3,
        from_input=(0, 1, 2),
        from_state=(0, 1),
        from_reset_state=(2,),
        saved_count=3,
    ),
    "lstm": LSTM(
        name="lstm",
        pre_activation_count=4,
        from_input=(0, 1, 2, 3),
        from_state=(0, 1, 2, 3),
        saved_count=5,
        has_cell_state=True,
    ),
    "rnn": RNN(name="rnn", pre_activation_count=1, from_input=(0,), from_state=(0,), saved_count=1),
}
