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
    """

    name: str
    keras_class: str
    learning_rate: float = 1e-3


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer(name="adam", keras_class="Adam"),
        Optimizer(name="adamw", keras_class="AdamW"),
        Optimizer(name="nadam", keras_class="Nadam"),
        Optimizer(name="adamax", keras_class="Adamax"),
        Optimizer(name="rmsprop", keras_class="RMSprop"),
        Optimizer(name="adagrad", keras_class="Adagrad"),
        Optimizer(name="sgd", keras_class="SGD", learning_rate=1e-2),
        Optimizer(name="lion", keras_class="Lion"),
    )
}
