"""Windows against a naive double loop, the split by hand, and no leak from the test part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import make_dataset, make_series
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grubench import presets
from grubench.data import datasets, windows
from grubench.data.series import Series
from grubench.data.splits import Split
from grubench.errors import DataError, UsageError
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data, Window

sizes = {
    "length": st.integers(10, 60),
    "lookback": st.integers(1, 8),
    "horizon": st.integers(1, 4),
    "stride": st.integers(1, 3),
    "validation": st.integers(0, 8),
    "test": st.integers(1, 9),
}


def naive(series: Series, rows: np.ndarray, part: tuple[int, int], spec: Window) -> tuple[list, list]:
    """Every window whose targets all lie in rows part[0] to part[1], by two plain loops."""
    inputs, targets = [], []
    starts = []
    for start in range(len(series)):
        wanted = range(start + spec.lookback, start + spec.lookback + spec.horizon)
        if all(part[0] <= row < part[1] for row in wanted):
            starts.append(start)
    for start in starts[:: spec.stride]:
        inputs.append([rows[row] for row in range(start, start + spec.lookback)])
        targets.append([rows[row][0] for row in range(start + spec.lookback, start + spec.lookback + spec.horizon)])
    return inputs, targets


@settings(max_examples=60)
@given(**sizes, features=st.integers(1, 3))
def test_windows_equal_two_plain_loops(
    length: int, lookback: int, horizon: int, stride: int, validation: int, test: int, features: int
) -> None:
    spec = Window(lookback=lookback, horizon=horizon, stride=stride, validation=validation, test=test)
    assume(length - validation - test >= lookback + horizon)
    assume(test >= horizon)
    assume(not validation or validation >= horizon)
    chosen = [make_series("a", length, 1, features), make_series("b", length + 3, 2, features)]
    cut = windows.build(make_dataset(*chosen), Experiment(window=spec))
    for part in ("train", "validation", "test"):
        inputs, targets = [], []
        for series in chosen:
            n = len(series)
            spans = {
                "train": (0, n - test - validation),
                "validation": (n - test - validation, n - test),
                "test": (n - test, n),
            }
            scaled = cut.scalings[series.name].apply(series.values).astype(np.float32)
            more = naive(series, scaled, spans[part], spec)
            inputs += more[0]
            targets += more[1]
        starts = cut.index(part)
        assert cut.count(part) == len(starts) == len(inputs)
        if inputs:
            np.testing.assert_array_equal(cut.inputs(starts), np.array(inputs))
            np.testing.assert_array_equal(cut.targets(starts), np.array(targets))


def test_the_split_by_hand() -> None:
    """13 steps, lookback 3: 10 can be forecast; a fifth for the test is 2, three tenths for validation 3."""
    spec = Window(lookback=3, horizon=1, validation=0.3, test=0.2, scaling="none")
    series = Series(name="s", values=np.arange(13.0)[:, None], columns=("x",), time=np.arange(13))
    cut = windows.build(make_dataset(series), Experiment(window=spec))
    assert cut.splits["s"] == Split(train=8, validation=11, test=13)
    assert cut.targets(cut.index("train"))[:, 0].tolist() == [3, 4, 5, 6, 7]
    assert cut.targets(cut.index("validation"))[:, 0].tolist() == [8, 9, 10]
    assert cut.inputs(cut.index("test"))[:, :, 0].tolist() == [[8, 9, 10], [9, 10, 11]]


def test_an_output_at_every_step_is_the_next_value() -> None:
    spec = Window(lookback=4, every_step=True, validation=0, test=4, scaling="none")
    series = Series(name="s", values=np.arange(12.0)[:, None], columns=("x",), time=np.arange(12))
    cut = windows.build(make_dataset(series), Experiment(window=spec))
    train = cut.index("train")
    assert cut.targets(train).shape == (4, 4, 1)
    np.testing.assert_array_equal(cut.targets(train)[:, :, 0], cut.inputs(train)[:, :, 0] + 1)
    assert cut.targets(train).max() == 7  # rows 8 to 11 are the test part
    assert cut.targets(cut.index("test"))[:, :, 0].tolist() == [[8, 9, 10, 11]]


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["minmax", "standard", "none"]),
    st.sampled_from(["series", "dataset"]),
    st.booleans(),
)
def test_no_test_value_reaches_the_training(seed: int, scaling: str, per: str, every_step: bool) -> None:
    spec = Experiment(
        window=Window(lookback=5, validation=9, test=11, scaling=scaling, scale_per=per, every_step=every_step)
    )
    before = [make_series("a", 60, 1, 2), make_series("b", 70, 2, 2)]
    draw = np.random.default_rng(seed)
    after = []
    for series in before:
        values = series.values.copy()
        values[-11:] = draw.normal(0, 1e6, (11, 2))
        after.append(replace(series, values=values))
    one, other = (windows.build(make_dataset(*chosen), spec) for chosen in (before, after))
    for part in ("train", "validation"):
        starts = one.index(part)
        np.testing.assert_array_equal(starts, other.index(part))
        np.testing.assert_array_equal(one.inputs(starts), other.inputs(starts))
        np.testing.assert_array_equal(one.targets(starts), other.targets(starts))
    for name, scale in one.scalings.items():
        np.testing.assert_array_equal(scale.offset, other.scalings[name].offset)
        np.testing.assert_array_equal(scale.factor, other.scalings[name].factor)


def test_whole_series_can_be_kept_apart() -> None:
    spec = Experiment(
        data=Data(train_series=("a", "b", "c"), test_series=("d",)),
        window=Window(lookback=5, split="series", validation=1, scale_per="dataset", scaling="standard"),
    )
    chosen = [make_series(name, 30, number) for number, name in enumerate("abcd")]
    cut = windows.build(make_dataset(*chosen), spec)
    assert {part: list(found) for part, found in cut.starts.items()} == {
        "train": ["a", "b"],
        "validation": ["c"],
        "test": ["d"],
    }
    trained = np.concatenate([chosen[0].target, chosen[1].target])
    assert cut.scalings["d"].offset[0] == pytest.approx(trained.mean())
    assert cut.scalings["d"].factor[0] == pytest.approx(trained.std())


def test_one_series_to_train_on_and_all_to_test_on() -> None:
    spec = Experiment(data=Data(train_series=("a",)), window=Window(lookback=5, test=10, validation=0))
    chosen = [make_series("a", 50, 1), make_series("b", 40, 2)]
    cut = windows.build(make_dataset(*chosen), spec)
    assert list(cut.starts["train"]) == ["a"]
    assert list(cut.starts["test"]) == ["a", "b"]
    fitted = chosen[1].values[:30]  # b is scaled by its own past, though nothing is trained on it
    assert cut.scalings["b"].offset[0] == fitted.min()


@pytest.mark.parametrize("validation", [2, 5, 0.4])
def test_series_must_be_left_to_train_on(validation: float) -> None:
    spec = Experiment(
        data=Data(train_series=("a", "b"), test_series=("c",)),
        window=Window(lookback=5, split="series", validation=validation, scale_per="dataset"),
    )
    chosen = [make_series(name, 30, number) for number, name in enumerate("abc")]
    with pytest.raises(UsageError, match=r"window.validation"):
        windows.build(make_dataset(*chosen), spec)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (Window(lookback=200), "series one has 120 steps"),
        (Window(lookback=100, horizon=10, test=30), "No train window"),
        (Window(lookback=10, horizon=9, test=5), "No test window"),
        (Window(lookback=10, horizon=9, validation=5), "No validation window"),
        (Window(lookback=10, test=119, validation=2), "no training part"),
    ],
)
def test_what_cannot_be_cut_is_refused(spec: Window, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        windows.build(make_dataset(), Experiment(window=spec))
    assert named in caught.value.message
    assert "--" in caught.value.remedy or "smaller" in caught.value.remedy


def test_an_unknown_series_is_named() -> None:
    with pytest.raises(UsageError, match="made has no series 'two'"):
        windows.build(make_dataset(), Experiment(data=Data(test_series=("two",))))


def test_a_batch_shares_no_memory_with_the_rows() -> None:
    cut = windows.build(make_dataset(), Experiment(window=Window(lookback=5)))
    assert not np.shares_memory(cut.inputs(cut.index("train")[:3]), cut.rows)


def test_energy_has_the_articles_training_windows(real_data: object) -> None:
    spec = presets.resolve("energy", {})
    cut = windows.build(datasets.load(spec.data, "energy"), spec)
    assert cut.count("train") == 980_185


def test_bankex_is_tested_on_the_studys_windows(real_data: object) -> None:
    for horizon, count in ((20, 232), (1, 251)):
        spec = presets.resolve("bankex", {"window": {"horizon": horizon}})
        cut = windows.build(datasets.load(spec.data, "bankex"), spec)
        assert {len(starts) for starts in cut.starts["test"].values()} == {count}


class TestShortSeries:
    """A scaling that is fitted on a row or two is none, and a series without a training window teaches nothing."""

    spec = Experiment(window=Window(lookback=12, validation=6, test=6))

    @pytest.mark.parametrize("training", [1, 2, 12])
    def test_one_with_too_few_training_steps_is_left_out_and_named(self, training: int) -> None:
        dataset = make_dataset(make_series("a"), make_series("new", length=training + 12), make_series("b"))
        cut = windows.build(dataset, self.spec)
        assert list(cut.scalings) == list(cut.starts["test"]) == ["a", "b"]
        (note,) = cut.notes
        assert f"series new has {training + 12} steps ({training} to train on)" in note
        assert "need 13 steps to train on" in note

    def test_one_with_a_training_window_is_kept(self) -> None:
        cut = windows.build(make_dataset(make_series("a"), make_series("new", length=13 + 12)), self.spec)
        assert (list(cut.starts["train"]), cut.notes) == (["a", "new"], ())

    def test_one_shorter_than_a_window_is_left_out(self) -> None:
        cut = windows.build(make_dataset(make_series("a"), make_series("new", length=5)), self.spec)
        assert "series new has 5 steps; a lookback of 12" in cut.notes[0]

    def test_with_one_scaling_for_all_it_is_still_tested(self) -> None:
        dataset = make_dataset(make_series("a"), make_series("new", length=14))
        shared = replace(self.spec, window=replace(self.spec.window, scale_per="dataset"))
        cut = windows.build(dataset, shared)
        assert (list(cut.starts["train"]), list(cut.starts["test"])) == (["a"], ["a", "new"])

    @pytest.mark.parametrize("missing", ["drop", "fill"])
    def test_one_without_any_value_is_left_out(self, tmp_path: Path, missing: str) -> None:
        lines = [f"{name},{'' if name == 'closed' else step % 7}" for step in range(80) for name in ("open", "closed")]
        path = tmp_path / "my.csv"
        path.write_text("\n".join(["shop,sold", *lines]) + "\n")
        data = Data(file=str(path), target=("sold",), series_column="shop", missing=missing)
        spec = Experiment(data=data, window=Window(lookback=4))
        cut = windows.build(datasets.load(data, "my"), spec)
        assert [note for note in cut.notes if "series closed has 0 steps" in note]
        path.write_text("\n".join(["shop,sold", *(line.rstrip("0123456") for line in lines)]) + "\n")
        with pytest.raises(DataError, match="no row with a value"):
            datasets.load(data, "my")

    def test_it_can_be_refused(self) -> None:
        dataset = make_dataset(make_series("a"), make_series("new", length=14))
        with pytest.raises(UsageError, match=r"series new has 14 steps \(2 to train on\)") as caught:
            windows.build(dataset, replace(self.spec, data=Data(short="error")))
        assert "--short skip" in caught.value.remedy

    def test_new_data_leave_out_a_short_series_too(self) -> None:
        dataset = make_dataset(make_series("a"), make_series("new", length=5))
        scalings = windows.build(make_dataset(make_series("a")), self.spec).scalings
        cut = windows.build_for_forecast(dataset, self.spec, scalings)
        assert list(cut.splits) == ["a"]
        assert "series new has 5 steps" in cut.notes[0]

    def test_one_without_a_test_window_is_named(self) -> None:
        spec = Experiment(window=Window(lookback=12, horizon=4, validation=0.1, test=0.1))
        cut = windows.build(make_dataset(make_series("a"), make_series("brief", length=50)), spec)
        assert (list(cut.starts["train"]), list(cut.starts["test"])) == (["a", "brief"], ["a"])
        assert cut.notes == ("No test window to measure, and no score: series brief; a larger --test gives them some.",)
