"""Helpers of the kernels' tests: layers of every cell, and random cases with Keras's own result in float64."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from grubench.backends.loader import backend
from grubench.kernels.processor import Processor, detect_processor
from grubench.kernels.recurrence import Gradients, Outputs, Recurrence

HOST = detect_processor()
needs_kernels = pytest.mark.skipif(
    HOST is None or bool(backend().gpus()), reason="needs a machine without a GPU, and a processor with AVX2 or NEON"
)
LAYERS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}
CELLS = ("gru", "gru_reset_before", "lstm", "rnn")


def make_layer(cell: str, units: int, **settings: object) -> keras.layers.RNN:
    """Keras's own layer of a cell."""
    if cell.startswith("gru"):
        settings["reset_after"] = cell == "gru"
    return LAYERS[cell.removesuffix("_reset_before")](units, **settings)


def with_shorter_vectors(lanes: int, registers: int) -> Processor:
    """This processor, as one with shorter vectors."""
    assert HOST is not None
    return replace(HOST, lanes=lanes, registers=registers)


class Case:
    """The weights and inputs of a layer, and the gradients of its outputs, drawn from a seed.

    Args:
        cell: The cell.
        sizes: Batch, steps, features and units.
        sequences: Whether every output is used, or only the last.
        seed: The seed.
    """

    def __init__(self, cell: str, sizes: tuple[int, int, int, int], *, sequences: bool, seed: int = 0) -> None:
        batch, steps, features, units = sizes
        self.sequences, draw = sequences, np.random.default_rng(seed)
        self.layer = make_layer(cell, units, return_sequences=sequences, return_state=True, dtype="float64")
        self.layer.build((batch, steps, features))
        self.weights = tuple(
            (draw.normal(size=weight.shape) / np.sqrt(max(1, weight.shape[0]))).astype("f4")
            for weight in self.layer.get_weights()
        )
        self.layer.set_weights(self.weights)
        self.x = draw.normal(size=(batch, steps, features)).astype("f4")
        state_shapes = [(batch, units)] * (2 if cell == "lstm" else 1)
        self.states = [draw.normal(size=shape).astype("f4") * np.float32(0.5) for shape in state_shapes]
        self.d_states = [draw.normal(size=shape).astype("f4") for shape in state_shapes]
        self.d_hs = draw.normal(size=(batch, steps, units)).astype("f4") if sequences else None

    def reference(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Keras's output in float64, and its gradients of x, the weights and the initial states."""
        x, *states = (tf.constant(array, "float64") for array in (self.x, *self.states))
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            output, *last_states = self.layer(x, initial_state=states)
            outputs, gradients = list(last_states), list(self.d_states)
            if self.sequences:
                outputs.append(output)
                gradients.append(self.d_hs)
            loss = sum(
                tf.reduce_sum(part * tf.constant(gradient, "float64"))
                for part, gradient in zip(outputs, gradients, strict=True)
            )
        targets = [x, *(variable.value for variable in self.layer.trainable_variables), *states]
        return output.numpy(), [gradient.numpy() for gradient in tape.gradient(loss, targets)]

    def run(self, kernel: Recurrence, *, need_d_x: bool = True) -> tuple[Outputs, Gradients]:
        outputs = kernel.forward(self.x, self.weights, self.states)
        gradients = kernel.backward(
            self.x, self.weights, self.states[0], outputs, d_hs=self.d_hs, d_states=self.d_states, need_d_x=need_d_x
        )
        return outputs, gradients

    def check(self, kernel: Recurrence) -> None:
        """Outputs within 5e-6 absolute, every gradient within 1e-5 relative.

        A gradient is a sum of terms of order 1; where they cancel, its error is relative to them.
        """
        outputs, gradients = self.run(kernel)
        output, expected = self.reference()
        assert np.abs((outputs.hs if self.sequences else outputs.h) - output).max() < 5e-6
        every = (gradients.x, gradients.w, gradients.u, gradients.bias, gradients.h0, gradients.c0)
        actual = [gradient for gradient in every if gradient is not None]
        for gradient, reference in zip(actual, expected, strict=True):
            scale = max(np.linalg.norm(reference), 1.0)
            assert np.linalg.norm(gradient.reshape(reference.shape) - reference) / scale < 1e-5
