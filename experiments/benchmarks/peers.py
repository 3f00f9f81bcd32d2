"""A step of training (forward, backward, update) here and in other frameworks; `make bench-peers` prints the table.

The same models on random data of the same shape: grubench's fused kernels; Keras on TensorFlow as it comes, the same
compiled by XLA, and Keras on JAX, each under `fit` with as many steps a call as grubench chooses; and PyTorch in a bare
loop. Each runs in a process of its own; the processes take turns, round by round, so that a machine that drifts hits
all alike.

    python experiments/benchmarks/peers.py [--workloads "bankex;waves, T 2000"] [--variants fused,torch] [--rounds 9]
                                           [--grid grid.png]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import asdict
from itertools import product
from math import log, nan
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from peer_steps import CELLS, VARIANTS, Workload

from grubench.backends import machine
from grubench.reports.figure import Axes, Figure, save

WORKLOADS = {
    "default": Workload(batch=32, lookback=28, units=(32,), outputs=7, steps_a_call=16),
    "default, 16 units": Workload(batch=32, lookback=28, units=(16,), outputs=7, steps_a_call=16),
    "waves, T 2000": Workload(batch=40, lookback=2000, units=(16,), every_step=True, steps_a_call=2),
    "waves, T 20,000": Workload(batch=40, lookback=20_000, units=(16,), every_step=True, steps_a_call=1),
    "waves, T 2000, last output": Workload(batch=40, lookback=2000, units=(16,), steps_a_call=2),
    "waves, T 20,000, last output": Workload(batch=40, lookback=20_000, units=(16,), steps_a_call=1),
    "bitcoin": Workload(batch=64, lookback=60, units=(50, 100), dropout=0.2, steps_a_call=4),
    "bankex": Workload(batch=32, lookback=60, units=(128,), outputs=20, steps_a_call=8),
    "energy, B 256": Workload(batch=256, lookback=90, features=5, units=(256, 256), steps_a_call=1),
    "energy, B 1024": Workload(batch=1024, lookback=90, features=5, units=(256, 256), steps_a_call=1),
}
# The grid: batches, lookbacks and units; steps a call of Keras by lookback, about as grubench chooses them.
GRID_BATCHES, GRID_UNITS = (32, 256), (8, 16, 32, 64, 128, 256)
GRID_STEPS_A_CALL = {10: 16, 60: 8, 300: 2}
# A round of a variant lasts about this long, or one step.
ROUND_S = 0.5
START_LIMIT_S = 900
# A ratio of this is the darkest blue of the picture, its inverse the darkest red.
PICTURE_LIMIT = 10.0


class Racer:
    """A framework in a process of its own. As a context it ends with the context.

    Args:
        variant: Its name in `VARIANTS`.
    """

    def __init__(self, variant: str) -> None:
        self.variant = variant
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (it lives as long as the process)
        words = [sys.executable, str(Path(__file__).with_name("peer_steps.py")), variant]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=self._errors, text=True)

    def __enter__(self) -> Racer:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _ask(self, **asked: Any) -> dict[str, float] | None:
        """The answer; None where the process ended or took too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        limit = threading.Timer(START_LIMIT_S, self._process.kill)
        limit.start()
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            return None
        finally:
            limit.cancel()
        return json.loads(line) if line else None

    def build(self, workload: Workload, cell: str) -> dict[str, float] | None:
        """Build a model and train its first steps; the seconds and the loss, None where it cannot run."""
        ready = self._ask(workload=asdict(workload), cell=cell)
        if ready is None:
            self._errors.seek(0)
            print(f"{self.variant} could not run {workload}, {cell}: {self._errors.read()[-500:]}", file=sys.stderr)
        return ready

    def train(self, steps: int) -> dict[str, float]:
        """The mean seconds of so many steps, and the peak memory so far in MB."""
        answer = self._ask(steps=steps)
        if answer is None:
            raise SystemExit(f"{self.variant} ended while it trained.")
        return answer


def race(racers: list[Racer], workload: Workload, cell: str, rounds: int) -> dict[str, dict[str, Any]]:
    """The times of every variant, in ms a round, the variants taking turns."""
    found: dict[str, dict[str, Any]] = {}
    for racer in racers:
        ready = racer.build(workload, cell)
        if ready is not None:
            found[racer.variant] = {**ready, "ms": []}
    able = [racer for racer in racers if racer.variant in found]
    counts = [max(1, round(ROUND_S / racer.train(1)["step_s"])) for racer in able]
    for number in range(rounds):
        for racer, count in list(zip(able, counts, strict=True))[:: 1 if number % 2 == 0 else -1]:
            answer = racer.train(count)
            found[racer.variant]["ms"].append(1e3 * answer["step_s"])
            found[racer.variant]["peak_mb"] = answer["peak_mb"]
    return found


def find_best_peer(found: dict[str, dict[str, Any]]) -> str | None:
    """The peer with the smallest median; None where there is none, or nothing to compare it with."""
    peers = {one: median(values["ms"]) for one, values in found.items() if one != "fused"}
    return min(peers, key=lambda one: peers[one]) if peers and "fused" in found else None


def compute_ratio(found: dict[str, dict[str, Any]], peer: str) -> float:
    """The median of a peer over ours."""
    return float(median(found[peer]["ms"]) / median(found["fused"]["ms"]))


