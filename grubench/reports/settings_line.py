"""The first line above the tables: what all arms share."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from grubench.spec.arms import find_differing_settings, format_value
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.spec.experiment import Experiment

# Settings that the line has in its own words, or that say where the data come from.
WORDED = {
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


def write_settings(comparison: Comparison) -> str:
    """Write in one line what the arms share."""
    spec, windows = comparison.spec, comparison.runs[0].metrics.data.windows
    training, window = spec.training, spec.window
    units = " and ".join(dict.fromkeys(_list_units(run.experiment) for run in comparison.runs))
    out = "next at every step" if window.every_step else f"{window.horizon} out"
    parts = [
        f"{spec.data_name}: {window.lookback} steps in, {out}",
        f"season of {count(spec.data.season, 'step')}" if spec.data.season > 1 else "no season",
        f"{windows.train:,} windows to train on{_name_train_series(spec)}, {windows.test:,} to test",
        f"{units} units",
        f"{training.optimizer} {training.learning_rate:g}, {training.loss}",
        f"{_write_length(spec)} of batch {training.batch_size}",
        _write_seeds(comparison),
    ]
    differing = find_differing_settings(list(comparison.specs.values()))
    return " · ".join(parts + _list_unusual(spec, differing))


def _write_seeds(comparison: Comparison) -> str:
    seeds = sorted({run.experiment.seed for run in comparison.runs})
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    unbroken = len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1
    return f"seeds {seeds[0]}-{seeds[-1]}" if unbroken else f"seeds {', '.join(map(str, seeds))}"


def _write_length(spec: Experiment) -> str:
    seconds = spec.training.seconds
    return f"{seconds:g} s of training each, in steps" if seconds else count(spec.training.epochs, "epoch")


def _name_train_series(spec: Experiment) -> str:
    names = spec.data.train_series
    return f" ({names[0] if len(names) == 1 else f'{len(names)} series'})" if names else ""


def _list_units(spec: Experiment) -> str:
    return ",".join(str(layer.units) for layer in spec.model.stack)


def _list_unusual(spec: Experiment, differing: Sequence[str]) -> list[str]:
    """The settings that are not the defaults, not in words before, and not what the arms differ in."""
    unusual = []
    for name, worded in WORDED.items():
        section = getattr(spec, name)
        for setting in fields(section):
            value = getattr(section, setting.name)
            items = value if isinstance(value, tuple) else (value,)
            default = setting.default if isinstance(setting.default, tuple) else (setting.default,)
            is_stated = setting.name in worded or f"{name}.{setting.name}" in differing
            if not is_stated and set(items) != set(default):
                short = tuple(dict.fromkeys(items)) if len(set(items)) == 1 else items
                unusual.append(f"{setting.name.replace('_', ' ')} {format_value(short)}")
    return unusual
