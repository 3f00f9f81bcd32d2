"""Forecasts of a run against plain Keras, hand-made windows and inverse scaling."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import IN_PROCESS, tiny

from grubench import api
from grubench.data import datasets
from grubench.data.series import Series
from grubench.errors import DataError, RunError, UsageError
from grubench.runs.run import Run
from grubench.spec.sections import Data, Window
from grubench.training.predict import future_times, predict


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a daily file with another input."""
    folder = tmp_path_factory.mktemp("own")
    frame = daily(200)
    frame.to_csv(folder / "prices.csv", index=False)
    data = Data(file=str(folder / "prices.csv"), time="date", target=("price",), features=("volume",), unit="EUR")
    return api.train(replace(tiny(epochs=1), data=data), output=folder / "runs", options=IN_PROCESS)


def daily(rows: int, start: str = "2026-01-01") -> pd.DataFrame:
    draw = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "date": pd.date_range(start, periods=rows),
            "price": draw.normal(size=rows).cumsum() + 100,
            "volume": draw.uniform(size=rows),
        }
    )


def by_hand(run: Run, values: np.ndarray, series: str, lookback: int, horizon: int) -> np.ndarray:
    """Plain Keras, windows by a loop, scaling from scaling.json."""
    scaling = json.loads((run.folder / "scaling.json").read_text())["series"][series]
    scaled = (values - np.array(scaling["offset"])) / np.array(scaling["factor"])
    inputs = np.array([scaled[start : start + lookback] for start in range(len(values) - lookback - horizon + 1)])
    model = keras.models.load_model(run.folder / "model.keras")
    return model.predict(inputs.astype(np.float32), verbose=0) * scaling["factor"][0] + scaling["offset"][0]


