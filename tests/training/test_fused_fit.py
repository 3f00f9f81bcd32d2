"""Training in compiled code against Keras's own fit: the same weights, optimizer state and losses; then on in Keras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import make_dataset, tiny

from grubench.data import windows
from grubench.kernels.processor import detect_processor
from grubench.spec.experiment import Experiment
from grubench.spec.optimizers import OPTIMIZERS
from grubench.spec.sections import Model, Window
from grubench.training.fit import fit, forecast
from grubench.training.fused_fit import FusedModel
from grubench.training.model import build_model

pytestmark = pytest.mark.skipif(detect_processor() is None, reason="needs a processor with AVX2 or NEON")


def make_spec(optimizer: str, epochs: int) -> Experiment:
    """Validation, and a last batch that is not full; the learning rate is small enough for signs to agree."""
    training = tiny(optimizer=optimizer, epochs=epochs, learning_rate=1e-4).training
    return Experiment(window=Window(lookback=5), model=Model(layers=("gru:4", "lstm:3")), training=training)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_fit_ends_as_keras_does_and_goes_on_in_keras(optimizer: str) -> None:
    spec = make_spec(optimizer, epochs=2)
    cut = windows.build(make_dataset(), spec)
    ours, keras_own = (build_model(spec, cut.lookback, cut.feature, cut.outputs) for _ in range(2))
    keras_own.set_weights(ours.get_weights())
    fused = FusedModel(ours, cut, spec, 2)
    record = fit(ours, cut, spec, lambda event: None, fused=fused).record
    expected = fit(keras_own, cut, spec, lambda event: None).record
    for key in ("loss", "val_loss"):
        found = [row[key] for row in record.epochs]
        np.testing.assert_allclose(found, [row[key] for row in expected.epochs], rtol=1e-4)
    starts = cut.index("test")
    np.testing.assert_allclose(
        forecast(ours, cut, starts, spec, fused), forecast(ours, cut, starts, spec), rtol=1e-4, atol=1e-5
    )
    x, y = cut.inputs(cut.index("train")[:8]), cut.targets(cut.index("train")[:8])
    for model in (ours, keras_own):
        model.train_on_batch(x, y)
    variables = zip(
        [*ours.trainable_variables, *ours.optimizer.variables],
        [*keras_own.trainable_variables, *keras_own.optimizer.variables],
        strict=True,
    )
    for one, other in variables:
        np.testing.assert_allclose(np.array(one.numpy()), np.array(other.numpy()), rtol=1e-3, atol=1e-5)


def test_without_validation_and_with_one_batch_an_epoch() -> None:
    spec = make_spec("adam", epochs=3)
    spec = replace(spec, window=replace(spec.window, validation=0), training=replace(spec.training, batch_size=1000))
    cut = windows.build(make_dataset(), spec)
    model = build_model(spec, cut.lookback, cut.feature, cut.outputs)
    record = fit(model, cut, spec, lambda event: None, fused=FusedModel(model, cut, spec, 2)).record
    assert len(record.epochs) == 3
    assert "val_loss" not in record.epochs[0]
