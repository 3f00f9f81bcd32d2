"""Trials: the same twice, a run folder that is whole, and forecasts that plain Keras makes too."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import IN_PROCESS, make_dataset, tiny, visible

from grubench import api, presets
from grubench.data import datasets, windows
from grubench.errors import RunError, TrainingError
from grubench.runs.folder import FILES
from grubench.runs.run import Run, load
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data, Window
from grubench.training import fit
from grubench.training.batches import Batches, order
from grubench.training.callbacks import EpochOrder


def weights(run: Run) -> list[np.ndarray]:
    return keras.saving.load_model(run.folder / "model.keras").get_weights()


def train(spec: Experiment, root: Path) -> Run:
    return api.train(spec, output=root, options=IN_PROCESS)


def test_the_same_spec_and_seed_give_the_same_weights(trained: dict[str, Run], tmp_path: Path) -> None:
    again = train(trained["gru"].experiment, tmp_path)
    for one, other in zip(weights(trained["gru"]), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)
    one, other = trained["gru"].history(), again.history()
    assert (one["loss"], one["val_loss"]) == (other["loss"], other["val_loss"])


def test_another_seed_gives_other_weights(trained: dict[str, Run], tmp_path: Path) -> None:
    other = train(tiny().with_seed(1), tmp_path)
    assert not np.array_equal(weights(trained["gru"])[0], weights(other)[0])


def test_a_run_is_whole(trained: dict[str, Run]) -> None:
    run = trained["gru"]
    assert {path.name for path in run.folder.iterdir()} == {*FILES, "predictions.csv"}
    assert run.experiment == tiny()
    assert run.metrics.digest == run.experiment.digest
    assert run.metrics.parameters.trainable == 3 * (4 * 5 + 8) + 5 * 3
    assert run.metrics.loss.epochs == 2
    losses = run.history()["loss"]
    assert run.metrics.loss.late_fall == pytest.approx(losses[0] / losses[1] - 1)
    assert run.metrics.timing.first_step_s > 0
    assert run.metrics.size.model_bytes == (run.folder / "model.keras").stat().st_size
    assert run.environment.versions["keras"] == keras.__version__
    assert run.environment.kernels[0].layer == "gru:4"
    assert len(run.history()["loss"]) == 2
    assert "activities-gru-s0-" in run.name


def test_predictions_hold_every_test_window(trained: dict[str, Run]) -> None:
    run = trained["gru"]
    with (run.folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == run.metrics.data.windows.test * 3
    errors = np.array([float(row["actual"]) - float(row["predicted"]) for row in rows if row["series"] == "activity3"])
    expected = run.metrics.test.series["activity3"]["rmse"]
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(expected, rel=1e-6)
    assert all(int(row["time"]) - int(row["origin"]) == int(row["step"]) for row in rows)


def test_the_scaling_is_kept(trained: dict[str, Run]) -> None:
    spec = trained["gru"].experiment
    cut = windows.build(datasets.load(spec.data, "activities"), spec)
    found = {
        name: {"offset": [*scaling.offset], "factor": [*scaling.factor]}
        for name, scaling in trained["gru"].scalings().items()
    }
    assert found == {name: scaling.to_dict() for name, scaling in cut.scalings.items()}


def test_both_cells_see_the_windows_in_the_same_order() -> None:
    spec = tiny()
    cut = windows.build(datasets.load(spec.data, "activities"), spec)
    starts = cut.index("train")
    batches = Batches(cut, starts, 8, seed=5)
    for epoch in range(3):
        batches.start_epoch(epoch)
        seen = np.concatenate([inputs for inputs, _ in batches.chunks()])
        np.testing.assert_array_equal(seen, cut.inputs(starts[order(len(starts), 5, epoch)]))


@pytest.mark.parametrize("ahead", [0, 2])
def test_keras_takes_the_batches_in_that_order(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives in training, epoch by epoch, cut in chunks that are taken apart."""
    spec = Experiment(window=Window(lookback=5, test=20, validation=0))
    cut = windows.build(make_dataset(), spec)
    starts = cut.index("train")
    seen: list[np.ndarray] = []

    class Spy(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x[:, :, 0])

        def train_step(self, data):
            seen.append(np.array(data[0]))
            return super().train_step(data)

    model = Spy()
    model.compile("sgd", "mse", run_eagerly=True)
    monkeypatch.setattr("grubench.training.batches.CHUNK_BYTES", 40 * cut.inputs(starts[:1]).nbytes)
    batches = Batches(cut, starts, 16, seed=9)
    model.fit(batches.stream(ahead=ahead), epochs=3, verbose=0, callbacks=[EpochOrder(batches)])
    assert {len(one) for one in seen} == {16, len(starts) % 16}
    expected = np.concatenate([cut.inputs(starts[order(len(starts), 9, epoch)]) for epoch in range(3)])
    np.testing.assert_array_equal(np.concatenate(seen), expected)


