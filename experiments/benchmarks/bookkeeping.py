"""What 10,000 trials cost besides their training: planned, found, compared and shown; for `make bench-trials`.

The runs are fakes: one real trial's folder, linked once for each seed and cell with figures of its own. Nothing is
trained again, so what is measured is what the driver does.

    python experiments/benchmarks/bookkeeping.py [--trials 10000] [--rates 1]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

import numpy as np
from msgspec import structs


def main() -> None:
    """Make the fakes, call `compare` on them as the command line does, and print a Markdown table."""
    parser = argparse.ArgumentParser(description="What many trials cost besides their training.")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--rates", type=int, default=1, help="learning rates to cross the two cells with")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="grubench-trials-"))
    try:
        measure(given.trials, given.rates, folder)
    finally:
        shutil.rmtree(folder)


def measure(trials: int, rates: int, folder: Path) -> None:
    """Measure in a process of its own what so many fakes cost."""
    vary = {"training.learning_rate": [1e-4 * (1 + number) for number in range(rates)]} if rates > 1 else {}
    seeds = trials // (2 * rates)
    made = fakes(vary, seeds, folder)
    words = [sys.executable, __file__, "--work", json.dumps([vary, seeds, str(folder)])]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    from grubench.backends import machine

    print(f"{dt.date.today()}, {machine.find_processor_name()}, {machine.count_cores()} cores, `make bench-trials`;")
    print(f"{made:,} fake trials of {2 * rates} arms and {seeds:,} seeds, every one finished before.\n")
    print("| what | measured |\n|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value} |")


def spec():
    """The smallest trial that is one."""
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Data, Model, Training, Window

    return Experiment(
        data=Data(dataset="activities", train_series=("activity0",), test_series=("activity0", "activity3"), period=7),
        window=Window(lookback=14, horizon=3, stride=9),
        model=Model(layers=("gru:4",)),
        training=Training(epochs=2),
    )


def fakes(vary: dict[str, list[float]], seeds: int, folder: Path) -> int:
    """Write the fakes; how many there are."""
    from grubench import api as trials
    from grubench.execution.options import ExecutionOptions
    from grubench.runs import files
    from grubench.spec.arms import build_arms, plan_trials

    draw = np.random.default_rng(0)
    real = trials.train(spec(), output=folder / "real", options=ExecutionOptions(executor="in-process"))
    every = plan_trials(build_arms(spec(), ("gru", "lstm"), vary, "units"), seeds)
    for number, (_, one) in enumerate(every):
        target = folder / "runs" / f"2026-01-01-{number:06}-activities-{one.model.cell}-s{one.seed}-{one.digest[:6]}"
        target.mkdir(parents=True)
        for path in real.folder.iterdir():
            if path.name not in ("metrics.json", "experiment.toml"):
                os.link(path, target / path.name)
        (target / "experiment.toml").write_text(one.to_toml(), encoding="utf-8")
        test, timing = real.metrics.test, real.metrics.timing
        error = test.rmse_scaled * float(np.exp(draw.normal(scale=0.1)))
        epoch_s = timing.epoch_s * float(np.exp(draw.normal(scale=0.1)))
        metrics = structs.replace(
            real.metrics,
            digest=one.digest,
            test=structs.replace(test, overall={**test.overall, "rmse_scaled": error}),
            timing=structs.replace(timing, epoch_s=epoch_s),
        )
        (target / "metrics.json").write_bytes(files.to_json(metrics))
    return len(every)


def work(vary: dict[str, list[float]], seeds: int, folder: str) -> None:
    """The body of the measured process: `compare` on finished trials, the table, the folder of the comparison."""
    from rich.console import Console

    from grubench import api as trials
    from grubench.backends import machine
    from grubench.reports import export, terminal

    before = machine.measure_peak_memory_bytes() or 0
    clock = [time.perf_counter()]
    found = trials.compare(spec(), vary=vary, seeds=seeds, output=Path(folder) / "runs")
    clock.append(time.perf_counter())
    console = Console(file=StringIO(), width=120)
    terminal.show_comparison(found, console)
    clock.append(time.perf_counter())
    export.write_folder(found)
    clock.append(time.perf_counter())
    assert found.reused == len(found.runs)
    assert found.folder
    planned, shown, kept = np.diff(clock).tolist()
    size = sum(path.stat().st_size for path in found.folder.iterdir())
    memory = ((machine.measure_peak_memory_bytes() or 0) - before) / 1e6
    result = {
        "planned, found and read": f"{planned:.1f} s",
        "compared and shown as tables and verdict": f"{shown:.1f} s",
        "comparison.json, comparison.md and pictures": f"{kept:.1f} s, {size / 1e6:.1f} MB",
        "together": f"{planned + shown + kept:.1f} s",
        "peak memory above the imports": f"{memory:.0f} MB",
    }
    print(json.dumps(result))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*json.loads(sys.argv[2]))
    else:
        main()
