"""The linear baseline against scikit-learn's ridge, and what must hold whatever the data are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import make_dataset, make_series
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from grubench.data import windows
from grubench.data.series import Series
from grubench.data.windows import Windows
from grubench.spec import baselines
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Window
from grubench.training import linear_baseline
from grubench.training.evaluate import evaluate_all
from grubench.training.linear_baseline import PENALTIES, forecast_linear

RNG = np.random.default_rng(11)


def cut(*series: Series, **settings: object) -> Windows:
    defaults = {"lookback": 6, "horizon": 2, "validation": 0.2, "test": 30, "scaling": "standard"}
    return windows.build(make_dataset(*series), Experiment(window=Window(**defaults | settings)))  # type: ignore[arg-type]


def from_target(target: np.ndarray, **fields: object) -> Series:
    return Series(
        name="made",
        values=target[:, None],
        columns=("y",),
        time=np.arange(len(target)),
        **fields,  # type: ignore[arg-type]
    )


def leave_out_filled(found: Windows, part: str) -> list[np.ndarray]:
    """The start rows of each series without filled targets, unless those are more than half of all."""
    every = list(found.starts[part].values())
    measured = [starts[~found.filled[found.target_rows(starts)].any(axis=1)] for starts in every]
    return measured if 2 * sum(map(len, measured)) >= sum(map(len, every)) else every


def read(found: Windows, parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The inputs and the targets of windows, all copied."""
    starts = np.concatenate(parts)
    x = found.inputs(starts).reshape(len(starts), found.lookback * found.feature)
    return x.astype(float), found.targets(starts).astype(float)


def fit_ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> Ridge:
    mean_eigenvalue = np.square(x - x.mean(axis=0)).sum() / x.shape[1]
    return Ridge(alpha=penalty * mean_eigenvalue, solver="svd").fit(x, y)


