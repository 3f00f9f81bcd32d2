"""The first line above the tables: what all arms share."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from grubench.spec.arms import find_differing_settings, format_value, vary_in_units
from grubench.text import count, write_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Training

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
    differing = find_differing_settings(list(comparison.specs.values()))
    out = "next at every step" if window.every_step else f"{window.horizon} out"
    parts = [
        f"{spec.data_name}: {window.lookback} steps in, {out}",
        *([] if "data.period" in differing else [_write_season(spec)]),
        f"{windows.train:,} windows to train on{_name_train_series(spec)}, {windows.test:,} to test",
        _write_units(comparison),
        _write_training(training, differing),
        _write_length(training, differing),
        _write_seeds(comparison),
        *_list_unusual(spec, differing),
    ]
    return " · ".join(part for part in parts if part)


def _write_units(comparison: Comparison) -> str:
    """The units of the stacks, of each cell where they differ; empty where the arms are named by them."""
    specs = [run.experiment for run in comparison.runs]
    units = " and ".join(dict.fromkeys(map(_list_units, specs)))
    return "" if vary_in_units(specs) else f"{units} units"


def _write_season(spec: Experiment) -> str:
    return f"season of {count(spec.data.season, 'step')}" if spec.data.season > 1 else "no season"


def _write_training(training: Training, differing: Sequence[str]) -> str:
    """Optimizer, learning rate and loss, without those that differ between the arms: `adam 0.001, mse`."""
    texts = {
        "optimizer": training.optimizer,
        "learning_rate": f"{training.learning_rate:g}",
        "loss": training.loss,
    }
    shared = {key: text for key, text in texts.items() if f"training.{key}" not in differing}
    if "learning_rate" in shared and "optimizer" not in shared:
        shared["learning_rate"] = f"learning rate {shared['learning_rate']}"
    joint = " ".join(shared[key] for key in ("optimizer", "learning_rate") if key in shared)
    return ", ".join(text for text in (joint, shared.get("loss", "")) if text)


def _write_length(training: Training, differing: Sequence[str]) -> str:
    """How long each arm trains, and its batches, without what differs between the arms: `6 epochs of batch 32`."""
    length = f"{training.seconds:g} s of training each, in steps" if training.seconds else ""
    if not length and "training.epochs" not in differing:
        length = count(training.epochs, "epoch")
    parts = [
        "" if "training.seconds" in differing else length,
        "" if "training.batch_size" in differing else f"batch {training.batch_size}",
    ]
    return " of ".join(part for part in parts if part)


def _write_seeds(comparison: Comparison) -> str:
    seeds = sorted({run.experiment.seed for run in comparison.runs})
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {write_numbers(seeds)}"


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
