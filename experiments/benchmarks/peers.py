"""A step of training (forward, backward, update) here and in other frameworks; `make bench-peers` prints the table.

The same models on random data of the same shape: grubench's fused kernels; Keras on TensorFlow as it comes, the same
compiled by XLA, and Keras on JAX, each under `fit` with as many steps a call as grubench chooses; and PyTorch in a bare
loop. Each runs in a process of its own; the processes take turns, round by round, so that a machine that drifts hits
all alike.

    python experiments/benchmarks/peers.py [--workloads "bankex;waves, T 2000"] [--variants fused,torch] [--rounds 9]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

# batch, steps, features, units of each layer, outputs, dropout after each layer, an output at every step, steps a call
WORKLOADS: dict[str, tuple[int, int, int, list[int], int, float, bool, int]] = {
    "default": (32, 28, 1, [32], 7, 0.0, False, 16),
    "default, 16 units": (32, 28, 1, [16], 7, 0.0, False, 16),
    "waves, T 2000": (40, 2000, 1, [16], 1, 0.0, True, 2),
    "waves, T 20,000": (40, 20_000, 1, [16], 1, 0.0, True, 1),
    "waves, T 2000, last output": (40, 2000, 1, [16], 1, 0.0, False, 2),
    "waves, T 20,000, last output": (40, 20_000, 1, [16], 1, 0.0, False, 1),
    "bitcoin": (64, 60, 1, [50, 100], 1, 0.2, False, 4),
    "bankex": (32, 60, 1, [128], 20, 0.0, False, 8),
    "energy, B 256": (256, 90, 5, [256, 256], 1, 0.0, False, 1),
    "energy, B 1024": (1024, 90, 5, [256, 256], 1, 0.0, False, 1),
}
VARIANTS = ("fused", "keras", "xla", "jax", "torch")
CELLS = ("gru", "lstm")
# A round of a variant lasts about this long, or one step.
ROUND_S = 0.5
START_LIMIT_S = 900


# Trains so many steps; the seconds that they took and the last loss.
Steps = Callable[[int], tuple[float, float]]


def keras_model(variant: str, cell: str, name: str) -> Any:
    """A workload's model on the backend of the variant, compiled."""
    os.environ["KERAS_BACKEND"] = "jax" if variant == "jax" else "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    _, steps, features, units, outputs, dropout, every_step, many = WORKLOADS[name]
    kind = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[cell]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((steps, features))])
    for position, width in enumerate(units):
        model.add(kind(width, return_sequences=every_step or position < len(units) - 1))
        if dropout:
            model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(outputs))
    compiled = {} if variant == "jax" else {"jit_compile": variant == "xla"}
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(1e-3), steps_per_execution=many, **compiled)
    return model


def keras_steps(variant: str, cell: str, name: str, x: Any, y: Any) -> Steps:
    """Training in Keras on the backend of the variant: an epoch of so many steps, after one like it."""
    model = keras_model(variant, cell, name)
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


def fused_steps(cell: str, name: str) -> Steps:
    """Training in grubench's compiled code: windows of a random series, many steps a call."""
    import numpy as np

    from grubench.kernels.flat_weights import LayerShape, LevelShape
    from grubench.kernels.network import Network, NetworkShape

    batch, steps, features, units, outputs, dropout, every_step, _ = WORKLOADS[name]
    levels, width = [], features
    for count in units:
        levels.append(LevelShape(layers=(LayerShape(cell=cell, features=width, units=count),), dropout=dropout))
        width = count
    shape = NetworkShape(
        levels=tuple(levels), lookback=steps, features=features, outputs=outputs, every_step=every_step
    )
    network = Network(shape)
    draw = np.random.default_rng(0)
    weights = [(0.1 * draw.normal(size=one.shape)).astype(np.float32) for one in network.get_variables()]
    network.set_variables(weights)
    series = draw.random((batch + steps + outputs, features), dtype=np.float32)

    def train(count: int) -> tuple[float, float]:
        order = np.tile(np.arange(batch), (count, 1))
        began = time.perf_counter()
        losses = network.train(series, order)
        return time.perf_counter() - began, float(losses[-1])

    return train


def torch_steps(cell: str, name: str, x: Any, y: Any) -> Steps:
    """Training in PyTorch, a bare loop over one batch."""
    import torch

    _, _, features, units, outputs, dropout, every_step, _ = WORKLOADS[name]
    torch.manual_seed(0)
    kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    widths = [features, *units]
    layers = torch.nn.ModuleList(kind(a, b, batch_first=True) for a, b in zip(widths, units, strict=False))
    head, drop = torch.nn.Linear(units[-1], outputs), torch.nn.Dropout(dropout)
    optimizer = torch.optim.Adam([*layers.parameters(), *head.parameters()], 1e-3)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> float:
        values = inputs
        for position, layer in enumerate(layers):
            values = layer(values)[0]
            if position == len(layers) - 1 and not every_step:
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