def test_the_test_part_equals_plain_keras(trained: dict[str, Run]) -> None:
    run = trained["gru"]
    made = predict(run)
    spec = run.experiment
    for series in datasets.load(spec.data, "activities").series:
        if series.name not in made.rows:
            continue
        expected = by_hand(run, series.values, series.name, 14, 3)
        found = made.rows[series.name]
        starts = found.origin[found.step == 1] - 13
        np.testing.assert_allclose(found.predicted.reshape(-1, 3), expected[starts], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(found.actual, series.target[found.time])
    kept = pd.read_csv(run.folder / "predictions.csv")
    np.testing.assert_allclose(
        np.concatenate([one.predicted for one in made.rows.values()]), kept["predicted"], rtol=1e-6
    )
    assert made.scores.overall["rmse"] == pytest.approx(run.metrics.test.overall["rmse"], rel=1e-6)


def test_new_data_equals_plain_keras(own: Run, tmp_path: Path) -> None:
    frame = daily(40, "2026-09-01")
    frame.to_csv(tmp_path / "newer.csv", index=False)
    made = predict(own, file=tmp_path / "newer.csv")
    expected = by_hand(own, frame[["price", "volume"]].to_numpy(), "prices", 14, 3)
    found = made.rows["newer"]
    np.testing.assert_allclose(found.predicted.reshape(-1, 3), expected[::9], rtol=1e-5)
    assert made.scores is not None
    assert made.unit == "EUR"


def test_the_steps_ahead_are_the_models_output_for_the_last_window(own: Run) -> None:
    made = predict(own.folder, steps=2)
    frame = pd.read_csv(own.experiment.data.file)
    padded = np.concatenate([frame[["price", "volume"]].to_numpy(), np.zeros((3, 2))])
    expected = by_hand(own, padded, "prices", 14, 3)[-1]
    found = made.rows["prices"]
    np.testing.assert_allclose(found.predicted, expected[:2], rtol=1e-5)
    assert np.datetime_as_string(found.time, "D").tolist() == ["2026-07-20", "2026-07-21"]
    assert not made.fed_back


def test_past_the_horizon_forecasts_are_fed_back(trained: dict[str, Run]) -> None:
    run = trained["gru"]
    made = predict(run, steps=8)
    assert made.fed_back
    series = next(one for one in datasets.load(run.experiment.data, "a").series if one.name == "activity3")
    values = series.values
    for _ in range(3):
        padded = np.concatenate([values, np.zeros((3, 1))])
        values = np.concatenate([values, by_hand(run, padded, "activity3", 14, 3)[-1][:, None]])
    np.testing.assert_allclose(made.rows["activity3"].predicted, values[-9:-1, 0], rtol=1e-4)
    assert made.rows["activity3"].time.tolist() == list(range(3584, 3592))


def test_unknown_inputs_bound_the_steps(own: Run) -> None:
    with pytest.raises(UsageError, match="the future of volume is not known"):
        predict(own, steps=4)


def test_stamps_are_known_ahead(tmp_path: Path) -> None:
    frame = daily(100)
    frame.to_csv(tmp_path / "d.csv", index=False)
    data = Data(file=str(tmp_path / "d.csv"), time="date", target=("price",), time_features=("weekday",))
    run = api.train(replace(tiny(epochs=1), data=data), output=tmp_path / "runs", options=IN_PROCESS)
    assert len(predict(run, steps=7).rows["d"].predicted) == 7


def test_at_every_step_the_last_output_is_the_next_value(tmp_path: Path) -> None:
    spec = replace(tiny(epochs=1), window=Window(lookback=20, every_step=True, stride=40, test=40, validation=0))
    run = api.train(spec, output=tmp_path, options=IN_PROCESS)
    series = datasets.load(spec.data, "a").series[0]
    scaling = run.scalings()["activity0"]
    last = (series.values[-20:] - scaling.offset) / scaling.factor
    output = keras.models.load_model(run.folder / "model.keras").predict(last[None].astype(np.float32), verbose=0)
    expected = output[0, -1, 0] * scaling.factor[0] + scaling.offset[0]
    assert predict(run, steps=1).rows["activity0"].predicted[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("stamps", "following"),
    [
        (["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"], ["2026-01-05", "2026-01-06"]),
        (pd.bdate_range("2026-01-01", "2026-01-23").astype(str).tolist(), ["2026-01-26", "2026-01-27"]),
        (pd.date_range("2026-01-31", periods=6, freq="ME").astype(str).tolist(), ["2026-07-31", "2026-08-31"]),
        (["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-07"], ["2026-01-08", "2026-01-09"]),
    ],
)
def test_the_calendar_goes_on(stamps: list[str], following: list[str]) -> None:
    time = np.array(stamps, "datetime64[s]")
    series = Series(name="s", values=np.zeros((len(time), 1)), columns=("x",), time=time)
    assert np.datetime_as_string(future_times(series, 2), "D").tolist() == following


@pytest.mark.parametrize("stamps", [["0001-01-01", "9990-01-01"], ["9999-10-01", "9999-11-01", "9999-12-01"]])
def test_the_calendar_ends_with_the_year_9999(stamps: list[str]) -> None:
    series = Series(name="s", values=np.zeros((len(stamps), 1)), columns=("x",), time=np.array(stamps, "datetime64[s]"))
    for steps in (2, 100_000):
        with pytest.raises(UsageError, match="past the year 9999"):
            future_times(series, steps)


def test_new_data_says_whose_scaling_it_takes(trained: dict[str, Run], tmp_path: Path) -> None:
    values = np.tile([1.0, 1, 1, 1, 1, 0, 0], 6)
    pd.DataFrame({"activity": values}).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(UsageError, match="has none called 'mine'") as caught:
        predict(trained["gru"], file=tmp_path / "mine.csv")
    assert "activity0, activity3" in caught.value.remedy
    assert "mine" in predict(trained["gru"], file=tmp_path / "mine.csv", series="activity0").rows
    with pytest.raises(UsageError, match="the run has no series 'activity9'"):
        predict(trained["gru"], file=tmp_path / "mine.csv", series="activity9")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,price\n2026-01-01,1\n", "no column 'volume'"),
        ("date,price,volume\n2026-01-01,1,1\n", "has 1 step;"),
    ],
)
def test_data_of_another_shape_is_refused(own: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        predict(own, file=tmp_path / "new.csv", steps=1)


def test_missing_files_and_steps_are_refused(own: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        predict(own, file=tmp_path / "absent.csv")
    for steps in (0, 10**12):
        with pytest.raises(UsageError, match=f"--steps: {steps} is not valid"):
            predict(own, steps=steps)
    (tmp_path / "large.csv").write_text("price\n" + "1\n" * 200_000)
    with pytest.raises(DataError, match=r"large\.csv is too large"):
        predict(own, file=tmp_path / "large.csv", max_mb=1)


def test_changed_data_is_noticed(own: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(own.folder, folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["data"]["fingerprint"] = "another"
    (folder / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(RunError, match="has changed since"):
        predict(folder)


def test_new_files_of_the_datasets_own_form(tmp_path: Path) -> None:
    (tmp_path / "coin.csv").write_text("Date,Close\n30-06-21,1\n01-07-21,2\n")
    bitcoin = datasets.load(Data(dataset="bitcoin", target=("Close",)), "coin", tmp_path / "coin.csv").series[0]
    assert str(bitcoin.time[1]) == "2021-07-01T00:00:00"
    (tmp_path / "X_hourly.csv").write_text("Datetime,X_MW\n2020-01-01 01:00:00,2\n2020-01-01 00:00:00,1\n")
    energy = datasets.load(Data(dataset="energy"), "x", tmp_path / "X_hourly.csv").series[0]
    assert (energy.name, energy.target.tolist()) == ("X", [1, 2])
    np.savetxt(tmp_path / "prices.csv", np.ones((10, 5)), delimiter=",")
    assert len(datasets.load(Data(dataset="bankex"), "p", tmp_path / "prices.csv").series) == 10
