"""Networks of Keras's own layers beside those in compiled code: random shapes, the same weights, the same windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from grubench.kernels.flat_weights import LayerShape, LevelShape
from grubench.kernels.network import Network, NetworkShape
from grubench.kernels.optimizers import UPDATE_RULES
from grubench.spec.optimizers import OPTIMIZERS

ROWS = 200
LAYERS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}


def make_layer(cell: str, units: int, **settings: object) -> keras.layers.RNN:
    """Keras's own layer of a cell."""
    if cell.startswith("gru"):
        settings["reset_after"] = cell == "gru"
    return LAYERS[cell.removesuffix("_reset_before")](units, **settings)


@dataclass(kw_only=True)
class NetworkCase:
    """A network and its windows.

    Attributes:
        cells: The cell of each level.
        units: The units of each.
        both: Whether each level goes in both directions.
        features: Inputs a step.
        lookback: Steps in.
        outputs: Outputs.
        every_step: Whether there is an output at every step.
        settings: Other settings of the `NetworkShape`.
        dtype: Of Keras's layers.
        seed: Of the weights and the windows.
    """

    cells: tuple[str, ...]
    units: tuple[int, ...]
    both: bool = False
    features: int = 2
    lookback: int = 9
    outputs: int = 3
    every_step: bool = False
    settings: dict[str, Any]
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        self.outputs = 1 if self.every_step else self.outputs
        draw = np.random.default_rng(self.seed)
        self.series = draw.normal(size=(ROWS, self.features)).astype("f4")
        self.draw = draw
        keras.utils.set_random_seed(self.seed)
        self.model = self._build()

    def _build(self) -> keras.Sequential:
        model = keras.Sequential([keras.layers.Input((self.lookback, self.features))])
        for place, (cell, units) in enumerate(zip(self.cells, self.units, strict=True)):
            sequences = self.every_step or place < len(self.cells) - 1
            layer = make_layer(cell, units, return_sequences=sequences, dtype=self.dtype)
            model.add(keras.layers.Bidirectional(layer, dtype=self.dtype) if self.both else layer)
        if self.settings.get("activation"):
            model.add(keras.layers.Activation(self.settings["activation"], dtype=self.dtype))
        model.add(keras.layers.Dense(self.outputs, dtype=self.dtype))
        optimizer = getattr(keras.optimizers, OPTIMIZERS[self.settings.get("optimizer", "adam")].keras_class)
        clips = {key: self.settings[key] for key in ("clipnorm", "clipvalue") if self.settings.get(key)}
        rate = self.settings.get("learning_rate", 1e-3)
        model.compile(loss=self.settings.get("loss", "mse"), optimizer=optimizer(learning_rate=rate, **clips))
        return model

    def make_network(self, threads: int = 2, processor: Any = None, dropout: float = 0.0) -> Network:
        """The network in compiled code, with the weights of Keras's model and a new optimizer."""
        levels, features = [], self.features
        for cell, units in zip(self.cells, self.units, strict=True):
            directions = (False, True) if self.both else (False,)
            layers = (LayerShape(cell=cell, features=features, units=units, is_reversed=flag) for flag in directions)
            levels.append(LevelShape(layers=tuple(layers), dropout=dropout))
            features = levels[-1].width
        shape = NetworkShape(
            levels=tuple(levels),
            lookback=self.lookback,
            features=self.features,
            outputs=self.outputs,
            every_step=self.every_step,
            **self.settings,
        )
        network = Network(shape, threads, processor)
        weights = [np.asarray(variable.numpy(), "f4") for variable in self.model.trainable_variables]
        network.set_variables(weights)
        start = 0.1 if shape.optimizer == "adagrad" else 0.0
        if UPDATE_RULES[shape.optimizer].slots:
            network.set_slots([[np.full(w.shape, start, "f4") for w in weights] for _ in network.slots])
        return network

    def draw_starts(self, *shape: int) -> np.ndarray:
        """Start rows of windows."""
        return self.draw.integers(0, ROWS - self.lookback - self.outputs, size=shape)

    def cut(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The inputs and the targets of windows."""
        x = np.stack([self.series[start : start + self.lookback] for start in starts])
        if self.every_step:
            return x, np.stack([self.series[start + 1 : start + 1 + self.lookback, :1] for start in starts])
        first = self.lookback
        return x, np.stack([self.series[start + first : start + first + self.outputs, 0] for start in starts])

    def compute_gradients(self, starts: np.ndarray) -> tuple[float, list[np.ndarray]]:
        """Keras's loss and gradients, in the layers' dtype."""
        x, y = (values.astype(self.dtype) for values in self.cut(starts))
        function = keras.losses.get(self.settings.get("loss", "mse"))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(function(y, self.model(x, training=True)))
        return float(loss), [part.numpy() for part in tape.gradient(loss, self.model.trainable_variables)]
