"""Early stopping: end a fit whose validation loss gets no better, and go back to the weights of the best epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class EarlyStoppingState(Struct, frozen=True, kw_only=True):
    """What early stopping knows after an epoch, beside the best weights; a checkpoint holds it.

    Attributes:
        epochs_waited: Epochs since the best one.
        best_epoch: The best epoch, from 0.
        best_loss: Its validation loss; None before the first epoch ended.
    """

    epochs_waited: int = 0
    best_epoch: int = 0
    best_loss: float | None = None


class EarlyStopping(keras.callbacks.Callback):  # type: ignore[misc]
    """Does what `keras.callbacks.EarlyStopping` does with `restore_best_weights`, and can be resumed.

    Keras's own forgets what it has seen when a fit begins, and documents nowhere how to give it back. There has to be
    a validation part.

    Args:
        patience: Epochs without a better validation loss after which the fit ends.
        min_delta: How much lower a validation loss has to be to be better.
        state: Where a fit that is resumed had come to.
        best_weights: The weights of its best epoch.
    """

    def __init__(
        self,
        patience: int,
        min_delta: float,
        state: EarlyStoppingState | None = None,
        best_weights: Sequence[NDArray[np.generic]] = (),
    ) -> None:
        super().__init__()
        self.patience = patience
        self.min_delta = min_delta
        self.state = state or EarlyStoppingState()
        self.best_weights = list(best_weights)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the weights where the validation loss is better; else stop where patience is at an end."""
        loss = float((logs or {})["val_loss"])
        if self._is_better(loss):
            self.state = EarlyStoppingState(best_epoch=epoch, best_loss=loss)
            self.best_weights = self.model.get_weights()
            return
        state = self.state
        self.state = EarlyStoppingState(
            epochs_waited=state.epochs_waited + 1, best_epoch=state.best_epoch, best_loss=state.best_loss
        )
        if self.state.epochs_waited >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Go back to the best weights."""
        if self.best_weights:
            self.model.set_weights(self.best_weights)

    def _is_better(self, loss: float) -> bool:
        if self.state.best_loss is None:
            return True
        return bool(np.float32(loss + self.min_delta) < np.float32(self.state.best_loss))  # in float32, as Keras does
