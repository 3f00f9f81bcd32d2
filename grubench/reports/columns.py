"""From a comparison to the numbers that every view shows: rows, columns, and how a number is written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from grubench.comparison.statistics import mean_and_spread
from grubench.reports.header import MARK
from grubench.spec.arms import find_differing_settings, format_value
from grubench.text import count_epochs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run
    from grubench.spec.arms import Arm
    from grubench.spec.experiment import Experiment

# What stands where there is no number.
NONE = "\N{EN DASH}"
# A smaller number is written with a power of ten.
SMALLEST = 1e-4

TEST = (
    ("rmse_scaled", "RMSE scaled"),
    ("mae_scaled", "MAE scaled"),
    ("rmse", "RMSE"),
    ("mae", "MAE"),
    ("smape_percent", "sMAPE %"),
    ("mase", "MASE"),
    ("directional_accuracy", "dir. acc."),
    ("skill", "skill"),
)
COST = (
    ("parameters", "parameters"),
    ("train_loss", "train loss"),
    ("validation_loss", "val. loss"),
    ("first_step_s", "first step s"),
    ("epoch_s", "s/epoch"),
    ("sequences_per_s", "windows/s"),
    ("total_s", "total s"),
    ("epochs", "epochs"),
    ("steady_s", "trained s"),
    ("gpu_mb", "GPU MB"),
)
# Columns whose figures are marked where trials shared a machine.
TIMED = ("first_step_s", "epoch_s", "sequences_per_s", "total_s", "steady_s")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One forecaster of a table: an arm, a baseline or a series.

    Attributes:
        name: Its whole name.
        cell: The cell of an arm, else the name.
        settings: What tells an arm from others, by key.
        seeds: The seeds of an arm's runs; none for what is not trained.
        values: Its figures by the key of their column, one for each seed.
        shared: Whether its trials shared a machine while they were timed.
    """

    name: str
    cell: str
    settings: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    values: Mapping[str, Sequence[float | None]]
    shared: bool = False


def values(run: Run) -> dict[str, float | None]:
    """Every number of a run that tables show, by its column."""
    metrics, timing, training = run.metrics, run.metrics.timing, run.experiment.training
    gpu = metrics.size.peak_gpu_memory_bytes
    return {
        **metrics.test.overall,
        "parameters": metrics.parameters.trainable,
        "train_loss": metrics.loss.train,
        "validation_loss": metrics.loss.validation,
        # Shown only where the spec does not say them: it stands above the table.
        "epochs": metrics.loss.epochs if training.patience or training.seconds else None,
        "steady_s": timing.train_s - timing.first_step_s if training.seconds else None,
        "total_s": None if training.seconds else timing.total_s,
        "first_step_s": timing.first_step_s,
        "epoch_s": timing.epoch_s,
        "sequences_per_s": timing.sequences_per_s,
        "gpu_mb": gpu / 1e6 if gpu else None,
        **asdict(metrics.size),
    }


def arm_row(arm: Arm, runs: Sequence[Run]) -> Row:
    """Make the row of an arm: for each column the values of its seeds."""
    per_seed = [values(run) for run in runs]
    return Row(
        name=arm.name,
        cell=arm.cell,
        settings=arm.settings,
        seeds=tuple(run.experiment.seed for run in runs),
        values={key: [figures[key] for figures in per_seed] for key in per_seed[0]},
        shared=any(run.environment.shared for run in runs),
    )


def measure_row(name: str, measures: Mapping[str, float | None]) -> Row:
    """Make the row of what has one figure a column, such as a baseline or a series."""
    return Row(name=name, cell=name, values={key: [value] for key, value in measures.items()})


def rows(comparison: Comparison) -> list[Row]:
    """Make a row for each arm and each baseline."""
    arms = [arm_row(arm, runs) for arm, runs in comparison.arms.items()]
    baselines = comparison.runs[0].metrics.baselines.items()
    return arms + [measure_row(name, baseline.overall) for name, baseline in baselines]