def write_row(name: str, cell: str, found: dict[str, dict[str, Any]], variants: list[str]) -> str:
    """A line of the table: medians, and the best peer's over ours with the quartiles of the rounds' ratios."""
    cells = [f"{median(found[one]['ms']):.4g}" if one in found else "" for one in variants]
    best, ratio = find_best_peer(found), ""
    if best:
        ratios = [a / b for a, b in zip(found[best]["ms"], found["fused"]["ms"], strict=True)]
        spread = f" ({quantiles(ratios)[0]:.2f} to {quantiles(ratios)[2]:.2f})" if len(ratios) > 1 else ""
        ratio = f"{compute_ratio(found, best):.2f}{spread} {best}"
    return f"| {name} | {cell.upper()} | " + " | ".join([*cells, ratio]) + " |"


def name_size(batch: int, lookback: int, units: int) -> str:
    """The name of a workload of the grid."""
    return f"B {batch}, T {lookback}, {units} units"


def list_grid() -> dict[str, Workload]:
    """The workloads of the grid by their names."""
    return {
        name_size(batch, lookback, units): Workload(batch=batch, lookback=lookback, units=(units,), steps_a_call=many)
        for batch, (lookback, many), units in product(GRID_BATCHES, GRID_STEPS_A_CALL.items(), GRID_UNITS)
    }


def draw_grid(everything: list[dict[str, Any]], title: str, path: Path) -> None:
    """Draw the ratios of the grid: a panel a cell and batch, a row a lookback, a column a number of units."""
    founds = {(one["workload"], one["cell"]): one["found"] for one in everything}
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panels = figure.subplots(len(CELLS), len(GRID_BATCHES), squeeze=False)
    for (place, cell), (column, batch) in product(enumerate(CELLS), enumerate(GRID_BATCHES)):
        rows = [
            [founds.get((name_size(batch, lookback, units), cell), {}) for units in GRID_UNITS]
            for lookback in GRID_STEPS_A_CALL
        ]
        _draw_panel(panels[place][column], rows, f"{cell.upper()}, batches of {batch}")
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def _draw_panel(axes: Axes, rows: list[list[dict[str, Any]]], title: str) -> None:
    peers = [[find_best_peer(found) for found in row] for row in rows]
    ratios = [
        [compute_ratio(found, peer) if peer else nan for found, peer in zip(row, line, strict=True)]
        for row, line in zip(rows, peers, strict=True)
    ]
    logs = [[log(ratio) for ratio in row] for row in ratios]
    axes.imshow(logs, cmap="RdBu", vmin=-log(PICTURE_LIMIT), vmax=log(PICTURE_LIMIT), aspect="auto")
    for (y, row), x in product(enumerate(ratios), range(len(GRID_UNITS))):
        light = "white" if abs(logs[y][x]) > 0.65 * log(PICTURE_LIMIT) else "black"
        axes.text(x, y, f"{row[x]:.1f} {peers[y][x] or ''}", ha="center", va="center", color=light, fontsize=7)
    axes.set(title=title, xlabel="units", ylabel="lookback")
    axes.set_xticks(range(len(GRID_UNITS)), [str(units) for units in GRID_UNITS])
    axes.set_yticks(range(len(GRID_STEPS_A_CALL)), [str(lookback) for lookback in GRID_STEPS_A_CALL])
    axes.title.set_fontsize(9)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Steps of training here and in other frameworks.")
    parser.add_argument("--workloads", default="", help="names to run, separated by semicolons; all where not given")
    parser.add_argument("--variants", default="")
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--grid", type=Path, metavar="PICTURE", help="run the grid instead, and draw it")
    parser.add_argument("--json", type=Path, help="write every round to this file")
    given = parser.parse_args()
    given.known = list_grid() if given.grid else WORKLOADS
    # XLA would compile each shape of the grid for longer than it trains.
    variants = given.variants or ",".join(one for one in VARIANTS if not given.grid or one != "xla")
    given.workloads = given.workloads.split(";") if given.workloads else list(given.known)
    given.variants, given.cells = variants.split(","), given.cells.split(",")
    for asked, names in ((given.workloads, given.known), (given.variants, VARIANTS), (given.cells, CELLS)):
        for one in asked:
            if one not in names:
                parser.error(f"there is no {one!r}; there are: {'; '.join(names)}")
    return given


def main() -> None:
    """Measure, and print a Markdown table."""
    given = read_arguments()
    where = f"{dt.datetime.now().date()}, {machine.find_processor_name()}, {machine.count_cores()} cores"
    print(f"{where}, `make bench-peers`;\nms a step, medians of {given.rounds} rounds in turns.\n")
    print("| workload | cell | " + " | ".join(given.variants) + " | best peer over fused |")
    print("|---|---|" + "---:|" * (len(given.variants) + 1))
    everything: list[dict[str, Any]] = []
    with ExitStack() as whole:
        # The grid's processes build one model after another; the table's show the memory of one each.
        lasting = [whole.enter_context(Racer(one)) for one in given.variants] if given.grid else []
        for name, cell in product(given.workloads, given.cells):
            with ExitStack() as stack:
                racers = lasting or [stack.enter_context(Racer(one)) for one in given.variants]
                found = race(racers, given.known[name], cell, given.rounds)
            everything.append({"workload": name, "cell": cell, "found": found})
            print(write_row(name, cell, found, given.variants), flush=True)
            if given.json:
                given.json.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    if given.grid:
        ratios = [compute_ratio(one["found"], peer) for one in everything if (peer := find_best_peer(one["found"]))]
        print(f"\nBest peer over fused: {min(ratios):.2f} to {max(ratios):.2f}, median {median(ratios):.2f}.")
        draw_grid(everything, f"Step time of the best peer over that of the fused kernels ({where})", given.grid)


if __name__ == "__main__":
    main()
