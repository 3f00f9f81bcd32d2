"""What grubench costs beside the training itself; `make bench` prints the table that the README shows.

- `grubench --help`: whole processes, in turn with `import tensorflow`.
- `energy`: all files read, features made, scaled and indexed, in fresh processes; a batch of 1024 windows.
- A CSV file of 1,000,000 rows with ISO timestamps and three columns of numbers, in turn with `pandas.read_csv` with
  `parse_dates`: the table with its timestamps, and the whole load with its checks.
- An epoch under grubench against the same steps in compiled code alone: in one process, in turn, with the live display
  drawn in the same process (in real use another process draws).
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
# Of the overhead: rounds of epochs. A call of `fit` costs a little whatever it trains, so a round holds several epochs.
FIT_ROUNDS = 11
EPOCHS = 6
CSV_ROWS = 1_000_000

ENERGY = """
import json, sys, time
import pandas, numpy as np
from grubench import presets
from grubench.backends import machine
from grubench.data import datasets, windows
import grubench.data.datasets.tables
spec = presets.resolve("energy", {})
before = machine.measure_peak_memory_bytes()
began = time.perf_counter()
cut = windows.build(datasets.load(spec.data, "energy"), spec)
seconds = time.perf_counter() - began
peak = machine.measure_peak_memory_bytes() - before
starts = np.random.default_rng(0).permutation(cut.index("train"))[:1024]
batches = []
for _ in range(50):
    began = time.perf_counter()
    cut.inputs(starts), cut.targets(starts)
    batches.append(time.perf_counter() - began)
print(json.dumps([seconds, peak / 1e6, 1000 * float(np.median(batches)), cut.count("train")]))
"""


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """The median between the quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    return median, low, high


