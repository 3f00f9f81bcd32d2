"""What forecasts are measured by: the data's own values, and never a copy."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import make_dataset

from grubench.data import windows
from grubench.data.series import Series
from grubench.errors import UsageError
from grubench.runs.predictions import ForecastRows, format_csv
from grubench.spec.experiment import Experiment, Window
from grubench.training import evaluate
from grubench.training.lag import find_lag

RNG = np.random.default_rng(5)


def measure(target: np.ndarray, window: Window, filled: np.ndarray | None = None, period: int = 0):
    """The windows of a series, and the scores of the baselines."""
    series = Series(
        name="meter",
        values=target[:, None],
        columns=("reading",),
        time=np.arange(len(target)),
        filled=np.zeros(len(target), bool) if filled is None else filled,
    )
    dataset = make_dataset(series)
    cut = windows.build(dataset, Experiment(window=window))
    perfect = cut.targets(cut.index("test"))
    return cut, evaluate.evaluate_all(perfect, cut, dataset, period)[1]


@pytest.mark.parametrize("scaling", ["none", "minmax", "standard"])
@pytest.mark.parametrize("every_step", [False, True])
def test_baselines_are_measured_on_the_values_of_the_data_and_not_on_float32(scaling: str, every_step: bool) -> None:
    """Float32 cannot tell these values apart: near 1.7e9 its neighbors are 128 from each other."""
    target = 1.7e9 + np.cumsum(np.round(RNG.uniform(0, 0.5, 300), 2))
    window = Window(lookback=6, scaling=scaling, every_step=every_step, validation=0, test=30)
    cut, scores = measure(target, window, period=3)
    rows = np.unique(cut.target_rows(cut.index("test"))) if not every_step else cut.target_rows(cut.index("test"))
    expected = np.sqrt(np.mean((target[rows] - target[rows - 1]) ** 2))
    assert expected > 0.1
    assert scores["persistence"].overall["rmse"] == pytest.approx(expected, rel=1e-12)
    factor = cut.scalings["meter"].factor[0]
    assert scores["persistence"].overall["rmse_scaled"] == pytest.approx(expected / factor, rel=1e-6)
    if not every_step:
        seasonal = np.sqrt(np.mean((target[rows] - target[rows - 3]) ** 2))
        assert scores["seasonal"].overall["rmse"] == pytest.approx(seasonal, rel=1e-12)


def test_exported_numbers_read_back_equal() -> None:
    values = 1.7e9 + RNG.uniform(0, 1, 20)
    steps = np.arange(20)
    rows = ForecastRows(origin=steps, step=np.ones(20, int), time=steps + 1, actual=values, predicted=values / 3)
    lines = [line.split(",") for line in format_csv({"a": rows}).splitlines()[1:]]
    assert [float(line[4]) for line in lines] == values.tolist()
    assert [float(line[5]) for line in lines] == (values / 3).tolist()
    assert all(line[4] == repr(value) for line, value in zip(lines, values.tolist(), strict=True))


def forward_filled(length: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    values = RNG.normal(100, 5, length)
    filled = RNG.uniform(size=length) < share
    filled[0] = False
    for row in np.flatnonzero(filled):
        values[row] = values[row - 1]
    return values, filled


@pytest.mark.parametrize("horizon", [1, 3])
def test_filled_targets_are_not_measured(horizon: int) -> None:
    target, filled = forward_filled(200, 0.5)
    cut, scores = measure(target, Window(lookback=5, horizon=horizon, validation=0, test=60), filled)
    errors, moves = [], []
    for step in range(horizon):
        before = None
        for start in cut.index("test"):
            row = start + 5 + step
            if filled[row]:
                continue
            errors.append(target[row] - target[start + 4])
            if before is not None:
                moves.append(np.sign(target[row] - before[0]) == np.sign(target[start + 4] - before[1]))
            before = (target[row], target[start + 4])
    overall = scores["persistence"].overall
    assert overall["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert overall["mae"] == pytest.approx(np.mean(np.abs(errors)))
    assert overall["directional_accuracy"] == pytest.approx(np.mean(moves))
    train = np.arange(1, cut.splits["meter"].train)
    train = train[~filled[train]]
    naive = np.mean(np.abs(target[train] - target[train - 1]))
    assert overall["mase"] == pytest.approx(np.mean(np.abs(errors)) / naive)


def test_a_test_part_of_copies_alone_is_refused() -> None:
    target, filled = forward_filled(200, 0.0)
    filled[150:] = True
    with pytest.raises(UsageError, match="all were filled"):
        measure(target, Window(lookback=5, validation=0, test=30), filled)


def test_a_series_whose_test_part_is_copies_alone_is_left_out_of_it() -> None:
    target, none = forward_filled(200, 0.0)
    copies = np.arange(200) >= 150
    dataset = make_dataset(
        *(
            Series(name=name, values=target[:, None], columns=("x",), time=np.arange(200), filled=filled)
            for name, filled in (("whole", none), ("copied", copies))
        )
    )
    cut = windows.build(dataset, Experiment(window=Window(lookback=5, validation=0, test=30)))
    assert list(cut.starts["test"]) == ["whole"]
    assert list(cut.starts["train"]) == ["whole", "copied"]


def test_targets_that_do_not_overlap_are_counted() -> None:
    target, filled = forward_filled(200, 0.0)
    for window, number in (
        (Window(lookback=5, horizon=1, validation=0, test=30), 30),
        (Window(lookback=5, horizon=6, validation=0, test=30), 5),
        (Window(lookback=5, horizon=6, stride=12, validation=0, test=30), 3),
        (Window(lookback=5, every_step=True, validation=0, test=30), 30),
    ):
        assert measure(target, window, filled)[0].count_separate_targets("test") == number
    filled[-10:] = True
    assert measure(target, Window(lookback=5, validation=0, test=30), filled)[0].count_separate_targets("test") == 20


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("horizon", [1, 4])
def test_the_lag_of_forecasts_is_that_of_their_best_correlation(horizon: int, every_step: bool) -> None:
    if every_step and horizon > 1:
        return
    target = np.cumsum(RNG.normal(size=300))
    dataset = make_dataset(Series(name="walk", values=target[:, None], columns=("x",), time=np.arange(300)))
    window = Window(lookback=6, horizon=horizon, every_step=every_step, scaling="none", validation=0, test=60)
    cut = windows.build(dataset, Experiment(window=window))
    rows = cut.target_rows(cut.index("test"))
    last = 1 if every_step else 3
    for lag in range(last + 1):
        shifted = target[rows - lag].astype(np.float32)[..., None] if every_step else target[rows - lag]
        forecast, others = evaluate.evaluate_all(shifted.astype(np.float32), cut, dataset, 0)
        assert forecast.lags == {"walk": lag}
        assert others["persistence"].lags == {"walk": 1}


def test_forecasts_that_never_change_have_no_lag() -> None:
    target = np.cumsum(RNG.normal(size=300))
    recent = np.column_stack([target[2:], target[1:-1], target[:-2]])
    assert find_lag(np.full(298, 3.3), recent) is None
    assert find_lag(RNG.normal(size=298), recent) is None
    assert find_lag(target[1:-1][:5], recent[:5]) is None


def test_forecasts_far_from_the_last_value_do_not_repeat_it() -> None:
    """They move with it, and are at half its level."""
    target = 1000 + np.cumsum(RNG.normal(size=300))
    recent = np.column_stack([target[2:], target[1:-1], target[:-2]])
    assert find_lag(target[1:-1] + 0.01, recent) == 1
    assert find_lag(target[1:-1] / 2, recent) is None


def two_targets(units: tuple[str, str], columns: tuple[str, str]):
    """The scores of persistence over two series, one of thousands and one of thousandths."""
    walks = [np.cumsum(RNG.normal(size=200)) * size for size in (1e3, 1e-3)]
    series = [
        Series(name=name, values=walk[:, None], columns=(column,), time=np.arange(200), unit=unit)
        for name, walk, column, unit in zip("ab", walks, columns, units, strict=True)
    ]
    dataset = make_dataset(*series)
    cut = windows.build(dataset, Experiment(window=Window(lookback=5, horizon=2, validation=0, test=30)))
    return evaluate.evaluate_all(cut.targets(cut.index("test")), cut, dataset, 0)[1]["persistence"]


@pytest.mark.parametrize(("units", "columns"), [(("", ""), ("price", "volume")), (("kW", "m"), ("x", "x"))])
def test_errors_in_different_units_have_no_mean(units: tuple[str, str], columns: tuple[str, str]) -> None:
    scores = two_targets(units, columns)
    for means in (scores.overall, *scores.horizon):
        assert [key for key, value in means.items() if value is None] == ["rmse", "mae"]
    assert all(np.isfinite(own["rmse"]) for own in scores.series.values())


@pytest.mark.parametrize(("units", "columns"), [(("", ""), ("x", "x")), (("kW", "kW"), ("price", "volume"))])
def test_errors_in_one_unit_have_one(units: tuple[str, str], columns: tuple[str, str]) -> None:
    scores = two_targets(units, columns)
    assert scores.overall["rmse"] == pytest.approx(np.mean([own["rmse"] for own in scores.series.values()]))
