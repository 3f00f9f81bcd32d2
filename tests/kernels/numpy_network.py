"""Networks and optimizers in NumPy, in float64, from the published equations: what compiled code is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from grubench.kernels.network import NetworkShape

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def run_gru(x: Array, w: Array, u: Array, bias: Array, h: Array) -> Array:
    """Cho et al. 2014 in Keras's form: gates z, r and the candidate, two biases, the reset gate after the product."""
    inputs, state = np.split(x @ w + bias[0], 3, axis=1), np.split(h @ u + bias[1], 3, axis=1)
    z, r = sigmoid(inputs[0] + state[0]), sigmoid(inputs[1] + state[1])
    return z * h + (1 - z) * np.tanh(inputs[2] + r * state[2])


def run_gru_reset_before(x: Array, w: Array, u: Array, bias: Array, h: Array) -> Array:
    """Cho et al. 2014: the reset gate before the product."""
    inputs, (uz, ur, uh) = np.split(x @ w + bias, 3, axis=1), np.split(u, 3, axis=1)
    z, r = sigmoid(inputs[0] + h @ uz), sigmoid(inputs[1] + h @ ur)
    return z * h + (1 - z) * np.tanh(inputs[2] + (r * h) @ uh)


def run_layer(cell: str, x: Array, w: Array, u: Array, bias: Array) -> Array:
    """The hidden states of every step, `(batch, step, unit)`."""
    h = c = np.zeros((len(x), len(u)))
    states = []
    for t in range(x.shape[1]):
        if cell == "gru":
            h = run_gru(x[:, t], w, u, bias, h)
        elif cell == "gru_reset_before":
            h = run_gru_reset_before(x[:, t], w, u, bias, h)
        elif cell == "lstm":  # Gers et al. 2000: gates i, f, the candidate, o
            i, f, candidate, o = np.split(x[:, t] @ w + h @ u + bias, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
            h = sigmoid(o) * np.tanh(c)
        else:  # Elman 1990
            h = np.tanh(x[:, t] @ w + h @ u + bias)
        states.append(h)
    return np.stack(states, axis=1)


def run_network(shape: NetworkShape, variables: Sequence[Array], x: Array) -> Array:
    """The outputs of windows `(batch, step, feature)`: `(batch, output)`, or `(batch, step, 1)` at every step."""
    left = [np.asarray(variable, np.float64) for variable in variables]
    for level in shape.levels:
        parts = []
        for layer in level.layers:
            weights, left = left[:3], left[3:]
            order = slice(None, None, -1 if layer.is_reversed else 1)
            parts.append(run_layer(layer.cell, x[:, order], *weights)[:, order])
        x, last = np.concatenate(parts, axis=2), level.layers
    if not shape.every_step:
        ends = [part[:, 0 if layer.is_reversed else -1] for part, layer in zip(parts, last, strict=True)]
        x = np.concatenate(ends, axis=1)
    w, bias = left
    return x @ w + bias


LOSSES: dict[str, Callable[[Array], Array]] = {
    "mse": np.square,
    "mae": np.abs,
    "huber": lambda error: np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5),
    "log_cosh": lambda error: np.log(np.cosh(error)),
}

# New weights and slots from the weights, the gradient, the slots, the learning rate and the number of the step: the
# algorithms as their papers have them, with Keras's constants.
Update = Callable[[Array, Array, Sequence[Array], float, int], tuple[Array, Sequence[Array]]]


def adam(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    m, v = 0.9 * slots[0] + 0.1 * g, 0.999 * slots[1] + 0.001 * g * g
    rate *= np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return w - rate * m / (np.sqrt(v) + 1e-7), (m, v)


def adamw(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    return adam(w * (1 - 0.004 * rate), g, slots, rate, step)


def nadam(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    m, v = 0.9 * slots[0] + 0.1 * g, 0.999 * slots[1] + 0.001 * g * g
    momentum = [0.9 * (1 - 0.5 * 0.96**number) for number in range(1, step + 2)]
    of_m = momentum[-1] / (1 - np.prod(momentum))
    of_g = (1 - momentum[-2]) / (1 - np.prod(momentum[:-1]))
    return w - rate * (of_m * m + of_g * g) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7), (m, v)


def adamax(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    m, norm = 0.9 * slots[0] + 0.1 * g, np.maximum(0.999 * slots[1], np.abs(g))
    return w - rate / (1 - 0.9**step) * m / (norm + 1e-7), (m, norm)


def rmsprop(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    v = 0.9 * slots[0] + 0.1 * g * g
    return w - rate * g / np.sqrt(v + 1e-7), (v,)


def adagrad(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    total = slots[0] + g * g
    return w - rate * g / np.sqrt(total + 1e-7), (total,)


def sgd(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    return w - rate * g, slots


def lion(w: Array, g: Array, slots: Sequence[Array], rate: float, step: int) -> tuple[Array, Sequence[Array]]:
    return w - rate * np.sign(0.9 * slots[0] + 0.1 * g), (0.99 * slots[0] + 0.01 * g,)


UPDATES: dict[str, Update] = {rule.__name__: rule for rule in (adam, adamw, nadam, adamax, rmsprop, adagrad, sgd, lion)}