def timed(words: list[str]) -> float:
    """Seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - began


def start_up() -> list[tuple[str, str, str]]:
    """`grubench --help` in turn with the import of TensorFlow."""
    ours, theirs = [], []
    for number in range(ROUNDS):
        ours.append(timed([sys.executable, "-m", "grubench", "--help"]))
        if number < 3:
            theirs.append(timed([sys.executable, "-c", "import tensorflow"]))
    median, low, high = quartiles(ours)
    shown = f"{median:.3f} s ({low:.3f} to {high:.3f}); `import tensorflow` {np.median(theirs):.1f} s"
    return [("`grubench --help`", "0.25 s", shown)]


def reading() -> list[tuple[str, str, str]]:
    """The energy files, where they are on this machine."""
    from grubench.data.datasets import find
    from grubench.data.datasets.download import find_local_files

    if find_local_files(find("energy")) is None:
        return [("`energy` read, scaled, indexed", "0.6 s, 150 MB", "skipped: the files are not on this machine")]
    found = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", ENERGY], check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout))
    seconds, megabytes, batch_ms, windows = np.median(found, axis=0)
    return [
        (f"`energy`: 12 files read, scaled, indexed ({windows:,.0f} windows)", "0.6 s", f"{seconds:.2f} s"),
        ("`energy`: peak memory above the imports", "150 MB", f"{megabytes:.0f} MB"),
        ("`energy`: a batch of 1024 windows", "1 ms", f"{batch_ms:.3f} ms"),
    ]


def reading_csv() -> list[tuple[str, str, str]]:
    """A CSV file of 1,000,000 rows, read by pandas and by grubench in turn."""
    import pandas as pd

    from grubench.data import datasets
    from grubench.data.datasets.stamps import parse_stamps
    from grubench.data.datasets.tables import open_table
    from grubench.spec.sections import Data

    numbers = np.random.default_rng(0).normal(100, 5, (CSV_ROWS, 3)).round(3)
    table = pd.DataFrame(numbers, columns=["price", "volume", "load"])
    table.insert(0, "time", pd.date_range("2020-01-01", periods=CSV_ROWS, freq="min").strftime("%Y-%m-%dT%H:%M:%S"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.csv"
        table.to_csv(path, index=False)
        spec = Data(file=str(path), time="time", target=("price",), features=("volume", "load"))

        def read_table() -> None:
            frame = open_table(path, spec).load(table.columns, ["time"])
            parse_stamps(frame["time"], path.name)

        jobs = (
            lambda: pd.read_csv(path, parse_dates=["time"], usecols=list(table.columns)),
            read_table,
            lambda: datasets.load(spec, "million"),
        )
        seconds = np.array([[measure(job) for job in jobs] for _ in range(ROUNDS)])[1:]
    what = f"a CSV file of {CSV_ROWS:,} rows"
    return [
        (f"{what}: {title}, over `pandas.read_csv`", bar, f"{np.median(seconds[:, place] / seconds[:, 0]):.2f} times")
        for place, title, bar in ((1, "the table", "1.3 times"), (2, "the table checked and arranged", "1.3 times"))
    ]


def measure(job: Callable[[], object]) -> float:
    """Seconds of processor time, which other processes disturb less."""
    began = time.process_time()
    job()
    return time.process_time() - began


def overhead(units: list[int], batch_size: int, cell: str) -> tuple[str, str, str]:
    """The time of epochs under grubench over that of the same steps in compiled code alone, round by round."""
    from rich.console import Console

    from grubench.data import datasets, windows
    from grubench.reports.progress import Display
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Data, Model, Training, Window
    from grubench.training import fit, model
    from grubench.training.events import Plan, TrialStart
    from grubench.training.fused_fit import FusedModel

    spec = Experiment(
        data=Data(dataset="activities", train_series=("activity0",)),
        window=Window(lookback=60, horizon=20, validation=0, test=251),
        model=Model(layers=tuple(f"{cell}:{one}" for one in units)),
        training=Training(epochs=EPOCHS, batch_size=batch_size, shuffle=False),
    )
    cut = windows.build(datasets.load(spec.data, "activities"), spec)
    ours, bare = (FusedModel(model.build_model(spec, 60, 1, 20), cut, spec) for _ in range(2))
    bare.read_weights()
    starts = cut.index("train")
    whole = len(starts) // batch_size * batch_size
    display = Display(Console(file=StringIO(), force_terminal=True, width=100))

    def under_grubench() -> None:
        fit.fit(ours.model, cut, spec, display, fused=ours)

    def alone() -> None:
        for _ in range(EPOCHS):
            bare.network.train(cut.rows, starts[:whole].reshape(-1, batch_size))
            bare.network.train(cut.rows, starts[None, whole:])

    ratios = []
    with display:
        display(Plan(trials=1, reused=0, work=EPOCHS))
        display(TrialStart(trial=0, arm=cell, seed=0, epochs=EPOCHS, seconds=0.0))
        for number in range(FIT_ROUNDS + 1):
            seconds = {}
            turns = (under_grubench, alone) if number % 2 else (alone, under_grubench)
            for job in turns:
                began = time.perf_counter()
                job()
                seconds[job] = time.perf_counter() - began
            if number:  # the first round traces and warms up
                ratios.append(seconds[under_grubench] / seconds[alone])
    median, low, high = quartiles(ratios)
    name = f"an epoch, {cell} {','.join(map(str, units))}, batch {batch_size}: over the compiled code alone"
    return name, "1.02 times", f"{median:.3f} times ({low:.3f} to {high:.3f})"


def main() -> None:
    """Measure, and print a Markdown table."""
    from grubench.backends import machine

    rows = start_up() + reading() + reading_csv()
    for units, batch_size, cell in (([128], 32, "gru"), ([128], 32, "lstm"), ([50, 100], 64, "gru")):
        rows.append(overhead(units, batch_size, cell))
    processor = f"{machine.find_processor_name()}, {machine.count_cores()} cores"
    rounds = f"median (quartiles) of {ROUNDS} rounds, of fits {FIT_ROUNDS} rounds of {EPOCHS} epochs"
    print(f"{dt.date.today()}, {processor}, `make bench`; {rounds}.\n")
    print("| what | bar | measured |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
