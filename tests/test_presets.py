"""Presets and the order in which settings win."""

from __future__ import annotations

from pathlib import Path

import pytest

from grubench import presets
from grubench.errors import SpecError, UsageError
from grubench.spec.experiment import Experiment


@pytest.mark.parametrize("name", ["activities", "bankex", "bitcoin", "energy", "waves"])
def test_every_workload_has_a_preset(name: str) -> None:
    spec = presets.resolve(name, {})
    assert spec.data.dataset == name
    assert Experiment.from_toml(spec.to_toml()) == spec


def test_the_workloads_are_the_articles() -> None:
    bitcoin, bankex, energy, waves = (presets.resolve(name, {}) for name in ("bitcoin", "bankex", "energy", "waves"))
    assert bitcoin.model.dropout == (0.2, 0.2)
    assert [layer.units for layer in bitcoin.model.stack] == [50, 100]
    assert (bankex.window.lookback, bankex.window.horizon, bankex.window.test) == (60, 20, 251)
    assert (energy.training.epochs, energy.training.batch_size, energy.model.head_activation) == (5, 1024, "relu")
    assert (waves.training.epochs, waves.training.clipnorm, waves.window.every_step) == (1000, 1.0, True)


def test_a_flag_wins_over_the_preset_and_that_over_the_datasets_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[data]\ndataset = "bankex"\nunit = "rupees"\n[training]\nepochs = 7\nbatch_size = 8\n')
    spec = presets.resolve(str(path), {"training": {"epochs": 3}})
    assert (spec.training.epochs, spec.training.batch_size) == (3, 8)
    assert (spec.data.unit, spec.data.period) == ("rupees", 5)


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ({"cell": "lstm"}, ("lstm:50", "lstm:100")),
        ({"units": [8]}, ("gru:8",)),
        ({"cell": "rnn", "units": [8, 9, 10]}, ("rnn:8", "rnn:9", "rnn:10")),
        ({"layers": ["gru:64", "lstm:32"]}, ("gru:64", "lstm:32")),
    ],
)
def test_short_forms_go_over_the_preset(model: dict, layers: tuple[str, ...]) -> None:
    assert presets.resolve("bitcoin", {"model": model}).model.layers == layers


@pytest.mark.parametrize(
    "model",
    [{"layers": ["gru:3"], "units": [4]}, {"layers": ["gru:3"], "cell": "gru"}, {"cell": "gro"}, {"units": [0]}],
)
def test_contradicting_short_forms_are_refused(model: dict) -> None:
    with pytest.raises(SpecError, match="model"):
        presets.resolve(None, {"model": model})


def test_another_dataset_drops_the_presets_data() -> None:
    spec = presets.resolve("bankex", {"data": {"dataset": "bitcoin"}})
    assert spec.data.train_series == ()
    assert spec.training.epochs == 200


def test_a_file_of_ones_own_takes_a_presets_training() -> None:
    spec = presets.resolve("bankex", {"data": {"file": "my.csv", "target": ["price"]}})
    assert (spec.data.file, spec.data.unit, spec.training.epochs) == ("my.csv", "", 200)


@pytest.mark.parametrize("flag", ["time", "target", "features", "series_column"])
def test_columns_of_ones_own_file_do_not_go_with_a_dataset(flag: str) -> None:
    value = ["x"] if flag in ("target", "features") else "x"
    with pytest.raises(SpecError, match=f"data.{flag}"):
        presets.resolve(None, {"data": {"dataset": "bankex", flag: value}})


@pytest.mark.parametrize(
    ("content", "named"),
    [("not toml at all", "not a TOML preset"), ("[model]\nunit = 3", "model.unit"), ("\x00", "not a TOML preset")],
)
def test_a_bad_preset_names_its_file(tmp_path: Path, content: str, named: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(SpecError) as caught:
        presets.resolve(str(path), {})
    assert str(path) in caught.value.message
    assert named in caught.value.message


@pytest.mark.parametrize("name", ["bankx", "absent.toml", "../experiments/bankex"])
def test_an_unknown_preset_lists_those_there_are(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        presets.resolve(name, {})
    assert "bankex" in caught.value.remedy


def test_an_unknown_dataset_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="activities, bankex"):
        presets.resolve(None, {"data": {"dataset": "bankx"}})


def test_a_file_of_which_no_target_is_named_has_its_columns_and_the_command(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("date,price\n" + "".join(f"2024-01-{day:02d},{100 + day * day % 17:.2f}\n" for day in range(1, 31)))
    with pytest.raises(SpecError, match=r"no column of .* is named as the target") as error:
        presets.resolve(None, {"data": {"file": str(path), "separator": ","}})
    assert "one of date, price. For instance: grubench compare --csv" in error.value.remedy
    assert "--target price" in error.value.remedy
    with pytest.raises(SpecError, match="is named as the target") as error:
        presets.resolve(None, {"data": {"file": str(tmp_path / "none.csv")}})
    assert error.value.remedy == "Name it with --target COLUMN."