def work(variant: str, cell: str, name: str) -> None:
    """The body of a variant's process: on each line a number of steps comes in and their mean time goes out."""
    import numpy as np

    batch, steps, features, _, outputs, _, every_step, many = WORKLOADS[name]
    draw = np.random.default_rng(0)
    x = draw.random((batch, steps, features), dtype=np.float32)
    y = draw.random((batch, steps, outputs) if every_step else (batch, outputs), dtype=np.float32)
    began = time.perf_counter()
    if variant == "fused":
        train = fused_steps(cell, name)
    else:
        train = torch_steps(cell, name, x, y) if variant == "torch" else keras_steps(variant, cell, name, x, y)
    _, loss = train(many)
    print(json.dumps({"first_s": time.perf_counter() - began, "loss": loss}), flush=True)
    for line in sys.stdin:
        count = -(-int(line) // many) * many
        print(train(count)[0] / count, peak_megabytes(), flush=True)


def peak_megabytes() -> float:
    """The most memory that this process has held, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def race(name: str, cell: str, variants: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """The times of every variant, in ms a round, the variants taking turns."""
    found: dict[str, dict[str, Any]] = {}
    teams: dict[str, subprocess.Popen[str]] = {}
    for variant in variants:
        words = [sys.executable, __file__, "--work", variant, cell, name]
        said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (it lives as long as the process that writes to it)
        team = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)
        assert team.stdout is not None
        limit = threading.Timer(START_LIMIT_S, team.kill)
        limit.start()
        ready = team.stdout.readline()
        limit.cancel()
        if not ready.startswith("{"):
            said.seek(0)
            print(f"{variant} could not run {name}, {cell}: {said.read()[-500:]}", file=sys.stderr)
            team.kill()
            team.wait()
            continue
        teams[variant], found[variant] = team, {**json.loads(ready), "ms": []}

    def run(variant: str, count: int) -> float:
        team = teams[variant]
        assert team.stdin is not None
        assert team.stdout is not None
        team.stdin.write(f"{count}\n")
        team.stdin.flush()
        seconds, megabytes = map(float, team.stdout.readline().split())
        found[variant]["peak_mb"] = megabytes
        return seconds

    counts = {variant: max(1, round(ROUND_S / run(variant, 1))) for variant in teams}
    for number in range(rounds):
        for variant in list(teams) if number % 2 == 0 else list(teams)[::-1]:
            found[variant]["ms"].append(1e3 * run(variant, counts[variant]))
    for team in teams.values():
        assert team.stdin is not None
        team.stdin.close()
        team.wait()
    return found


def row(name: str, cell: str, found: dict[str, dict[str, Any]], variants: list[str]) -> str:
    """A line of the table: medians, and the best peer's over ours with the quartiles of the rounds' ratios."""
    cells = [f"{median(found[one]['ms']):.4g}" if one in found else "" for one in variants]
    peers = {one: median(values["ms"]) for one, values in found.items() if one != "fused"}
    ratio = ""
    if "fused" in found and peers:
        best = min(peers, key=lambda one: peers[one])
        over = peers[best] / median(found["fused"]["ms"])
        ratios = [a / b for a, b in zip(found[best]["ms"], found["fused"]["ms"], strict=True)]
        spread = f" ({quantiles(ratios)[0]:.2f} to {quantiles(ratios)[2]:.2f})" if len(ratios) > 1 else ""
        ratio = f"{over:.2f}{spread} {best}"
    return f"| {name} | {cell.upper()} | " + " | ".join([*cells, ratio]) + " |"


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description="Steps of training here and in other frameworks.")
    parser.add_argument("--workloads", default="", help="names to run, separated by semicolons; all where not given")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write every round to this file")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(*given.work)
        return
    variants = given.variants.split(",")
    names = given.workloads.split(";") if given.workloads else list(WORKLOADS)
    for asked, known in ((names, WORKLOADS), (variants, VARIANTS), (given.cells.split(","), CELLS)):
        for one in asked:
            if one not in known:
                parser.error(f"there is no {one!r}; there are: {'; '.join(known)}")
    from grubench.backends import machine

    cores = machine.count_cores()
    print(f"{dt.datetime.now().date()}, {machine.find_processor_name()}, {cores} cores, `make bench-peers`;")
    print(f"ms a step, medians of {given.rounds} rounds in turns.\n")
    print("| workload | cell | " + " | ".join(variants) + " | best peer over fused |")
    print("|---|---|" + "---:|" * (len(variants) + 1))
    everything = []
    for name in names:
        for cell in given.cells.split(","):
            found = race(name, cell, variants, given.rounds)
            everything.append({"workload": name, "cell": cell, "found": found})
            print(row(name, cell, found, variants), flush=True)
            if given.json:
                given.json.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
