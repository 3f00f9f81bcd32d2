"""The workloads on an NVIDIA card, with cuDNN and with Keras's loop; `make bench-gpu` prints the tables.

A step of each workload is timed for both cells on every backend that is installed, by `grubench bench`, and the
workloads named by --full are trained by `grubench compare`. Without a card nothing is measured.

    python experiments/benchmarks/gpu.py [--backends torch,jax] [--presets energy,bankex] [--rounds 7]
                                         [--full energy waves:50] [--output runs]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from grubench.backends import gpus, machine, registry
from grubench.spec.backends import BACKENDS

PRESETS = ("activities", "bitcoin", "bankex", "energy", "waves")
# Steps of Keras's loop over 20,000 steps take seconds.
FEW_ROUNDS = {"waves": 3}
LIMIT_S = 1800


def grubench(*words: str) -> bool:
    """Call grubench; whether it did what it was asked for. What it says is shown."""
    print("$ grubench", *words, file=sys.stderr, flush=True)
    call = [sys.executable, "-m", "grubench", *words]
    try:
        return subprocess.run(call, check=False, timeout=LIMIT_S, stdout=sys.stderr).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def kernels(backend: str, cell: str) -> str:
    """The kernels to time; Keras has no cuDNN for GRU on JAX, but a loop that is quicker than its generic one."""
    return "auto" if (backend, cell) == ("jax", "gru") else "cudnn,keras"


def steps(backend: str, preset: str, rounds: int, asked: str) -> dict[tuple[str, str], float]:
    """Median milliseconds of a step of training by cell and kernel; what could not be timed is left out."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for cell in ("gru", "lstm"):
            path = Path(folder) / f"{cell}.json"
            which = asked or kernels(backend, cell)
            turns = str(min(rounds, FEW_ROUNDS.get(preset, rounds)))
            words = ["bench", "--preset", preset, "--backend", backend, "--cells", cell, "--kernels", which]
            if grubench(*words, "--rounds", turns, "--export", str(path)):
                for one in json.loads(path.read_text(encoding="utf-8"))["timings"]:
                    found[cell, one["arm"]["kernel"]] = median(one["step_s"]) * 1e3
    return found


def full(backend: str, text: str, output: str) -> list[list[Any]]:
    """Both cells of a workload trained with one seed: seconds in all, seconds an epoch, errors, memory."""
    preset, _, epochs = text.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.json"
        words = ["compare", preset, "--seeds", "1", "--backend", backend, "--output", output, "--export", str(path)]
        if not grubench(*words, *(["--epochs", epochs] if epochs else [])):
            return []
        tree = json.loads(path.read_text(encoding="utf-8"))
    rows = [row for row in tree["rows"] if row["seeds"]]
    keys = ("total_s", "epoch_s", "smape_percent", "rmse_scaled", "gpu_mb")
    return [
        [preset, backend, row["arm"], tree["kernels"][row["arm"]], *(row["columns"][key][0] for key in keys)]
        for row in rows
    ]


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table."""
    return "" if value is None else f"{value:.{digits}g}"


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default=",".join(one for one in BACKENDS if registry.installed(one)))
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--full", nargs="*", default=[], metavar="PRESET[:EPOCHS]")
    parser.add_argument("--output", default="runs")
    parser.add_argument("--kernels", default="", help="time these without a card too, to try this script: keras")
    given = parser.parse_args()
    if not gpus.list_visible_cards() and not given.kernels:
        print("No NVIDIA card: nothing is measured.")
        return
    print(
        f"{', '.join(gpus.list_cards('tensorflow')) or machine.find_processor_name()}, {dt.date.today().isoformat()}\n"
    )
    chosen = [one for one in given.backends.split(",") if one]
    print("| workload | backend | GRU, cuDNN, ms a step | GRU, loop | LSTM, cuDNN | LSTM, loop |")
    print("|---|---|---:|---:|---:|---:|", flush=True)
    for preset in filter(None, given.presets.split(",")):
        for backend in chosen:
            found = steps(backend, preset, given.rounds, given.kernels)
            loops = {cell: found.get((cell, "keras"), found.get((cell, "auto"))) for cell in ("gru", "lstm")}
            cells = [one for cell in ("gru", "lstm") for one in (found.get((cell, "cudnn")), loops[cell])]
            print(f"| {preset} | {backend} | {' | '.join(map(number, cells))} |", flush=True)
    if given.full:
        print("\n| workload | backend | cell | ran on | total s | s an epoch | sMAPE % | RMSE scaled | GPU MB |")
        print("|---|---|---|---|---:|---:|---:|---:|---:|", flush=True)
    for text in given.full:
        for backend in chosen:
            for *names, total, epoch, smape, rmse, memory in full(backend, text, given.output):
                print(
                    f"| {' | '.join(names)} | {' | '.join(map(number, (total, epoch, smape, rmse, memory)))} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
