"""The kernels behind stock Keras layers: a layer keeps its class, its weights and its file, and runs another loop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.engine import keras, tf
from grubench.kernels.cells import kernel_name
from grubench.kernels.recurrence import Outputs, Recurrence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

NAMES = {keras.layers.GRU: "gru", keras.layers.LSTM: "lstm", keras.layers.SimpleRNN: "rnn"}


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
        sequences = self.layer.return_sequences

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(x: Any, *rest: Any) -> Any:
            hs, *last, saved = self._forward(x, rest, keep=keep)

            def gradient(*slopes: Any) -> Any:
                kept = (hs, saved) if keep else self._forward(x, rest, keep=True)[:: self.states + 1]
                return self._backward(x, rest, kept, slopes)

            return ([hs] if sequences else []) + last, gradient

        return list(run(x, *weights, *states))

    def _forward(self, x: Any, rest: Sequence[Any], *, keep: bool) -> list[Any]:
        """`hs`, the last states and what was saved, as tensors."""

        def forward(x: Array, w: Array, u: Array, bias: Array, *states: Array) -> list[Array]:
            found = self.recurrence.forward(x, (w, u, bias), states, keep=keep)
            return [one for one in (found.hs, found.h, found.c, found.saved) if one is not None]

        made = tf.numpy_function(forward, [x, *rest], [tf.float32] * (self.states + 2), stateful=False)
        units = rest[1].shape[0]
        made[0].set_shape([x.shape[0], x.shape[1], units])
        for one in made[1:-1]:
            one.set_shape([x.shape[0], units])
        return list(made)

    def _backward(self, x: Any, rest: Sequence[Any], kept: Sequence[Any], slopes: Sequence[Any]) -> list[Any]:
        """The gradients of x (None where not wanted), the weights and the initial states."""
        sequences, need_x = self.layer.return_sequences, self.need_x

        def backward(x: Array, *others: Array) -> list[Array]:
            w, u, bias, h0, hs, saved, *slopes = others
            d_hs = slopes.pop(0) if sequences else None
            outputs = Outputs(hs=hs, h=h0, c=None, saved=saved)
            found = self.recurrence.backward(x, (w, u, bias), h0, outputs, d_hs=d_hs, d_states=slopes, need_x=need_x)
            every = (found.x, found.w, found.u, found.bias.reshape(bias.shape), found.h0, found.c0)
            return [one for one in every if one is not None]

        # The initial cell state is among what was saved.
        inputs = [x, *rest[:4], *kept, *slopes]
        wanted = [x, *rest] if need_x else list(rest)
        made = tf.numpy_function(backward, inputs, [tf.float32] * len(wanted), stateful=False)
        for one, like in zip(made, wanted, strict=True):
            one.set_shape(like.shape)
        return list(made) if need_x else [None, *made]
