"""The kernels behind stock Keras layers: a layer keeps its class, its weights and its file, and runs another loop."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf  # noqa: TID253  (only imported where it is the backend)

from grubench.backends.keras import keras
from grubench.kernels.cells import kernel_name
from grubench.kernels.recurrence import Outputs, Recurrence
from grubench.spec.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

# The token of a way forward that kept nothing, and how many are kept of those whose way back has not come.
NOTHING_KEPT = 0
MOST_KEPT = 4
NAMES = {getattr(keras.layers, cell.keras_class): cell.name for cell in CELLS.values() if cell.has_fused_kernel}


def cell_of(layer: keras.layers.RNN) -> str:
    """The kernels' name of a layer's cell."""
    return kernel_name(NAMES[type(layer)], reset_after=getattr(layer, "reset_after", True))


def _check(layer: keras.layers.RNN) -> None:
    """Refuse a layer with settings that the kernels do not know; they would be passed over without a word."""
    cell = layer.cell
    gates = getattr(cell, "recurrent_activation", keras.activations.sigmoid)
    known = (
        type(layer) in NAMES,
        cell.activation is keras.activations.tanh,
        gates is keras.activations.sigmoid,
        cell.use_bias,
        not cell.recurrent_dropout,
        not layer.unroll,
        layer.compute_dtype == "float32",
    )
    if not all(known):
        raise ValueError(f"The fused kernels cannot run {layer.name} with its settings: {layer.get_config()}")


def fuse(layer: keras.layers.RNN, threads: int = 0, *, need_x: bool) -> None:
    """Have a GRU, LSTM or SimpleRNN layer of TensorFlow's backend run on the fused kernel, on the processor.

    Args:
        layer: The layer; its settings must be among those that the kernel knows.
        threads: Threads to compute with; 0 for all processors.
        need_x: Whether something below the layer has weights, so that the gradient of its input is wanted. Without it
            the layer hands no gradient down: TensorFlow says so where one is asked for.

    Raises:
        ValueError: The layer has settings that the kernels do not know.
    """
    _check(layer)
    layer.inner_loop = FusedLoop(layer, threads, need_x=need_x)
    layer.supports_jit = False


def one_at_a_time() -> None:
    """Have TensorFlow run one operation at a time, before it starts: the kernels use all processors themselves.

    Threads of its own that wait for work cost a small step a tenth of its time.
    """
    with contextlib.suppress(RuntimeError):  # it has started already, and stays as it is
        tf.config.threading.set_inter_op_parallelism_threads(1)


class FusedLoop:
    """What takes the place of a layer's `inner_loop`."""

    def __init__(self, layer: keras.layers.RNN, threads: int, *, need_x: bool) -> None:
        self.layer = layer
        self.need_x = need_x
        self.recurrence = Recurrence(cell_of(layer), threads)
        self.states = 2 if self.recurrence.cell.has_c else 1
        self.kept = Kept()

    def __call__(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """The last output, all outputs, and the last states, as `RNN.inner_loop` gives them."""
        layer = self.layer
        if any(one is not None for one in keras.tree.flatten(mask)):
            return type(layer).inner_loop(layer, sequences, initial_state, mask, training=training)
        x = tf.convert_to_tensor(sequences)
        if training and layer.cell.dropout:
            x *= layer.cell.get_dropout_mask(x[:, 0, :])[:, None, :]
        if layer.go_backwards:
            x = tf.reverse(x, [1])
        weights = [
            tf.convert_to_tensor(one) for one in (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)
        ]
        found = self._run(x, weights, keras.tree.flatten(initial_state), keep=bool(training))
        if layer.return_sequences:
            return found[1], found[0], found[1:]
        return found[0], found[0][:, None], found

    def _run(self, x: Any, weights: Sequence[Any], states: Sequence[Any], *, keep: bool) -> list[Any]:
        """The outputs (where the layer returns sequences) and the last states, with their gradient."""

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(x: Any, *rest: Any) -> Any:
            *outputs, token = self._forward(x, rest, keep=keep)
            hs = outputs[0] if self.layer.return_sequences else None
            return outputs, lambda *slopes: self._backward([x, *rest], token, hs, slopes)

        return list(run(x, *weights, *states))

    def _forward(self, x: Any, rest: Sequence[Any], *, keep: bool) -> list[Any]:
        """All outputs (where the layer returns them), the last states, and the token of what was kept; as tensors."""
        sequences = self.layer.return_sequences

        def forward(x: Array, w: Array, u: Array, bias: Array, *states: Array) -> list[Any]:
            found = self.recurrence.forward(x, (w, u, bias), states, keep=keep)
            token = self.kept.put(found) if keep else NOTHING_KEPT
            outputs = [found.hs] * sequences + [found.h] + [found.c] * (self.states - 1)
            return [*outputs, np.int64(token)]

        kinds = [tf.float32] * (self.states + sequences) + [tf.int64]
        made = list(tf.numpy_function(forward, [x, *rest], kinds, stateful=False))
        units = rest[1].shape[0]
        for position, one in enumerate(made[:-1]):
            one.set_shape([*x.shape[:2], units] if sequences and position == 0 else [x.shape[0], units])
        return made

    def _backward(self, inputs: Sequence[Any], token: Any, hs: Any, slopes: Sequence[Any]) -> list[Any]:
        """The gradients of x (None where not wanted), the weights and the initial states.

        Args:
            inputs: x, the weights and the initial states.
            token: The token of what the way forward kept.
            hs: All outputs where the layer returns them. TensorFlow may write over them once nobody needs them; as an
                input they are needed.
            slopes: The derivatives by all outputs (where the layer returns them) and the last states.
        """
        many, need_x = len(inputs), self.need_x

        def backward(*values: Any) -> list[Array]:
            x, w, u, bias, *states = values[:many]
            token, *rest = values[many:]
            outputs = self.kept.take(int(token)) or self.recurrence.forward(x, (w, u, bias), states)
            d_hs = None
            if hs is not None:
                outputs = replace(outputs, hs=rest.pop(0))
                d_hs = rest.pop(0)
            found = self.recurrence.backward(
                x, (w, u, bias), states[0], outputs, d_hs=d_hs, d_states=rest, need_x=need_x
            )
            every = (found.x, found.w, found.u, found.bias.reshape(bias.shape), found.h0, found.c0)
            return [one for one in every if one is not None]

        wanted = inputs if need_x else inputs[1:]
        given = [*inputs, token, *([] if hs is None else [hs]), *slopes]
        made = tf.numpy_function(backward, given, [tf.float32] * len(wanted), stateful=False)
        for one, like in zip(made, wanted, strict=True):
            one.set_shape(like.shape)
        return list(made) if need_x else [None, *made]


class Kept:
    """What ways forward keep for their ways back, by a token: TensorFlow copies what it hands to Python.

    A way back that does not find its own, because there were many others since or it has gone before, runs the way
    forward again.
    """

    def __init__(self) -> None:
        self._outputs: OrderedDict[int, Outputs] = OrderedDict()
        self._next = itertools.count(NOTHING_KEPT + 1)
        self._lock = threading.Lock()

    def put(self, outputs: Outputs) -> int:
        """Keep something; the oldest goes where there is too much."""
        with self._lock:
            token = next(self._next)
            self._outputs[token] = outputs
            while len(self._outputs) > MOST_KEPT:
                self._outputs.popitem(last=False)
            return token

    def take(self, token: int) -> Outputs | None:
        """What a token stands for, once."""
        with self._lock:
            return self._outputs.pop(token, None)
