"""The optimizers: one record each, which all that speaks of optimizers reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """One optimizer.

    Attributes:
        name: What the settings call it.
        keras_class: The name of its class in `keras.optimizers`.
        learning_rate: Keras's default, written down so that a saved spec names the rate that was used.
        slots: The arrays that it keeps for each weight, of the weight's shape.
    """

    name: str
    keras_class: str
    learning_rate: float = 1e-3
    slots: int = 1


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer(name="adam", keras_class="Adam", slots=2),
        Optimizer(name="adamw", keras_class="AdamW", slots=2),
        Optimizer(name="nadam", keras_class="Nadam", slots=2),
        Optimizer(name="adamax", keras_class="Adamax", slots=2),
        Optimizer(name="rmsprop", keras_class="RMSprop"),
        Optimizer(name="adagrad", keras_class="Adagrad"),
        Optimizer(name="sgd", keras_class="SGD", learning_rate=1e-2, slots=0),
        Optimizer(name="lion", keras_class="Lion"),
    )
}
