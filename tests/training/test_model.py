"""Models: the cells against slow NumPy ones written from the articles' equations, parameter counts, kernels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import kernels_with, tiny

from grubench.backends.loader import backend
from grubench.data import datasets
from grubench.data import windows as cutting
from grubench.errors import UsageError
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model, Training
from grubench.training.load_model import load_model
from grubench.training.model import build_model, strategy


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def gru(x: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The last state of a GRU, step by step, in float64.

    The 2020s article on the GRU writes h = (1 - z) h' + z c; Keras computes h = z h' + (1 - z) c. They are one
    family: with z' = 1 - z = sigmoid(-(...)) the first becomes the second. Written here in the article's form, with
    the sign of Keras's update gate turned. Keras keeps its weights in the order z, r, c, and with reset_after the
    reset gate is applied behind the recurrent product, whose bias is apart.
    """
    units = recurrent.shape[0]
    w = [kernel[:, k * units : (k + 1) * units] for k in range(3)]
    u = [recurrent[:, k * units : (k + 1) * units] for k in range(3)]
    b_in = [bias[0, k * units : (k + 1) * units] for k in range(3)]
    b_rec = [bias[1, k * units : (k + 1) * units] for k in range(3)]
    h = np.zeros((len(x), units))
    for t in range(x.shape[1]):
        z = sigmoid(-(x[:, t] @ w[0] + b_in[0] + h @ u[0] + b_rec[0]))
        r = sigmoid(x[:, t] @ w[1] + b_in[1] + h @ u[1] + b_rec[1])
        c = np.tanh(x[:, t] @ w[2] + b_in[2] + r * (h @ u[2] + b_rec[2]))
        h = (1 - z) * h + z * c
    return h


