"""Fitting and forecasting in compiled code, beside Keras, which builds, initializes and saves the model.

Keras's own callbacks see every epoch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import keras
import numpy as np

from grubench.backends import private_api
from grubench.kernels.cells import select_cell
from grubench.kernels.flat_weights import LayerShape, LevelShape
from grubench.kernels.network import Network, NetworkShape
from grubench.kernels.optimizers import UPDATE_RULES, compute_nadam_product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.data.windows import Windows
    from grubench.spec.experiment import Experiment
    from grubench.training.batches import Batches

# How long one call of compiled code takes, about: after it there is a look at the loss, the keyboard and the display.
CALL_S = 0.2


def describe_network(spec: Experiment, lookback: int, feature: int, outputs: int) -> NetworkShape:
    """The network of a spec.

    Args:
        spec: The spec.
        lookback: Steps in.
        feature: Inputs a step.
        outputs: Values of the Dense head: the horizon, or 1 at every step.
    """
    training, model, features = spec.training, spec.model, feature
    levels = []
    for layer, dropout in zip(model.stack, model.dropout, strict=True):
        cell = select_cell(layer.cell, reset_after=model.reset_after)
        layers = tuple(
            LayerShape(cell=cell, features=features, units=layer.units, is_reversed=is_reversed)
            for is_reversed in ((False, True) if model.bidirectional else (False,))
        )
        levels.append(LevelShape(layers=layers, dropout=dropout))
        features = levels[-1].width
    return NetworkShape(
        levels=tuple(levels),
        lookback=lookback,
        features=feature,
        outputs=outputs,
        every_step=spec.window.every_step,
        activation="" if model.head_activation == "linear" else model.head_activation,
        loss=training.loss,
        optimizer=training.optimizer,
        learning_rate=training.learning_rate,
        clipnorm=training.clipnorm,
        clipvalue=training.clipvalue,
        seed=spec.seed,
    )


class FusedModel:
    """A Keras model that trains and forecasts in compiled code.

    Args:
        model: The model.
        windows: The windows.
        spec: The spec.
        threads: Threads to compute with; 0 for all cores.
    """

    def __init__(self, model: keras.Model, windows: Windows, spec: Experiment, threads: int = 0) -> None:
        self.model, self.windows = model, windows
        shape = describe_network(spec, windows.lookback, windows.feature, windows.outputs)
        self.network = Network(shape, threads)
        self.step = 0
        self._steps_a_call = 1

    def read_weights(self) -> None:
        """Take the values of the model's variables."""
        self.network.set_variables(_to_numpy(self.model.trainable_variables))

    def write_weights(self) -> None:
        """Give the model's variables their values."""
        _assign(self.model.trainable_variables, self.network.get_variables())

    def read_optimizer(self) -> None:
        """Take the values of the optimizer's variables, which is built."""
        self.step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        self.network.set_slots([_to_numpy(variables) for variables in self._list_slots()])

    def write_optimizer(self) -> None:
        """Give the optimizer's variables their values."""
        for variables, values in zip(self._list_slots(), self.network.get_slots(), strict=True):
            _assign(variables, values)
        self.model.optimizer.iterations.assign(self.step)
        if self.network.shape.optimizer == "nadam":
            private_api.set_nadam_product(self.model.optimizer, compute_nadam_product(self.step))

    def _list_slots(self) -> list[list[keras.Variable]]:
        """The optimizer's arrays, for each slot one of each of the model's variables."""
        variables = self.model.optimizer.variables
        slots = UPDATE_RULES[self.network.shape.optimizer].slots
        return [[variable for variable in variables if variable.name.endswith(f"_{slot}")] for slot in slots]

    def fit(
        self,
        batches: Batches,
        validation: NDArray[np.int64],
        callbacks: Sequence[keras.callbacks.Callback],
        epochs: tuple[int, int],
    ) -> None:
        """Fit as `keras.Model.fit` does.

        Args:
            batches: The training windows.
            validation: The start rows of the validation windows; none without validation.
            callbacks: Keras's callbacks; those that read the model stand after a `CopyToModel`.
            epochs: The first epoch, from 0, and the one after the last.
        """
        self.read_weights()
        self.read_optimizer()
        model = self.model
        first, last = epochs
        callback_list = keras.callbacks.CallbackList(
            list(callbacks), model=model, epochs=last, steps=len(batches), verbose=0
        )
        model.stop_training, logs = False, {}
        callback_list.on_train_begin()
        for epoch in range(first, last):
            callback_list.on_epoch_begin(epoch)
            logs = {"loss": self._run_epoch(batches, callback_list)}
            if len(validation) and not model.stop_training:
                callback_list.on_test_begin()
                logs["val_loss"] = self.network.evaluate(self.windows.rows, validation)
                callback_list.on_test_end({"loss": logs["val_loss"]})
            callback_list.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        self.write_weights()
        self.write_optimizer()
        callback_list.on_train_end(logs)
        self.read_weights()  # early stopping goes back to those of the best epoch

    def make_copy(self) -> keras.callbacks.Callback:
        """A callback after which others find the values of the epoch in the model and its optimizer."""
        return CopyToModel(self)

    def _run_epoch(self, batches: Batches, callback_list: keras.callbacks.CallbackList) -> float:
        """Run an epoch, many steps in a call; its mean loss, summed in the same order however many those are."""
        size, done = batches.batch_size, 0
        whole = len(batches.current) // size
        order = batches.current[: whole * size].reshape(whole, size)
        rest = batches.current[whole * size :]
        of_steps = np.zeros(whole + bool(len(rest)))  # the loss of each, times its windows
        while done < len(of_steps) and not self.model.stop_training:
            piece = order[done : done + self._steps_a_call] if done < whole else rest[None]
            callback_list.on_train_batch_begin(done)
            began = time.perf_counter()
            losses = self.network.train(self.windows.rows, piece, self.step)
            seconds = (time.perf_counter() - began) / len(piece)
            of_steps[done : done + len(piece)] = losses.astype(np.float64) * piece.shape[1]
            done, self.step = done + len(piece), self.step + len(piece)
            if piece.shape[1] == size:  # a step of the rest is shorter
                self._steps_a_call = max(1, int(CALL_S / max(seconds, 1e-9)))
            mean = float(of_steps[:done].sum()) / min(done * size, len(batches.current))
            callback_list.on_train_batch_end(done - 1, {"loss": mean})
        return mean

    def forecast(self, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scaled forecasts of the windows at these start rows, in the shape of `Windows.targets`."""
        return self.network.forecast(self.windows.rows, starts)


class CopyToModel(keras.callbacks.Callback):  # type: ignore[misc]
    """Gives the model and its optimizer their values after each epoch, for the callbacks after it."""

    def __init__(self, fused: FusedModel) -> None:
        super().__init__()
        self.fused = fused

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Copy."""
        self.fused.write_weights()
        self.fused.write_optimizer()


def _to_numpy(variables: Sequence[keras.Variable]) -> list[NDArray[np.float32]]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[NDArray[np.float32]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