def forecast_slowly(found: Windows, penalties: np.ndarray) -> np.ndarray:
    """The same with scikit-learn, one penalty after the other."""
    series = leave_out_filled(found, "train")
    train = fitted = read(found, series)
    if found.count("validation"):
        choosing = read(found, leave_out_filled(found, "validation"))
    else:
        ends = [len(starts) - len(starts) // 5 for starts in series]
        fitted = read(found, [starts[:end] for starts, end in zip(series, ends, strict=True)])
        choosing = read(found, [starts[end:] for starts, end in zip(series, ends, strict=True)])
    models = [fit_ridge(*fitted, penalty) for penalty in penalties]
    x, y = choosing
    errors = [np.square(model.predict(x).reshape(y.shape) - y).sum() if len(y) else 0 for model in models]
    model = fit_ridge(*train, penalties[np.argmin(errors)])
    test = found.inputs(found.index("test"))
    return model.predict(test.reshape(len(test), -1).astype(float)).reshape(len(test), -1)


@settings(max_examples=60)
@given(
    lookback=st.integers(1, 9),
    horizon=st.integers(1, 4),
    stride=st.integers(1, 11),
    features=st.integers(1, 3),
    validation=st.sampled_from([0, 0.2]),
    filled=st.sampled_from([0, 0.05, 0.6]),
    chunk=st.sampled_from([1, 1000, 1 << 18]),
)
def test_the_forecasts_are_scikit_learns(
    lookback: int, horizon: int, stride: int, features: int, validation: float, filled: float, chunk: int
) -> None:
    """Whatever the stride, the chunks and the gaps: two series of other levels and lengths."""
    series = [
        replace(
            make_series(name, length=length, seed=length, features=features),
            filled=np.random.default_rng(length).random(length) < filled,
        )
        for name, length in (("a", 220), ("b", 160))
    ]
    found = cut(*series, lookback=lookback, horizon=horizon, stride=stride, validation=validation)
    penalties = 10.0 ** np.arange(2, -6, -1)  # those below leave few digits to compare
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_baseline, "PENALTIES", penalties)
        patch.setattr(linear_baseline, "CHUNK_BYTES", chunk)
        forecast = forecast_linear(found, found.index("test"))
    np.testing.assert_allclose(forecast, forecast_slowly(found, penalties), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("validation", [0, 60])
def test_a_series_that_is_linear_in_its_past_is_forecast_to_rounding(validation: float) -> None:
    time = np.arange(600)
    target = 1e4 + 30 * np.sin(time / 7) + 5 * np.cos(time / 2.3)
    found = cut(from_target(target), lookback=12, horizon=5, validation=validation)
    errors = forecast_linear(found, found.index("test")) - found.targets(found.index("test"))
    assert np.abs(errors).max() < 1e-5  # the scaled rows are float32


@given(st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_another_unit_leaves_the_scaled_forecasts(factor: float, offset: float) -> None:
    target = make_series(length=300).target
    first, other = cut(from_target(target)), cut(from_target(target * factor + offset))
    forecasts = [forecast_linear(found, found.index("test")) for found in (first, other)]
    np.testing.assert_allclose(forecasts[0], forecasts[1], atol=2e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 0.1, -7e5])
def test_a_constant_series_is_forecast_as_it_is(value: float) -> None:
    found = cut(from_target(np.full(200, value)), scaling="none")
    forecasts = forecast_linear(found, found.index("test"))
    np.testing.assert_array_equal(forecasts, np.float32(value))


@pytest.mark.filterwarnings("error")
def test_fewer_windows_than_inputs_are_enough() -> None:
    found = cut(from_target(RNG.normal(size=80)), lookback=30, validation=0, test=20, stride=20)
    assert found.count("train") < 4
    assert np.isfinite(forecast_linear(found, found.index("test"))).all()


@pytest.mark.parametrize(("features", "read"), [(1, (10, 1)), (3, (3, 3)), (11, (10, 1))])
def test_of_long_windows_the_last_steps_are_read(
    features: int, read: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the windows had no more steps; where one step is too much, no more inputs than the target."""
    monkeypatch.setattr(baselines, "MAX_LINEAR_INPUTS", 10)
    series = make_series(length=300, features=features)
    steps, inputs = read
    shorter = replace(series, values=series.values[12 - steps :, :inputs], columns=series.columns[:inputs])
    shorter = replace(shorter, time=series.time[12 - steps :], filled=series.filled[12 - steps :])
    found = cut(series, lookback=12, validation=60, test=60, scaling="none")
    expected = cut(shorter, lookback=steps, validation=60, test=60, scaling="none")
    np.testing.assert_allclose(
        forecast_linear(found, found.index("test")),
        forecast_linear(expected, expected.index("test")),
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("lookback", "inputs", "note"),
    [
        (60, 5, None),
        (1000, 1, None),
        (365, 5, "linear reads the last 200 of 365 steps: at most 1,000 inputs."),
        (30, 1001, "linear reads the last 30 of 30 steps of the target alone: at most 1,000 inputs."),
    ],
)
def test_a_note_says_what_of_a_window_is_read(lookback: int, inputs: int, note: str | None) -> None:
    from grubench.data.window_checks import note_linear

    assert note_linear(Window(lookback=lookback), inputs) == ((note,) if note else ())
    assert note_linear(Window(lookback=lookback, every_step=True), inputs) == ()


def test_it_is_scored_beside_the_other_baselines_and_not_at_every_step() -> None:
    for every_step in (False, True):
        series = make_series(length=300)
        found = cut(series, horizon=1, every_step=every_step)
        scores = evaluate_all(found.targets(found.index("test")), found, make_dataset(series), 3)[1]
        assert ("linear" in scores) == (not every_step)
    found = cut(series, horizon=1)
    score = evaluate_all(found.targets(found.index("test")), found, make_dataset(series), 3)[1]["linear"].overall
    errors = forecast_slowly(found, PENALTIES) - found.targets(found.index("test"))
    assert score["rmse_scaled"] == pytest.approx(np.sqrt(np.square(errors).mean()), rel=1e-4)
    assert score["rmse"] == pytest.approx(score["rmse_scaled"] * found.scalings["one"].factor[0])
