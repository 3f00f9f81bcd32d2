"""Forecasts of a finished run: of its test part, of new data of the same shape, and past the end of a series."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.backends import registry
from grubench.data import categories, datasets, windows
from grubench.data.calendar import LAST_TIMESTAMP, US, find_calendar
from grubench.data.input_files import MAX_TABLE_MB
from grubench.data.scaling import Scaling
from grubench.data.windows import Windows
from grubench.data.zones import choose_clock
from grubench.errors import RunError, UsageError
from grubench.runs import run as runs
from grubench.runs.predictions import ForecastRows
from grubench.text import is_file, quote
from grubench.training import evaluate
from grubench.training.load_model import load_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from grubench.data.series import Dataset, Series
    from grubench.runs.predictions import Times
    from grubench.runs.records import Evaluation
    from grubench.runs.run import Run


# Further ahead a forecast is made of forecasts alone; the model is called for each block of them.
MAX_STEPS = 100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """The last values of a series before its forecasts, `(row,)` each: local time, and the value in the data's unit."""

    time: Times
    actual: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """Forecasts in the data's unit.

    Attributes:
        run: The run whose model made them.
        rows: The forecasts, by series.
        scores: The scores of the forecasts; None for forecasts of the future.
        baselines: The scores of the baselines on the same windows, by name.
        past: The last values of each series, for pictures; None where known windows are forecast.
        fed_back: Whether steps past the horizon were forecast from forecasts.
        unit: The unit of the target.
        backend: What ran the model.
        rules: The rules that the timestamps of the future follow, in words.
        notes: What was guessed when the data were read, and what looks wrong: a sentence each.
    """

    run: Run
    rows: dict[str, ForecastRows] = field(repr=False)
    scores: Evaluation | None = field(default=None, repr=False)
    baselines: Mapping[str, Evaluation] = field(default_factory=dict, repr=False)
    past: dict[str, Past] | None = field(default=None, repr=False)
    fed_back: bool = False
    unit: str = ""
    backend: str = "tensorflow"
    rules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def predict(
    run: Run | Path | str,
    *,
    file: Path | str | pd.DataFrame | None = None,
    steps: int | None = None,
    series: str | None = None,
    backend: str | None = None,
    max_mb: int = MAX_TABLE_MB,
) -> Forecast:
    """Forecast with a run's model.

    Args:
        run: A run, or its folder.
        file: New data of the same shape, a file or a DataFrame; without it the run's own data, of which the test part
            is forecast.
        steps: Forecast this many steps past the end of each series; without it every window of the data.
        series: The series of the run whose scaling the new data takes, where names do not tell.
        backend: What runs the model, which loads on each; without it the one that Keras has in this process, or else
            the run's.
        max_mb: The largest table that is read, in MB.

    Raises:
        UsageError: The data does not fit the run, or the future needs inputs that nobody knows yet.
        DataError: The data cannot be used.
        RunError: The model cannot be loaded.
    """
    run = run if isinstance(run, runs.Run) else runs.load(Path(run))
    if steps is not None and not 1 <= steps <= MAX_STEPS:
        raise UsageError(f"--steps: {steps} is not valid.", f"Give a number from 1 to {MAX_STEPS:,}.")
    spec = run.experiment
    registry.choose(backend or registry.loaded() or spec.training.backend)
    if file is None:
        dataset = _load_own_data(run, max_mb)
        cut = windows.build(dataset, spec)
    else:
        dataset = _load_new_data(run, file, max_mb)
        cut = windows.build_for_forecast(dataset, spec, _choose_scalings(run, dataset, series))
    if steps is not None:
        return _forecast_ahead(run, dataset, cut, steps, trained_on=file is None)
    return _forecast_windows(run, dataset, cut)


def _load_own_data(run: Run, max_mb: int) -> Dataset:
    """The data that a run was trained on, unless it has changed since."""
    spec = run.experiment
    if spec.data.file and not is_file(Path(spec.data.file)):
        raise UsageError(
            f"The run was trained on {spec.data.file}, which is not there.",
            "Call from the folder where it was trained, or give the data with --csv FILE.",
        )
    dataset = categories.encode(datasets.load(spec.data, spec.data_name, max_mb=max_mb), spec)
    if dataset.fingerprint() != run.metrics.data.fingerprint:
        raise RunError(
            f"The data of {run.name} has changed since it was trained.", "Give the new data with --csv FILE."
        )
    return dataset


def _load_new_data(run: Run, file: Path | str | pd.DataFrame, max_mb: int) -> Dataset:
    """New data, its columns of text as in the run's."""
    frame = None if isinstance(file, str | Path) else file
    path = Path("frame" if frame is not None else str(file))
    dataset = datasets.load(run.experiment.data, path.stem, path, max_mb=max_mb, frame=frame)
    return categories.encode_as(dataset, run.categories())


def _forecast_windows(run: Run, dataset: Dataset, cut: Windows) -> Forecast:
    spec = run.experiment
    if not cut.count("test"):
        need = spec.window.lookback + spec.window.horizon
        raise UsageError(
            f"{dataset.name} has no window: each of its series has fewer than {need} steps.",
            "Give more rows, or forecast past its end with --steps.",
        )
    model = load_model(run, cut)
    from grubench.training.fit import forecast

    predicted = _check_finite(forecast(model, cut, cut.index("test"), spec))
    scores, baselines = evaluate.evaluate_all(predicted, cut, dataset, spec.data.season)
    rows = evaluate.make_rows(dataset, cut, predicted)
    return Forecast(
        run=run,
        rows=rows,
        scores=scores,
        baselines=baselines,
        unit=dataset.unit,
        backend=registry.loaded(),
        notes=cut.notes,
    )


