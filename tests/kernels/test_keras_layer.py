"""The fused kernels behind stock Keras layers, against Keras's own loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny
from kernel_cases import CELLS, make_layer, needs_kernels

from grubench.kernels.keras_layer import fuse_layer
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model, Window
from grubench.training.model import build_model
from grubench.training.trial import run_trial

pytestmark = needs_kernels


def build_pair(spec: Experiment, lookback: int = 12, features: int = 2) -> tuple[keras.Sequential, keras.Sequential]:
    """The model of a spec on the fused kernel and on Keras's loop, with the same weights."""
    outputs = 1 if spec.window.every_step else spec.window.horizon
    pair = []
    for kernel in ("fused", "keras"):
        keras.utils.set_random_seed(0)
        with_kernel = replace(spec, training=replace(spec.training, kernel=kernel))
        pair.append(build_model(with_kernel, lookback, features, outputs))
    pair[1].set_weights(pair[0].get_weights())
    return pair[0], pair[1]


STACKS = (
    Experiment(model=Model(layers=("gru:16",)), window=Window(horizon=3)),
    Experiment(model=Model(layers=("lstm:16",)), window=Window(horizon=3)),
    Experiment(model=Model(layers=("gru:16",), reset_after=False)),
    Experiment(model=Model(layers=("gru:9", "lstm:20", "rnn:5"), dropout=(0.2, 0.0, 0.0)), window=Window(horizon=2)),
    Experiment(model=Model(layers=("gru:9", "lstm:20", "rnn:5")), window=Window(horizon=2)),
    Experiment(model=Model(layers=("gru:16",)), window=Window(every_step=True)),
    Experiment(model=Model(layers=("lstm:7", "gru:8"), bidirectional=True)),
)


@pytest.mark.parametrize("spec", STACKS, ids=lambda spec: ",".join(spec.model.layers))
def test_fifty_training_steps_follow_keras(spec: Experiment) -> None:
    fused, stock = build_pair(spec)
    draw = np.random.default_rng(3)
    x = draw.normal(size=(21, 12, 2)).astype("f4")
    y = draw.normal(size=(21, *fused.output_shape[1:])).astype("f4")
    if any(spec.model.dropout):  # each model draws dropout masks of its own: only the outputs can be compared
        np.testing.assert_allclose(fused.predict(x, verbose=0), stock.predict(x, verbose=0), atol=5e-6)
        return
    losses = [[float(model.train_on_batch(x, y)) for _ in range(50)] for model in (fused, stock)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(fused.predict(x, verbose=0), stock.predict(x, verbose=0), atol=1e-3)


def test_one_layer_takes_any_batch_and_length() -> None:
    layer, stock = (keras.layers.LSTM(6, return_sequences=True) for _ in range(2))
    fuse_layer(layer, need_d_x=True)
    for shape in ((3, 5, 2), (1, 1, 2), (7, 20, 2)):
        x = np.random.default_rng(0).normal(size=shape).astype("f4")
        layer(x)
        stock(x)
        stock.set_weights(layer.get_weights())
        np.testing.assert_allclose(layer(x), stock(x), atol=5e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_through_a_layer_is_that_of_keras(cell: str, training: bool) -> None:
    """With `go_backwards` and initial states, whether or not the forward pass saved what the backward pass needs."""
    x = tf.constant(np.random.default_rng(0).normal(size=(5, 6, 3)), "float32")
    gradients = []
    for fused in (True, False):
        keras.utils.set_random_seed(1)
        layer = make_layer(cell, 4, return_sequences=True, return_state=True, go_backwards=True)
        if fused:
            fuse_layer(layer, need_d_x=True)
        states = [tf.ones((5, 4)) / 3] * (2 if cell == "lstm" else 1)
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs = layer(x, initial_state=states, training=training)
            loss = sum(tf.reduce_sum(tf.sin(output * (2 + k))) for k, output in enumerate(outputs))
        variables = [variable.value for variable in layer.trainable_variables]
        gradients.append(tape.gradient(loss, [x, *states, *variables]))
    for fused_gradient, stock_gradient in zip(*gradients, strict=True):
        np.testing.assert_allclose(fused_gradient, stock_gradient, atol=2e-5)


@pytest.mark.parametrize("sequences", [True, False])
def test_many_calls_before_a_gradient_and_two_gradients_of_one_call(sequences: bool) -> None:
    """What was saved for a backward pass is dropped by then, and computed again."""
    x = [tf.constant(np.random.default_rng(k).normal(size=(3, 4, 2)), "float32") for k in range(9)]
    gradients = []
    for fused in (True, False):
        keras.utils.set_random_seed(1)
        layer = keras.layers.LSTM(5, return_sequences=sequences)
        if fused:
            fuse_layer(layer, need_d_x=True)
        layer.build(x[0].shape)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            loss = sum(tf.reduce_sum(tf.sin(layer(batch, training=True))) for batch in x)
        targets = [*x, layer.cell.recurrent_kernel.value]
        gradients.append([tape.gradient(loss, targets) for _ in range(2)])
    for fused_gradients, stock_gradients in zip(*gradients, strict=True):
        for fused_gradient, stock_gradient in zip(fused_gradients, stock_gradients, strict=True):
            np.testing.assert_allclose(fused_gradient, stock_gradient, atol=2e-5)


@pytest.mark.parametrize(
    "settings", [{"activation": "relu"}, {"recurrent_dropout": 0.1}, {"use_bias": False}, {"dtype": "float64"}]
)
def test_a_layer_with_unsupported_settings_is_refused(settings: dict) -> None:
    layer = keras.layers.GRU(4, **settings)
    with pytest.raises(ValueError, match="cannot run gru"):
        fuse_layer(layer, need_d_x=True)


def test_a_call_with_a_mask_runs_on_keras_loop() -> None:
    layer, stock = keras.layers.GRU(4), keras.layers.GRU(4)
    fuse_layer(layer, need_d_x=True)
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("f4")
    mask = np.array([[True, True, True, False, False]] * 3)
    layer(x)
    stock(x)
    stock.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x, mask=mask), stock(x, mask=mask), atol=1e-6)


def test_a_run_is_saved_with_stock_layers(trained: dict[str, Run], tmp_path: Path) -> None:
    assert trained["gru"].environment.kernels[0].kernel == "fused"
    fused_folder = trained["gru"].folder
    fused = keras.saving.load_model(fused_folder / "model.keras")
    assert type(fused.layers[0]) is keras.layers.GRU
    spec = tiny(kernel="keras").with_cell("gru")
    run_trial(spec, tmp_path / "run", lambda _: None)
    stock = keras.saving.load_model(tmp_path / "run" / "model.keras")
    for fused_weight, stock_weight in zip(fused.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(fused_weight, stock_weight, atol=2e-4)
