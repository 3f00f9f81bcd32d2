"""Fused kernels for stock Keras layers: a layer keeps its class, weights and file format, and its loop is replaced."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf  # only imported where it is the backend

from grubench.backends import private_api
from grubench.kernels.cells import select_cell
from grubench.kernels.recurrence import Outputs, Recurrence
from grubench.spec.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.kernels.arguments import Array

# The token of a forward pass that saved nothing, and the most forward passes that are saved at a time.
NOT_SAVED = 0
MAX_SAVED = 4
CELL_NAMES = {getattr(keras.layers, cell.keras_class): cell.name for cell in CELLS.values() if cell.has_fused_kernel}


def fuse_layer(layer: keras.layers.RNN, threads: int = 0, *, need_d_x: bool) -> None:
    """Replace the loop of a GRU, LSTM or SimpleRNN layer by the fused kernel, on TensorFlow's backend and the CPU.

    Args:
        layer: The layer.
        threads: Threads to compute with; 0 for all cores.
        need_d_x: Whether a layer below has weights, so that the gradient of the inputs is needed. Without it the layer
            returns none: TensorFlow warns where one is asked for.

    Raises:
        ValueError: The layer has settings that the kernels do not support.
    """
    _check_settings(layer)
    private_api.replace_inner_loop(layer, FusedLoop(layer, threads, need_d_x=need_d_x))


def _check_settings(layer: keras.layers.RNN) -> None:
    """Refuse a layer with settings that the kernels would ignore."""
    cell = layer.cell
    recurrent_activation = getattr(cell, "recurrent_activation", keras.activations.sigmoid)
    supported = (
        type(layer) in CELL_NAMES,
        cell.activation is keras.activations.tanh,
        recurrent_activation is keras.activations.sigmoid,
        cell.use_bias,
        not cell.recurrent_dropout,
        not layer.unroll,
        layer.compute_dtype == "float32",
    )
    if not all(supported):
        raise ValueError(f"The fused kernels cannot run {layer.name} with its settings: {layer.get_config()}")


def limit_inter_op_threads() -> None:
    """Let TensorFlow run one operation at a time, before it starts: the kernels use all cores themselves.

    Idle threads of TensorFlow that wait for operations cost a small training step a tenth of its time.
    """
    with contextlib.suppress(RuntimeError):  # TensorFlow has started, and cannot be changed
        tf.config.threading.set_inter_op_parallelism_threads(1)


class FusedLoop:
    """The replacement of a recurrent layer's loop (`private_api.replace_inner_loop`).

    Args:
        layer: The layer.
        threads: Threads to compute with; 0 for all cores.
        need_d_x: Whether the gradient of the inputs is needed.
    """

    def __init__(self, layer: keras.layers.RNN, threads: int, *, need_d_x: bool) -> None:
        self.layer = layer
        self.need_d_x = need_d_x
        cell = select_cell(CELL_NAMES[type(layer)], reset_after=getattr(layer, "reset_after", True))
        self.recurrence = Recurrence(cell, threads)
        self.saved = SavedOutputs()

    def __call__(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """The last output, all outputs, and the last states, as the layer's own loop returns them."""
        layer = self.layer
        if any(part is not None for part in keras.tree.flatten(mask)):
            return private_api.run_inner_loop(layer, sequences, initial_state, mask, training=training)
        x = tf.convert_to_tensor(sequences)
        if training and layer.cell.dropout:
            x *= private_api.input_dropout_mask(layer, x[:, 0, :])[:, None, :]
        if layer.go_backwards:
            x = tf.reverse(x, [1])
        variables = (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)
        weights = [tf.convert_to_tensor(variable) for variable in variables]
        results = self._run(x, weights, keras.tree.flatten(initial_state), save_for_backward=bool(training))
        if layer.return_sequences:
            return results[1], results[0], results[1:]
        return results[0], results[0][:, None], results

    def _run(
        self, x: Any, weights: Sequence[Any], initial_states: Sequence[Any], *, save_for_backward: bool
    ) -> list[Any]:
        """All hidden states (where the layer returns sequences) and the last states, with their gradient."""

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(*inputs: Any) -> Any:
            *results, token = self._forward(inputs, save_for_backward=save_for_backward)
            hs = results[0] if self.layer.return_sequences else None
            return results, lambda *gradients: self._backward(inputs, token, hs, gradients)

        return list(run(x, *weights, *initial_states))

    def _forward(self, inputs: Sequence[Any], *, save_for_backward: bool) -> list[Any]:
        """The forward pass as a TensorFlow operation.

        Args:
            inputs: x, the weights and the initial states.
            save_for_backward: Save what the backward pass needs.

        Returns:
            All hidden states (where the layer returns sequences), the last states, and the token of what was saved.
        """
        sequences = self.layer.return_sequences

        def forward(x: Array, w: Array, u: Array, bias: Array, *states: Array) -> list[Any]:
            outputs = self.recurrence.forward(x, (w, u, bias), states, save_for_backward=save_for_backward)
            token = self.saved.put(outputs) if save_for_backward else NOT_SAVED
            results = [outputs.hs] if sequences else []
            results.append(outputs.h)
            if outputs.c is not None:
                results.append(outputs.c)
            return [*results, np.int64(token)]

        float_count = 2 if self.recurrence.cell.has_cell_state else 1
        if sequences:
            float_count += 1
        types = [tf.float32] * float_count + [tf.int64]
        results = list(tf.numpy_function(forward, inputs, types, stateful=False))
        (batch, steps, _), units = inputs[0].shape, inputs[2].shape[0]
        for position, result in enumerate(results[:-1]):
            result.set_shape([batch, steps, units] if sequences and position == 0 else [batch, units])
        return results

    def _backward(self, inputs: Sequence[Any], token: Any, hs: Any, gradients: Sequence[Any]) -> list[Any]:
        """The backward pass as a TensorFlow operation.

        Args:
            inputs: x, the weights and the initial states.
            token: The token of what the forward pass saved.
            hs: All hidden states where the layer returns them, else None. TensorFlow may write over their memory when
                no operation reads them any more; as an input of this one they are safe.
            gradients: The gradients of all hidden states (where the layer returns them) and of the last states.

        Returns:
            The gradients of x (None where not needed), the weights and the initial states.
        """
        need_d_x = self.need_d_x

        def backward(*values: Any) -> list[Array]:
            x, w, u, bias, *states = values[: len(inputs)]
            token, *d_states = values[len(inputs) :]
            outputs = self.saved.take(int(token)) or self.recurrence.forward(x, (w, u, bias), states)
            d_hs = None
            if hs is not None:
                outputs = replace(outputs, hs=d_states.pop(0))
                d_hs = d_states.pop(0)
            result = self.recurrence.backward(
                x, (w, u, bias), states[0], outputs, d_hs=d_hs, d_states=d_states, need_d_x=need_d_x
            )
            every = (result.x, result.w, result.u, result.bias.reshape(bias.shape), result.h0, result.c0)
            return [gradient for gradient in every if gradient is not None]

        targets = inputs if need_d_x else inputs[1:]
        arguments = [*inputs, token, *gradients] if hs is None else [*inputs, token, hs, *gradients]
        results = tf.numpy_function(backward, arguments, [tf.float32] * len(targets), stateful=False)
        for result, target in zip(results, targets, strict=True):
            result.set_shape(target.shape)
        return list(results) if need_d_x else [None, *results]


class SavedOutputs:
    """The outputs of forward passes that wait for their backward pass, by a token.

    They stay here because TensorFlow copies what Python returns to it. A backward pass that does not find its outputs,
    because they were dropped or it runs a second time, runs the forward pass again.
    """

    def __init__(self) -> None:
        self._outputs: OrderedDict[int, Outputs] = OrderedDict()
        self._tokens = itertools.count(NOT_SAVED + 1)
        self._lock = threading.Lock()

    def put(self, outputs: Outputs) -> int:
        """Save outputs, and drop the oldest where there are too many; their token."""
        with self._lock:
            token = next(self._tokens)
            self._outputs[token] = outputs
            while len(self._outputs) > MAX_SAVED:
                self._outputs.popitem(last=False)
            return token

    def take(self, token: int) -> Outputs | None:
        """Remove and return the outputs of a token; None where they are not here."""
        with self._lock:
            return self._outputs.pop(token, None)