def _forecast_ahead(run: Run, dataset: Dataset, cut: Windows, steps: int, *, trained_on: bool) -> Forecast:
    spec = run.experiment
    block = cut.outputs
    known = 1 + len(spec.data.time_features)
    if steps > block and cut.feature > known:
        extra = ", ".join(dataset.series[0].columns[1 : cut.feature - len(spec.data.time_features)])
        raise UsageError(
            f"--steps: {steps} is past the horizon of {block}, and the future of {extra} is not known.",
            f"Give --steps {block} or less, or train with a longer --horizon.",
        )
    model = load_model(run, cut)
    from grubench.training.precision import uses_tf32

    wanted = dataset.select(spec.data.test_series, "data.test_series") if trained_on else dataset.series
    chosen = [series for series in wanted if series.name in cut.splits]
    with uses_tf32(spec):
        rows = {series.name: _forecast_series(model, series, cut, run, steps) for series in chosen}
    keep = max(2 * steps, spec.window.lookback)
    past = {series.name: Past(time=series.local_time[-keep:], actual=series.target[-keep:]) for series in chosen}
    return Forecast(
        run=run,
        rows=rows,
        past=past,
        fed_back=steps > block,
        unit=dataset.unit,
        backend=registry.loaded(),
        rules=_describe_calendars(chosen),
        notes=cut.notes,
    )


def _forecast_series(model: Any, series: Series, cut: Windows, run: Run, steps: int) -> ForecastRows:
    """Forecast past the end of one series, block after block; each block takes the blocks before it for values."""
    scaling = cut.scalings[series.name]
    times = future_times(series, steps)
    inputs = scaling.apply(series.values[-cut.lookback :]).astype(np.float32)
    time_features = _compute_time_features(times, run, series)
    scaled: list[float] = []
    while len(scaled) < steps:
        output = _check_finite(np.asarray(model.predict(inputs[None], verbose=0), np.float32))[0]
        block = output[-1] if cut.every_step else output
        start = len(scaled)
        scaled += block.tolist()
        if len(scaled) < steps:
            unscaled = np.column_stack([scaling.target_to_unit(block), time_features[start : start + len(block)]])
            inputs = np.concatenate([inputs, scaling.apply(unscaled).astype(np.float32)])[-cut.lookback :]
    return ForecastRows(
        origin=np.repeat(series.time[-1:], steps),
        step=np.arange(1, steps + 1),
        time=times,
        actual=np.full(steps, np.nan),
        predicted=scaling.target_to_unit(np.array(scaled[:steps])),
        zone=series.zone,
    )


def _check_finite(predicted: NDArray[np.float32]) -> NDArray[np.float32]:
    """The forecasts, unless a damaged model or data far from those of the training made them NaN or infinite."""
    if not np.isfinite(predicted).all():
        raise RunError("The model's forecasts are NaN or infinite.", "Check the new data; or train the run again.")
    return predicted


def _compute_time_features(times: Times, run: Run, series: Series) -> NDArray[np.float64]:
    if not run.experiment.data.time_features:
        return np.empty((len(times), len(series.columns) - 1))
    from grubench.data.datasets.timestamps import compute_time_features

    local = series.zone.to_local(times) if series.zone else times
    return compute_time_features(local.astype("datetime64[us]"), run.experiment.data.time_features)


def future_times(series: Series, steps: int) -> Times:
    """The next timestamps of a series, by the calendar of its last ones; or its next step numbers.

    Raises:
        UsageError: They are after the year 9999.
    """
    if not series.has_timestamps:
        return np.asarray(series.time[-1] + np.arange(1, steps + 1))
    clock, known = choose_clock(series.time, series.zone), series.calendar_time
    calendar = find_calendar(known)
    if calendar is None:
        return np.repeat(series.time[-1:], steps)
    last = known[-1].astype("datetime64[us]")
    is_far = steps * float(calendar.step / US) > 2 * float((LAST_TIMESTAMP - last) / US)  # the sum would leave int64
    times = known[:0] if is_far else calendar.follow(last, steps)
    if is_far or times[-1] > LAST_TIMESTAMP:
        raise UsageError(f"--steps: {steps} steps of series {quote(series.name)} go past the year 9999.", "Give fewer.")
    times = clock.to_utc(times) if clock else times
    return times.astype(series.time.dtype)


def _describe_calendars(chosen: Iterable[Series]) -> tuple[str, ...]:
    """The rules that the timestamps of the forecasts follow, each once."""
    calendars = (find_calendar(series.calendar_time) for series in chosen)
    return tuple(dict.fromkeys(calendar.rule for calendar in calendars if calendar))


def _choose_scalings(run: Run, dataset: Dataset, series: str | None) -> dict[str, Scaling]:
    """The run's scaling for each series of new data: of the same name, of the one asked for, or the only one."""
    stored = run.scalings()
    if series is not None and series not in stored:
        raise UsageError(f"--series: the run has no series {series!r}.", f"It has: {', '.join(stored)}.")
    only = next(iter(stored.values())) if len({repr(scaling) for scaling in stored.values()}) == 1 else None
    scalings = {}
    for new in dataset.series:
        tree = stored[series] if series else stored.get(new.name, only)
        if tree is None:
            raise UsageError(
                f"--series: the run scales each of its series on its own and has none called {new.name!r}.",
                f"Name the one whose scaling fits with --series: {', '.join(stored)}.",
            )
        scalings[new.name] = Scaling(offset=np.array(tree.offset), factor=np.array(tree.factor))
        inputs = len(scalings[new.name].offset)
        if inputs != new.values.shape[1]:
            raise UsageError(
                f"The run scales {inputs} inputs, and series {quote(new.name)} has {new.values.shape[1]}.",
                "Give data with the columns that the run was trained on.",
            )
    return scalings
