"""Early stopping against Keras's own."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grubench.training.early_stopping import EarlyStopping

# float32, as Keras gives losses; steps of 0.1 so that some differ by just `min_delta`.
LOSSES = st.lists(st.integers(1, 12).map(lambda tenths: float(np.float32(tenths / 10))), min_size=1, max_size=12)


class Model(SimpleNamespace):
    """A model whose weights are the number of the epoch."""

    def __init__(self) -> None:
        super().__init__(stop_training=False, epoch=0, metrics=[])

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(self.epoch)]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.epoch = int(weights[0])


def run(callback: keras.callbacks.Callback, losses: list[float], first: int = 0) -> Model:
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in list(enumerate(losses))[first:]:
        model.epoch = epoch
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    model.stopped_at = model.epoch
    callback.on_train_end()
    return model


@given(LOSSES, st.integers(1, 4), st.sampled_from([0.0, 0.1, 0.25]))
def test_it_stops_and_restores_as_keras_does(losses: list[float], patience: int, min_delta: float) -> None:
    ours = EarlyStopping(patience, min_delta)
    theirs = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=patience, min_delta=min_delta, restore_best_weights=True
    )
    one, other = run(ours, losses), run(theirs, losses)
    assert (one.stopped_at, one.stop_training, one.epoch) == (other.stopped_at, other.stop_training, other.epoch)
    assert ours.state.best_epoch == theirs.best_epoch


@given(LOSSES, st.integers(1, 4), st.data())
def test_resumed_it_goes_on_as_if_never_stopped(losses: list[float], patience: int, data: st.DataObject) -> None:
    whole = run(EarlyStopping(patience, 0.0), losses)
    cut = data.draw(st.integers(0, whole.stopped_at))
    before = EarlyStopping(patience, 0.0)
    run(before, losses[:cut])
    after = run(EarlyStopping(patience, 0.0, before.state, before.best_weights), losses, first=cut)
    assert (after.stopped_at, after.stop_training, after.epoch) == (whole.stopped_at, whole.stop_training, whole.epoch)


def test_without_an_epoch_the_weights_stay() -> None:
    model = run(EarlyStopping(1, 0.0), [])
    assert model.epoch == 0