def settings(comparison: Comparison) -> str:
    """One line of what the arms share."""
    run, spec = comparison.runs[0], comparison.spec
    training, window = spec.training, spec.window
    data = run.metrics.data
    seeds = sorted({one.experiment.seed for one in comparison.runs})
    unbroken = len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1
    span = f"seeds {seeds[0]}-{seeds[-1]}" if unbroken else f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    units = " and ".join(dict.fromkeys(_units(one.experiment) for one in comparison.runs))
    shape = (
        f"{window.lookback} steps in, next at every step"
        if window.every_step
        else f"{window.lookback} steps in, {window.horizon} out"
    )
    parts = [
        f"{spec.data_name}: {shape}",
        f"{data.windows.train:,} windows to train on{_trained_on(spec)}, {data.windows.test:,} to test",
        f"{units} units",
        f"{training.optimizer} {training.learning_rate:g}, {training.loss}",
        f"{_length(spec)} of batch {training.batch_size}",
        span,
    ]
    differing = find_differing_settings(list(comparison.specs.values()))
    return " · ".join(parts + _unusual(spec, differing))


def _length(spec: Experiment) -> str:
    seconds = spec.training.seconds
    return f"{seconds:g} s of training each, in steps" if seconds else count_epochs(spec.training.epochs)


def _trained_on(spec: Experiment) -> str:
    names = spec.data.train_series
    return f" ({names[0] if len(names) == 1 else f'{len(names)} series'})" if names else ""


def _units(spec: Experiment) -> str:
    return ",".join(str(layer.units) for layer in spec.model.stack)


# Settings that the line has in its own words, or that say where the data come from.
NAMED = {
    "data": (
        "dataset",
        "file",
        "time",
        "time_format",
        "target",
        "train_series",
        "test_series",
        "period",
        "unit",
        "series_column",
    ),
    "window": ("lookback", "horizon", "every_step"),
    "model": ("layers",),
    "training": (
        "optimizer",
        "learning_rate",
        "loss",
        "epochs",
        "seconds",
        "batch_size",
        "shuffle",
        "kernel",
        "backend",
    ),
}


def _unusual(spec: Experiment, differing: Sequence[str]) -> list[str]:
    """The settings that are not the defaults, not named before, and not what the arms differ in."""
    found = []
    for name, named in NAMED.items():
        section = getattr(spec, name)
        for setting in fields(section):
            value = getattr(section, setting.name)
            items = value if isinstance(value, tuple) else (value,)
            usual = setting.default if isinstance(setting.default, tuple) else (setting.default,)
            said = setting.name in named or f"{name}.{setting.name}" in differing
            if not said and set(items) != set(usual):
                short = tuple(dict.fromkeys(items)) if len(set(items)) == 1 else items
                found.append(f"{setting.name.replace('_', ' ')} {format_value(short)}")
    return found


def numbers(row: Row, key: str) -> list[float]:
    """The finite values of a column."""
    return [value for value in row.values.get(key, []) if value is not None and math.isfinite(value)]


def shown_columns(table_rows: Sequence[Row], columns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The columns in which any row has a number."""
    return [(key, head) for key, head in columns if any(numbers(row, key) for row in table_rows)]


def cell(row: Row, key: str, joint: str) -> str:
    """The mean over the seeds and, behind `joint`, their standard deviation, to the digits that it leaves sure."""
    figures = numbers(row, key)
    if not figures:
        return NONE
    mark = MARK if key in TIMED and row.shared else ""
    mean, spread = mean_and_spread(figures)
    if not spread > 0:
        return number(mean) + mark
    if abs(mean) < SMALLEST:
        return f"{mean:.2e}{joint}{spread:.0e}{mark}"
    decimals = max(0, min(_decimals(mean), 1 - math.floor(math.log10(spread))))
    shown = f"{spread:,.{decimals}f}"
    return f"{mean:,.{decimals}f}{joint}{shown if float(shown.replace(',', '')) else f'{spread:.0e}'}{mark}"


def _decimals(value: float) -> int:
    """Decimals that show four significant digits."""
    return max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0


def number(value: float | None) -> str:
    """A number with four significant digits; a whole one in full."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == int(value) and (abs(value) >= 1 or value == 0):
        return f"{int(value):,}"
    return f"{value:,.{_decimals(value)}f}" if abs(value) >= SMALLEST else f"{value:.2e}"