def lstm(x: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The last state of an LSTM, step by step, in float64; Keras keeps its weights in the order i, f, g, o."""
    units = recurrent.shape[0]
    h = c = np.zeros((len(x), units))
    for t in range(x.shape[1]):
        a = x[:, t] @ kernel + h @ recurrent + bias
        i, f, g, o = (a[:, k * units : (k + 1) * units] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


@pytest.mark.parametrize(("cell", "reference"), [("gru", gru), ("lstm", lstm)])
def test_trained_layers_agree_with_the_articles_equations(trained: dict[str, Run], cell: str, reference) -> None:
    spec = trained[cell].experiment
    model = load_model(trained[cell], cutting.build(datasets.load(spec.data, "activities"), spec))
    x = np.random.default_rng(0).normal(size=(8, 14, 1)).astype(np.float32)
    *weights, head, head_bias = (np.asarray(weight, np.float64) for weight in model.get_weights())
    expected = reference(x.astype(np.float64), *weights) @ head + head_bias
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("layers", "outputs", "parameters"),
    [
        # GRU: 3 (units (units + inputs) + 2 units); LSTM: 4 (units (units + inputs) + units); RNN: one of these.
        (("gru:128",), 20, 52_884),
        (("lstm:128",), 20, 69_140),
        (("gru:50", "gru:100"), 1, 3 * (50 * 51 + 100) + 3 * (100 * 150 + 200) + 101),
        (("rnn:8",), 1, 8 * 9 + 8 + 9),
    ],
)
def test_parameter_counts(layers: tuple[str, ...], outputs: int, parameters: int) -> None:
    model = build_model(Experiment(model=Model(layers=layers)), 60, 1, outputs)
    assert model.count_params() == parameters


def test_the_stack_is_built_as_written() -> None:
    spec = Experiment(
        model=Model(
            layers=("gru:4", "lstm:5", "rnn:6"),
            dropout=(0.1, 0.0, 0.2),
            recurrent_dropout=0.3,
            recurrent_initializer="glorot_uniform",
            head_activation="relu",
            reset_after=False,
        )
    )
    model = build_model(spec, 7, 2, 3)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["GRU", "Dropout", "LSTM", "SimpleRNN", "Dropout", "Activation", "Dense"]
    first = model.layers[0].get_config()
    assert (first["units"], first["return_sequences"], first["reset_after"]) == (4, True, False)
    assert first["recurrent_dropout"] == 0.3
    assert first["recurrent_initializer"]["class_name"] == "GlorotUniform"
    assert model.layers[3].get_config()["return_sequences"] is False
    assert model.output_shape == (None, 3)


def test_both_directions_double_the_outputs() -> None:
    model = build_model(Experiment(model=Model(layers=("gru:4",), bidirectional=True)), 7, 1, 1)
    assert model.layers[0].output.shape == (None, 8)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "sgd", "lion"])
def test_every_optimizer_takes_its_rate_and_clipping(optimizer: str) -> None:
    spec = Experiment(training=Training(optimizer=optimizer, learning_rate=0.25, clipvalue=3.0))
    built = build_model(spec, 5, 1, 1).optimizer
    assert type(built).__name__.lower() == optimizer
    assert float(built.learning_rate) == 0.25
    assert (built.clipvalue, built.clipnorm) == (3.0, None)


class TestKernels:
    def reasons(self, gpu: bool = True, training: Training | None = None, **model: object) -> list[str]:
        spec = Experiment(model=Model(**({"layers": ("gru:4",)} | model)), training=training or Training())  # type: ignore[arg-type]
        (found,) = kernels_with(spec, gpu=gpu)
        assert (found.kernel == "cudnn") == (not found.reasons)
        return list(found.reasons)

    def test_a_plain_layer_on_a_gpu_has_cudnn(self) -> None:
        assert self.reasons() == []
        assert self.reasons(layers=("lstm:4",)) == []

    @pytest.mark.parametrize(
        ("model", "flag"),
        [
            ({"recurrent_dropout": 0.1}, "--recurrent-dropout"),
            ({"activation": "relu"}, "--activation"),
            ({"recurrent_activation": "hard_sigmoid"}, "--recurrent-activation"),
            ({"reset_after": False}, "--reset-after"),
            ({"layers": ("rnn:4",)}, "--cell"),
        ],
    )
    def test_each_loss_of_cudnn_names_the_flag(self, model: dict, flag: str) -> None:
        (reason,) = self.reasons(**model)
        assert flag in reason

    def test_without_a_gpu_that_is_the_reason(self) -> None:
        assert "no GPU" in self.reasons(gpu=False)[0]

    def test_xla_and_the_generic_loop_are_chosen_by_flag(self) -> None:
        assert "--jit" in self.reasons(training=Training(jit=True))[0]
        assert "--kernel keras" in self.reasons(training=Training(kernel="keras"))[0]
        assert kernels_with(Experiment(training=Training(jit=True)), gpu=False)[0].kernel == "xla"

    def test_what_cudnn_cannot_do_is_what_keras_says(self) -> None:
        """Keras's own eligibility, its check for a GPU apart, against ours."""
        from importlib import import_module

        import keras

        rnn = import_module("keras.src.backend.tensorflow.rnn")

        for activation in ("tanh", "relu"):
            for gates in ("sigmoid", "hard_sigmoid"):
                for reset_after in (True, False):
                    theirs = rnn._do_gru_arguments_support_cudnn(
                        keras.activations.get(activation),
                        keras.activations.get(gates),
                        unroll=False,
                        use_bias=True,
                        reset_after=reset_after,
                    )
                    ours = self.reasons(activation=activation, recurrent_activation=gates, reset_after=reset_after)
                    assert bool(theirs) == (not ours)

    def test_cudnn_where_it_cannot_be_had_is_refused(self) -> None:
        if backend().gpus():
            pytest.skip("this machine has a GPU")
        with pytest.raises(UsageError, match=r"training.kernel: .*gru:4: this machine has no GPU"):
            build_model(tiny(kernel="cudnn"), 5, 1, 1)


TWO_DEVICES = """
import sys
from pathlib import Path

from grubench.backends import loader

loader.start("tensorflow")
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from grubench import ExecutionOptions, Experiment, train
from grubench.reports import terminal

tree = {
    "data": {"dataset": "activities", "train_series": ["activity0"], "test_series": ["activity0"]},
    "window": {"lookback": 14, "horizon": 3, "stride": 9, "validation": 0},
    "model": {"layers": ["gru:4"]},
    "training": {"epochs": 2, "batch_size": 32, "kernel": "keras", "strategy": sys.argv[1]},
}
run = train(Experiment.from_dict(tree), output=sys.argv[1], options=ExecutionOptions(executor="in-process"))
from rich.console import Console

terminal.show_run(run, Console(width=200))
print(run.environment.replicas, *run.history()["loss"])
"""


@pytest.mark.slow
def test_mirrored_replicas_share_the_batch_and_train_like_one_device(tmp_path: Path) -> None:
    said = {}
    for name in ("one", "mirrored"):
        words = [sys.executable, "-c", TWO_DEVICES, name]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        said[name] = done.stdout
    assert "2 replicas that share each batch" in said["mirrored"]
    (one, *losses), (two, *mirrored) = (text.splitlines()[-1].split() for text in said.values())
    assert (one, two) == ("1", "2")
    np.testing.assert_allclose([float(x) for x in losses], [float(x) for x in mirrored], rtol=1e-4)


def test_mirrored_on_one_device_is_refused() -> None:
    with pytest.raises(UsageError, match="two devices or more") as caught:
        strategy(tiny(strategy="mirrored"))
    assert "--strategy one" in caught.value.remedy
