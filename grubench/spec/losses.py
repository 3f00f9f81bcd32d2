"""The losses: one record each, which all that speaks of losses reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One loss, on scaled values.

    Attributes:
        name: What the settings call it.
        identifier: What Keras takes for it: https://keras.io/api/losses/.
        title: What it is, in words.
    """

    name: str
    identifier: str
    title: str


LOSSES = {
    loss.name: loss
    for loss in (
        Loss(name="mse", identifier="mse", title="mean squared error"),
        Loss(name="mae", identifier="mae", title="mean absolute error"),
        Loss(name="huber", identifier="huber", title="squared up to 1, absolute beyond"),
        Loss(name="log_cosh", identifier="log_cosh", title="log of the hyperbolic cosine"),
    )
}
