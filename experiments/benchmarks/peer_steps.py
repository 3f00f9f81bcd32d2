"""A workload's steps of training in one framework, in a process of its own, for `peers.py`.

Lines of JSON come in and go out: a workload and a cell to build the model of, then numbers of steps to train.

    python experiments/benchmarks/peer_steps.py torch
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

VARIANTS = ("fused", "keras", "xla", "jax", "torch")
CELLS = ("gru", "lstm")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The shape of a training.

    Attributes:
        batch: Windows a step.
        lookback: Steps in.
        features: Inputs a step.
        units: Of each layer.
        outputs: Of the head.
        dropout: After each layer.
        every_step: Whether there is an output at every step.
        steps_a_call: Steps that one call of Keras runs.
    """

    batch: int
    lookback: int
    features: int = 1
    units: tuple[int, ...]
    outputs: int = 1
    dropout: float = 0.0
    every_step: bool = False
    steps_a_call: int


# Trains so many steps; the seconds that they took and the last loss.
Steps = Callable[[int], tuple[float, float]]


def make_keras_model(variant: str, cell: str, workload: Workload) -> Any:
    """A workload's model on the backend of the variant, compiled."""
    os.environ["KERAS_BACKEND"] = "jax" if variant == "jax" else "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    kind = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[cell]
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((workload.lookback, workload.features))])
    for position, width in enumerate(workload.units):
        model.add(kind(width, return_sequences=workload.every_step or position < len(workload.units) - 1))
        if workload.dropout:
            model.add(keras.layers.Dropout(workload.dropout))
    model.add(keras.layers.Dense(workload.outputs))
    options = {} if variant == "jax" else {"jit_compile": variant == "xla"}
    optimizer = keras.optimizers.Adam(1e-3)
    model.compile(loss="mse", optimizer=optimizer, steps_per_execution=workload.steps_a_call, **options)
    return model


def train_in_keras(variant: str, cell: str, workload: Workload, x: Any, y: Any) -> Steps:
    """Training in Keras on the backend of the variant: an epoch of so many steps, after one like it."""
    model = make_keras_model(variant, cell, workload)
    import keras
    import numpy as np

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        """The seconds and the loss of the last epoch."""

        async_safe = True

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.loss = float(logs["loss"])  # waits for what still computes
            self.seconds = time.perf_counter() - self.began

    clock = Clock()

    def batches(count: int) -> dict[str, Any]:
        """So many times the batch, as the backend takes it with the least ado."""
        if variant == "jax":
            return {"x": np.concatenate([x] * count), "y": np.concatenate([y] * count), "batch_size": len(x)}
        import tensorflow as tf

        options = tf.data.Options()
        options.autotune.enabled = False  # its thread holds up the end of an epoch now and then
        return {"x": tf.data.Dataset.from_tensors((x, y)).repeat(count).with_options(options)}

    def train(count: int) -> tuple[float, float]:
        model.fit(**batches(count), epochs=2, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds, clock.loss

    return train


def train_in_grubench(cell: str, workload: Workload) -> Steps:
    """Training in grubench's compiled code: windows of a random series, many steps a call."""
    import numpy as np

    from grubench.kernels.flat_weights import LayerShape, LevelShape
    from grubench.kernels.network import Network, NetworkShape

    widths = (workload.features, *workload.units)
    shape = NetworkShape(
        levels=tuple(
            LevelShape(layers=(LayerShape(cell=cell, features=below, units=units),), dropout=workload.dropout)
            for below, units in pairwise(widths)
        ),
        lookback=workload.lookback,
        features=workload.features,
        outputs=workload.outputs,
        every_step=workload.every_step,
    )
    network = Network(shape)
    draw = np.random.default_rng(0)
    weights = [(0.1 * draw.normal(size=one.shape)).astype(np.float32) for one in network.get_variables()]
    network.set_variables(weights)
    rows = workload.batch + workload.lookback + workload.outputs
    series = draw.random((rows, workload.features), dtype=np.float32)

    def train(count: int) -> tuple[float, float]:
        order = np.tile(np.arange(workload.batch), (count, 1))
        began = time.perf_counter()
        losses = network.train(series, order)
        return time.perf_counter() - began, float(losses[-1])

    return train


def train_in_torch(cell: str, workload: Workload, x: Any, y: Any) -> Steps:
    """Training in PyTorch, a bare loop over one batch."""
    import torch

    torch.manual_seed(0)
    kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    widths = (workload.features, *workload.units)
    layers = torch.nn.ModuleList(kind(below, units, batch_first=True) for below, units in pairwise(widths))
    head, drop = torch.nn.Linear(widths[-1], workload.outputs), torch.nn.Dropout(workload.dropout)
    optimizer = torch.optim.Adam([*layers.parameters(), *head.parameters()], 1e-3)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> float:
        values = inputs
        for position, layer in enumerate(layers):
            values = layer(values)[0]
            if position == len(layers) - 1 and not workload.every_step:
                values = values[:, -1]
            values = drop(values)
        loss = torch.nn.functional.mse_loss(head(values), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss)

    def train(count: int) -> tuple[float, float]:
        began = time.perf_counter()
        losses = [step() for _ in range(count)]
        return time.perf_counter() - began, losses[-1]

    return train


def prepare(variant: str, cell: str, workload: Workload) -> Steps:
    """What trains a workload's model in a framework, on random data."""
    import numpy as np

    if variant == "fused":
        return train_in_grubench(cell, workload)
    draw = np.random.default_rng(0)
    targets = (workload.lookback, workload.outputs) if workload.every_step else (workload.outputs,)
    x = draw.random((workload.batch, workload.lookback, workload.features), dtype=np.float32)
    y = draw.random((workload.batch, *targets), dtype=np.float32)
    if variant == "torch":
        return train_in_torch(cell, workload, x, y)
    return train_in_keras(variant, cell, workload, x, y)


def find_peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Answer lines of JSON."""
    variant = sys.argv[1]
    for line in sys.stdin:
        asked = json.loads(line)
        if "cell" in asked:
            workload = Workload(**asked["workload"])
            many = workload.steps_a_call
            began = time.perf_counter()
            train = prepare(variant, asked["cell"], workload)
            _, loss = train(many)
            answer = {"first_s": time.perf_counter() - began, "loss": loss}
        else:
            count = -(-asked["steps"] // many) * many
            answer = {"step_s": train(count)[0] / count, "peak_mb": find_peak_mb()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
