"""The update rules of the optimizers: one step of a weight from its gradient, with Keras's constants.

A rule has arrays beside the weights (slots) and a few numbers that are the same for all weights of a step (scalars),
computed from the number of the step, 1 for the first.

References:
    Kingma & Ba, "Adam", 2015 (adam, adamax); Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019
    (adamw);
    Dozat, "Incorporating Nesterov Momentum into Adam", 2016 (nadam); Hinton, "Neural Networks for Machine Learning",
    lecture 6, 2012 (rmsprop); Duchi et al., 2011 (adagrad); Chen et al., "Symbolic Discovery of Optimization
    Algorithms", 2023 (lion). Constants and the places of epsilon are those of `keras.optimizers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from grubench.kernels.emitter import Emitter, Vec

    Steps = NDArray[np.int64]
    Scalar = float | NDArray[np.floating]  # the same for all steps, or one for each
    # From a weight, its gradient, its slots and the step's scalars: the new weight and the new slots.
    Update = Callable[[Emitter, Vec, Vec, Sequence[Vec], Sequence[Vec]], tuple[Vec, Sequence[Vec]]]

BETA_1, BETA_2, RHO, EPSILON = 0.9, 0.999, 0.9, 1e-7
NADAM_DECAY = 0.96
# From this step on Nadam's momentum is 0.9, and the product of all of them 0, to the last bit of float32.
NADAM_STEPS = 4096
WEIGHT_DECAY = 0.004
LION_BETA_2 = 0.99


@dataclass(frozen=True, kw_only=True)
class UpdateRule:
    """The update rule of an optimizer.

    Attributes:
        slots: The arrays that it keeps for each weight, by Keras's names.
        scalars: The numbers of steps: from the learning rate and the numbers of the steps.
        update: Emits the update of a vector of weights.
    """

    slots: tuple[str, ...]
    scalars: Callable[[float, Steps], tuple[Scalar, ...]]
    update: Update

    @property
    def scalar_count(self) -> int:
        """How many numbers a step has."""
        return len(self.scalars(1.0, np.array([1])))

    def list_scalars(self, rate: float, first: int, count: int) -> NDArray[np.float32]:
        """The numbers of some steps, `(step, scalar)`.

        Args:
            rate: The learning rate.
            first: The number of the first step, from 1.
            count: How many steps.
        """
        scalars = self.scalars(rate, np.arange(first, first + count, dtype=np.int64))
        return np.stack([np.broadcast_to(np.float32(scalar), count) for scalar in scalars], axis=1)


def _update_sgd(
    emit: Emitter,  # noqa: ARG001
    w: Vec,
    g: Vec,
    slots: Sequence[Vec],
    scalars: Sequence[Vec],
) -> tuple[Vec, Sequence[Vec]]:
    """New w: w - rate g."""
    (rate,) = scalars
    return w - rate * g, slots


def _update_adam(
    emit: Emitter, w: Vec, g: Vec, slots: Sequence[Vec], scalars: Sequence[Vec]
) -> tuple[Vec, Sequence[Vec]]:
    """New w: w - rate m / (sqrt(v) + epsilon), the bias of both moments in the rate."""
    (m, v), (rate, decay) = slots, scalars
    m = m + (g - m) * emit.constant(1 - BETA_1)
    v = v + (g * g - v) * emit.constant(1 - BETA_2)
    return w - w * decay - m * rate / (emit.sqrt(v) + emit.constant(EPSILON)), (m, v)


def _update_nadam(
    emit: Emitter, w: Vec, g: Vec, slots: Sequence[Vec], scalars: Sequence[Vec]
) -> tuple[Vec, Sequence[Vec]]:
    """Adam with Nesterov's look ahead: m and g each with a weight of its own."""
    (m, v), (rate, of_m, of_g, of_v) = slots, scalars
    m = m + (g - m) * emit.constant(1 - BETA_1)
    v = v + (g * g - v) * emit.constant(1 - BETA_2)
    m_hat = of_m * m + of_g * g
    return w - m_hat * rate / (emit.sqrt(v / of_v) + emit.constant(EPSILON)), (m, v)