def test_without_shuffling_the_windows_stay_in_order() -> None:
    cut = windows.build(make_dataset(), Experiment(window=Window(lookback=5)))
    batches = Batches(cut, cut.index("train"), 1000)
    batches.start_epoch(1)
    for cut_now, expected in zip(next(batches.chunks()), (cut.inputs, cut.targets), strict=True):
        np.testing.assert_array_equal(cut_now, expected(cut.index("train")))


def train_with_calls(spec: Experiment, kernel: str, folder: Path, calls: Sequence[object], setting: str) -> list[Run]:
    """A run for each length of a call."""
    spec = replace(
        spec, model=replace(spec.model, dropout=(0.2,)), training=replace(spec.training, epochs=3, kernel=kernel)
    )
    runs = []
    for number, call in enumerate(calls):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(setting, call)
            runs.append(train(spec, folder / str(number)))
        assert {kernel.kernel for kernel in runs[-1].environment.kernels} == {kernel}
        for ours, theirs in zip(weights(runs[0]), weights(runs[-1]), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    return runs


def test_how_many_steps_run_in_a_call_changes_nothing_but_time(tmp_path: Path) -> None:
    asked: list[int] = []

    def run_many(many: int) -> Callable[..., int]:
        return lambda *_: asked.append(many) or many

    calls = [run_many(many) for many in (1, 7, 16)]
    runs = train_with_calls(tiny(), "keras", tmp_path, calls, "grubench.training.fit.steps_a_call")
    assert asked == [1, 7, 16]
    first, *others = (run.history()["loss"] for run in runs)
    np.testing.assert_allclose(others, [first] * 2, rtol=1e-6)


def test_how_long_a_call_of_the_fused_kernels_takes_changes_nothing(tmp_path: Path) -> None:
    """Not even the last bit of a loss: a slow machine makes shorter calls."""
    runs = train_with_calls(tiny(), "fused", tmp_path, (0.0, 1e-4, 60.0), "grubench.training.fused_fit.CALL_S")
    first, *others = (run.history() for run in runs)
    for other in others:
        assert (other["loss"], other["val_loss"]) == (first["loss"], first["val_loss"])


def test_a_call_runs_the_same_steps_for_every_cell_and_few_where_they_are_long() -> None:
    small = presets.resolve("bankex")
    cut = SimpleNamespace(feature=1, lookback=60)
    asked = {fit.steps_a_call(small.with_cell(cell), cut, 1000) for cell in ("gru", "lstm", "rnn")}
    assert len(asked) == 1
    assert min(asked) > 1
    assert fit.steps_a_call(small, cut, 7) == 1
    assert fit.steps_a_call(presets.resolve("waves"), SimpleNamespace(feature=1, lookback=20_000), 1000) == 1
    assert fit.steps_a_call(presets.resolve("energy"), SimpleNamespace(feature=5, lookback=90), 1000) == 1


def test_a_loss_that_is_no_number_names_its_epoch(tmp_path: Path) -> None:
    spec = tiny(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(TrainingError, match="in epoch 1") as caught:
        train(spec, tmp_path)
    assert "--learning-rate" in caught.value.remedy
    assert not visible(tmp_path)


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    run = train(tiny(epochs=12, patience=1, learning_rate=0.5), tmp_path)
    history = run.history()
    loss = run.metrics.loss
    assert loss.epochs == len(history["loss"]) < 12
    assert loss.validation == min(history["val_loss"])
    assert history["epoch"][np.argmin(history["val_loss"])] == loss.best_epoch


def test_an_output_at_every_step_is_trained_and_measured(tmp_path: Path) -> None:
    spec = replace(tiny(), window=Window(lookback=20, every_step=True, stride=20, test=40, validation=0.2))
    run = train(spec, tmp_path)
    assert run.metrics.test.overall["rmse_scaled"] > 0
    # 40 steps of test in each of two series; windows of 20 targets every 20 steps.
    assert run.metrics.data.windows.test == 4
    with (run.folder / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4 * 20


@pytest.mark.slow
def test_xla_and_threads_are_taken(tmp_path: Path) -> None:
    folder = api.train(tiny(epochs=1, jit=True, threads=1), output=tmp_path).folder
    assert load(folder).environment.kernels[0].kernel == "xla"
    assert load(folder).environment.threads == 1


@pytest.mark.parametrize("precision", ["mixed_bfloat16"])
def test_mixed_precision_keeps_the_head_in_float32(tmp_path: Path, precision: str) -> None:
    run = train(tiny(epochs=1, precision=precision), tmp_path)
    model = keras.saving.load_model(run.folder / "model.keras")
    assert [layer.compute_dtype for layer in model.layers] == ["bfloat16", "float32"]


def test_the_energy_stack_with_time_features_trains(tmp_path: Path) -> None:
    table = tmp_path / "load.csv"
    draw = np.random.default_rng(0)
    hours = np.arange("2026-01-01T00", "2026-01-15T00", dtype="datetime64[h]")
    rows = [f"{hour},{value}" for hour, value in zip(hours, draw.normal(100, 5, len(hours)), strict=True)]
    table.write_text("when,load\n" + "\n".join(rows))
    spec = replace(
        tiny(epochs=1),
        data=Data(file=str(table), time="when", target=("load",), time_features=("hour", "weekday"), unit="MW"),
    )
    run = train(spec, tmp_path / "runs")
    assert "load-gru-s0" in run.name
    assert run.metrics.data.unit == "MW"
    with (run.folder / "predictions.csv").open() as file:
        assert next(csv.DictReader(file))["time"].startswith("2026-01-")


def test_an_output_folder_that_cannot_be_one_is_refused_before_training(tmp_path: Path) -> None:
    taken = tmp_path / "runs"
    taken.write_text("a file")
    with pytest.raises(RunError, match="cannot be written"):
        train(tiny(), taken)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(RunError, match="No space left on device"):
        train(tiny(epochs=1), tmp_path)
    assert not visible(tmp_path)


def test_nan_becomes_null(trained: dict[str, Run], tmp_path: Path) -> None:
    from grubench.runs.files import to_json

    (tmp_path / "a.json").write_bytes(to_json({"x": math.nan, "y": [math.inf, 1.5, (2,)]}))
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": None, "y": [None, 1.5, [2]]}


def test_training_from_a_program(tmp_path: Path) -> None:
    run = api.train(tiny(epochs=1), output=tmp_path / "made" / "here", options=IN_PROCESS)
    assert run.folder.parent == tmp_path / "made" / "here"
    shutil.rmtree(run.folder)


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "still"), [("gru", False), ("lstm", True)])
def test_the_lstm_of_the_default_comparison_is_still_learning_at_its_end_and_the_gru_is_not(
    cell: str, still: bool, tmp_path: Path
) -> None:
    run = train(presets.resolve(None, {}).with_cell(cell), tmp_path)
    assert run.metrics.loss.is_still_learning is still
