"""The benchmark: every combination of sizes, arms in turns, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from grubench.comparison import statistics
from grubench.kernels.processor import detect_processor
from grubench.reports import benchmark, plots
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model, Window
from grubench.training import step_benchmark
from grubench.training.benchmark_records import Benchmark, BenchmarkArm, Shape, StepTiming, list_shapes
from grubench.training.events import BenchmarkEvent, RoundEnd

ARMS = tuple(BenchmarkArm(cell=cell, kernel=kernel) for kernel in ("fused", "keras") for cell in ("gru", "lstm"))
SHAPE = Shape(batch=32, length=60, features=1, units=(64,), outputs=1)


def made(sizes: tuple[Shape, ...] = (SHAPE,), complete: bool = True) -> Benchmark:
    """Times that are 1, 2, 3 and 4 ms by arm, twice as long from shape to shape."""
    found = [
        StepTiming(
            arm=arm,
            shape=shape,
            first_step_s=1.0,
            step_s=[1e-3 * (1 + a) * 2**s * (1 + k * (1 + a) / 10_000) for k in range(9)],
            forward_s=[1e-3] * 9,
            flops=1e9,
        )
        for s, shape in enumerate(sizes)
        for a, arm in enumerate(ARMS)
    ]
    return Benchmark(timings=found, limit_flops=1e12, spec=Experiment(), complete=complete)


def test_every_combination_of_sizes_is_timed() -> None:
    spec = tiny()
    found = list_shapes(spec, 2, batches=[1, 8], lengths=[5], units=[16, 64], layers=[1, 3])
    assert len(found) == 8
    assert {one.units for one in found} == {(16,), (64,), (16,) * 3, (64,) * 3}
    assert {(one.length, one.features, one.outputs) for one in found} == {(5, 2, 3)}


def test_both_directions_count() -> None:
    shape = Shape(batch=2, length=3, features=5, units=(7, 11), outputs=13)
    expected = 2 * 2 * 3 * 3 * (7 * (7 + 5) + 11 * (11 + 14)) + 2 * 22 * 13
    assert shape.count_multiplications("gru", every_step=False, directions=2) == expected


def test_what_is_not_given_is_the_specs() -> None:
    spec = replace(tiny(), model=Model(layers=("gru:50", "gru:100")))
    (own,) = list_shapes(spec, 1)
    assert own == Shape(batch=32, length=14, features=1, units=(50, 100), outputs=3)
    assert [one.units for one in list_shapes(spec, 1, units=[7])] == [(7, 7)]


def test_multiplications_by_hand() -> None:
    shape = Shape(batch=2, length=3, features=5, units=(7, 11), outputs=13)
    expected = 2 * 3 * 4 * (7 * (7 + 5) + 11 * (11 + 7)) + 2 * 11 * 13
    assert shape.count_multiplications("lstm", every_step=False) == expected
    assert shape.count_multiplications("lstm", every_step=True) == expected + 2 * 2 * 11 * 13


@pytest.mark.parametrize("every_step", [False, True])
def test_arms_take_turns_and_every_round_is_kept(every_step: bool) -> None:
    window = Window(every_step=True) if every_step else tiny().window
    events: list[BenchmarkEvent] = []
    spec = replace(tiny(), window=window)
    sizes = list_shapes(spec, 1, batches=[2], lengths=[4], units=[3, 5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_benchmark, "ROUND_S", 0.001)
        found = step_benchmark.measure(spec, ARMS[:2], sizes, rounds=3, on_event=events.append)
    assert found.complete
    assert [(one.arm, one.shape) for one in found.timings] == [(arm, shape) for shape in sizes for arm in ARMS[:2]]
    assert all(len(one.step_s) == len(one.forward_s) == 3 and min(one.step_s) > 0 for one in found.timings)
    assert found.limit_flops > 1e9
    assert sum(isinstance(event, RoundEnd) for event in events) == 6


def test_an_interruption_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_benchmark, "ROUND_S", 0.001)
    spec, rounds = tiny(), []

    def interrupt(event: BenchmarkEvent) -> None:
        if isinstance(event, RoundEnd):
            rounds.append(event)
            if len(rounds) == 2:
                raise KeyboardInterrupt

    found = step_benchmark.measure(spec, ARMS[:1], list_shapes(spec, 1, units=[3]), rounds=9, on_event=interrupt)
    assert not found.complete
    assert [len(one.step_s) for one in found.timings] == [2]
    assert "interrupted" in benchmark.write_heading(found)


class TestSaid:
    def test_pairs_differ_in_the_cell_or_the_kernel(self) -> None:
        said = benchmark.write_sentences(made())
        assert len(said) == 4
        assert said[0].startswith("GRU trained 2.00 times as fast as LSTM on fused (95 % interval")
        assert "fused trained 3.00 times as fast as keras with GRU" in said[1]

    def test_many_shapes_are_said_by_their_span(self) -> None:
        sizes = tuple(replace(SHAPE, units=(units,)) for units in (8, 16, 32, 64))
        said = benchmark.write_sentences(made(sizes))
        assert "A step of GRU took 0.50 to 0.50 times as long as one of LSTM on fused." in said

    def test_no_difference_is_called_one(self) -> None:
        both = [replace(one, step_s=[1.0, 1.1, 0.9, 1.0, 1.05, 0.95]) for one in made().timings[:2]]
        both[1] = replace(both[1], step_s=[1.05, 1.0, 0.95, 1.0, 1.0, 1.01])
        (said,) = benchmark.write_sentences(replace(made(), timings=both))
        assert "no difference shown" in said

    @pytest.mark.parametrize("width", [80, 120])
    def test_the_table_fits(self, width: int) -> None:
        sizes = tuple(replace(SHAPE, batch=batch, length=2000) for batch in (32, 256))
        console = Console(file=StringIO(), width=width)
        benchmark.show(made(sizes), console)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert max(map(len, text.splitlines())) <= width
        assert "\N{HORIZONTAL ELLIPSIS}" not in text
        assert "keras" in text

    def test_json_has_every_round(self) -> None:
        tree = json.loads(benchmark.write_json(made()))
        assert [len(one["step_s"]) for one in tree["timings"]] == [9] * 4
        assert tree["environment"]["versions"]["llvmlite"]

    def test_growth_is_drawn(self, tmp_path: Path) -> None:
        sizes = tuple(replace(SHAPE, units=(units,)) for units in (8, 64))
        text = plots.draw_growth(made(sizes), "units", tmp_path / "a.svg").read_text()
        assert text.startswith("<?xml")


@given(st.lists(st.floats(0.1, 10), min_size=6, max_size=40))
def test_the_interval_of_a_median_holds_it(values: list[float]) -> None:
    interval = statistics.median_interval(values)
    assert interval.low <= np.median(values) <= interval.high
    assert {interval.low, interval.high} <= set(values)


def test_the_interval_of_a_median_covers_the_truth() -> None:
    draw = np.random.default_rng(0)
    found = [statistics.median_interval(draw.exponential(size=11)) for _ in range(600)]
    assert np.mean([one.low <= np.log(2) <= one.high for one in found]) >= 0.93


def test_the_command(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_benchmark, "ROUND_S", 0.001)
    words = ("bench", "--cells", "gru", "--batch", "2,4", "--length", "4", "--units", "3", "--rounds", "2")
    result = call(*words, "--export", "a.json", "--picture", "a.png")
    assert result.exit_code == 0, result.output
    assert "nan" not in result.output
    assert detect_processor() is None or "fused" in result.output
    assert Path("a.json").is_file()
    assert Path("a.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kernels", "turbo"), "there is no kernel 'turbo'"),
        (("--cells", "gro"), "there is no cell 'gro'"),
        (("--batch", "0"), "--batch: '0' is not a list of whole numbers"),
        (("--units", "a"), "--units: 'a' is not"),
        (("--export", "a.csv"), "unknown ending"),
        (("--kernels", "cudnn", "--cells", "rnn"), "Leave that kernel out of --kernels"),
        (("--picture", "a.png"), "all shapes are the same size"),
        (("--preset", "benkex"), "benkex"),
    ],
)
def test_bad_input_is_told(call, words: tuple[str, ...], said: str) -> None:
    result = call("bench", *words)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