def _update_adamax(
    emit: Emitter, w: Vec, g: Vec, slots: Sequence[Vec], scalars: Sequence[Vec]
) -> tuple[Vec, Sequence[Vec]]:
    """New w: w - rate m / (u + epsilon), with u the largest gradient of late."""
    (m, u), (rate,) = slots, scalars
    m = m + (g - m) * emit.constant(1 - BETA_1)
    u = emit.maximum_of(u * emit.constant(BETA_2), emit.absolute(g))
    return w - rate * m / (u + emit.constant(EPSILON)), (m, u)


def _update_rmsprop(
    emit: Emitter, w: Vec, g: Vec, slots: Sequence[Vec], scalars: Sequence[Vec]
) -> tuple[Vec, Sequence[Vec]]:
    """New w: w - rate g / sqrt(v + epsilon)."""
    (v,), (rate,) = slots, scalars
    v = emit.constant(RHO) * v + emit.constant(1 - RHO) * (g * g)
    return w - rate * g / emit.sqrt(v + emit.constant(EPSILON)), (v,)


def _update_adagrad(
    emit: Emitter, w: Vec, g: Vec, slots: Sequence[Vec], scalars: Sequence[Vec]
) -> tuple[Vec, Sequence[Vec]]:
    """New w: w - rate g / sqrt(sum of squares + epsilon)."""
    (total,), (rate,) = slots, scalars
    total = total + g * g
    return w - rate * g / emit.sqrt(total + emit.constant(EPSILON)), (total,)


def _update_lion(
    emit: Emitter, w: Vec, g: Vec, slots: Sequence[Vec], scalars: Sequence[Vec]
) -> tuple[Vec, Sequence[Vec]]:
    """New w: w - rate sign(beta_1 m + (1 - beta_1) g)."""
    (m,), (rate,) = slots, scalars
    direction = m * emit.constant(BETA_1) + g * emit.constant(1 - BETA_1)
    following = m * emit.constant(LION_BETA_2) + g * emit.constant(1 - LION_BETA_2)
    return w - rate * emit.sign(direction), (following,)


def _adam_scalars(rate: float, steps: Steps) -> tuple[Scalar, ...]:
    return rate * np.sqrt(1 - BETA_2**steps) / (1 - BETA_1**steps), 0.0


def _adamw_scalars(rate: float, steps: Steps) -> tuple[Scalar, ...]:
    return _adam_scalars(rate, steps)[0], WEIGHT_DECAY * rate


def compute_nadam_product(steps: int) -> float:
    """The product of Nadam's momenta of so many steps."""
    return float(np.prod(BETA_1 * (1 - 0.5 * NADAM_DECAY ** np.arange(1, min(steps, NADAM_STEPS) + 1))))


def _nadam_scalars(rate: float, steps: Steps) -> tuple[Scalar, ...]:
    momentum = BETA_1 * (1 - 0.5 * NADAM_DECAY ** np.arange(1, NADAM_STEPS + 2))
    product = np.cumprod(momentum)
    place = np.minimum(steps, NADAM_STEPS)
    of_g = (1 - momentum[place - 1]) / (1 - product[place - 1])
    return rate, momentum[place] / (1 - product[place]), of_g, 1 - BETA_2**steps


def _adamax_scalars(rate: float, steps: Steps) -> tuple[Scalar, ...]:
    return (rate / (1 - BETA_1**steps),)


def _rate_alone(rate: float, steps: Steps) -> tuple[Scalar, ...]:  # noqa: ARG001
    return (rate,)


UPDATE_RULES = {
    "sgd": UpdateRule(slots=(), scalars=_rate_alone, update=_update_sgd),
    "adam": UpdateRule(slots=("momentum", "velocity"), scalars=_adam_scalars, update=_update_adam),
    "adamw": UpdateRule(slots=("momentum", "velocity"), scalars=_adamw_scalars, update=_update_adam),
    "nadam": UpdateRule(slots=("momentum", "velocity"), scalars=_nadam_scalars, update=_update_nadam),
    "adamax": UpdateRule(slots=("momentum", "norm"), scalars=_adamax_scalars, update=_update_adamax),
    "rmsprop": UpdateRule(slots=("velocity",), scalars=_rate_alone, update=_update_rmsprop),
    "adagrad": UpdateRule(slots=("accumulator",), scalars=_rate_alone, update=_update_adagrad),
    "lion": UpdateRule(slots=("momentum",), scalars=_rate_alone, update=_update_lion),
}
