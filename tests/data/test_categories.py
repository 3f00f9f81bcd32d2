"""Columns of text become one input for each text of the training part; others are 0 in all of them, and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grubench.data import categories, datasets, windows
from grubench.data.series import Dataset
from grubench.errors import DataError, SpecError, UsageError
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data, Window

WEATHER = ["rain", "sun", "rain", "sun", "sun", "rain", "sun", "rain", "sun", "fog"]


def make_spec(folder: Path, weather: list[str] = WEATHER, **settings: object) -> Experiment:
    rows = "".join(f"{price},{text},{price % 3}\n" for price, text in enumerate(weather))
    (folder / "my.csv").write_text(f"price,weather,other\n{rows}")
    data = {"target": ("price",), "features": ("weather", "other")} | settings
    return Experiment(
        data=Data(file=str(folder / "my.csv"), **data),  # type: ignore[arg-type]
        window=Window(lookback=2, validation=1, test=2),
    )


def load(spec: Experiment) -> Dataset:
    return categories.encode(datasets.load(spec.data, "my"), spec)


def test_each_text_of_the_training_part_is_an_input(tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    dataset = load(spec)
    series = dataset.series[0]
    assert series.columns == ("price", "weather=rain", "weather=sun", "other")
    assert series.values[:, 1].tolist() == [float(text == "rain") for text in WEATHER]
    assert series.values[:, 2].tolist() == [float(text == "sun") for text in WEATHER]
    assert dataset.categories == {"weather": ("rain", "sun")}
    assert windows.build(dataset, spec).feature == 4


def test_an_unseen_text_is_zero_in_all_and_counted(tmp_path: Path) -> None:
    dataset = load(make_spec(tmp_path))
    assert dataset.series[0].values[-1, 1:3].tolist() == [0, 0]
    assert "Column weather: 1 row of my with texts that no training row has: fog." in dataset.notes


def test_new_data_takes_the_texts_of_the_run(tmp_path: Path) -> None:
    new = datasets.load(make_spec(tmp_path, ["sun", "hail", "hail"]).data, "new")
    encoded = categories.encode_as(new, {"weather": ("rain", "sun")})
    assert encoded.series[0].values[:, 1:3].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert "2 rows of new" in encoded.notes[0]
    with pytest.raises(UsageError, match="column 'weather': the run was trained on numbers"):
        categories.encode_as(new, {})


def test_numbers_stay_numbers_and_the_target_must_be_one(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, features=("other",))
    assert load(spec).series[0].columns == ("price", "other")
    with pytest.raises(DataError, match="column 'weather', data row 1: 'rain' is not a number"):
        load(make_spec(tmp_path, target=("weather",), features=("price",)))
    with pytest.raises(DataError, match="data row 2: 'x' is not a number"):
        load(make_spec(tmp_path, ["1", "x", *["2"] * 8]))


def test_empty_cells_follow_the_rule(tmp_path: Path) -> None:
    weather = ["rain", "", *["sun"] * 8]
    with pytest.raises(DataError, match="column 'weather', data row 2 is empty"):
        load(make_spec(tmp_path, weather))
    filled = load(make_spec(tmp_path, weather, missing="fill")).series[0]
    np.testing.assert_array_equal(filled.values[:2, 1], [1, 1])
    assert len(load(make_spec(tmp_path, weather, missing="drop")).series[0]) == 9


def test_names_of_thousands_are_no_inputs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'weather' has 101 different texts, and at most 100"):
        load(make_spec(tmp_path, [f"x{number}" for number in range(101)]))
    with pytest.raises(SpecError, match="have no mean"):
        load(make_spec(tmp_path, duplicates="mean"))


def test_numbers_with_a_unit_are_no_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column 'weather': '0.5K' is not a number"):
        load(make_spec(tmp_path, [f"{row}.5K" for row in range(40)]))
    assert load(make_spec(tmp_path, ["1st", "2nd"] * 20)).series[0].columns[1:3] == ("weather=1st", "weather=2nd")
