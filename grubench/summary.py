"""From a comparison to the numbers that every view shows: rows, columns, and how a number is written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from grubench.statistics import mean_and_spread

if TYPE_CHECKING:
    from grubench.comparison import Comparison
    from grubench.runs import Run

Row = dict[str, Any]
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
    ("epoch_s", "s an epoch"),
    ("sequences_per_s", "windows/s"),
    ("total_s", "total s"),
)


def values(run: Run) -> dict[str, float | None]:
    """Every number of a run that tables show, by its column."""
    metrics = run.metrics
    return {
        **metrics["test"]["overall"],
        "parameters": metrics["parameters"]["trainable"],
        "train_loss": metrics["loss"]["train"],
        "validation_loss": metrics["loss"]["validation"],
        "epochs": metrics["loss"]["epochs"],
        **{key: metrics["timing"][key] for key in ("first_step_s", "epoch_s", "sequences_per_s", "total_s")},
        **metrics["size"],
    }


def rows(comparison: Comparison) -> list[Row]:
    """A row an arm and a row a baseline: for each column the values of the seeds, their mean and spread."""
    found = []
    for name, runs in comparison.arms.items():
        if runs:
            per_seed = [values(run) for run in runs]
            columns = {key: [one[key] for one in per_seed] for key in per_seed[0]}
            found.append({"arm": name, "seeds": [run.experiment.seed for run in runs], "columns": columns})
    for name, measures in comparison.runs[0].metrics["baselines"].items():
        overall = dict(measures["overall"])
        if name != "persistence":
            reference = comparison.runs[0].metrics["baselines"]["persistence"]["overall"]["rmse_scaled"]
            overall["skill"] = 1 - overall["rmse_scaled"] / reference if reference else None
        found.append({"arm": name, "seeds": [], "columns": {key: [value] for key, value in overall.items()}})
    return found


def settings(comparison: Comparison) -> str:
    """One line of what the arms share."""
    run, spec = comparison.runs[0], comparison.spec
    training, window = spec.training, spec.window
    data = run.metrics["data"]
    seeds = sorted({one.experiment.seed for one in comparison.runs})
    span = f"seeds {seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    kernels = {kernel["kernel"] for one in comparison.runs for kernel in one.environment["kernels"]}
    units = ",".join(str(layer.units) for layer in spec.model.stack)
    shape = (
        f"{window.lookback} steps in, next at every step"
        if window.every_step
        else f"{window.lookback} steps in, {window.horizon} out"
    )
    clip = f" clipnorm {training.clipnorm:g}" if training.clipnorm else ""
    parts = [
        f"{spec.data_name}: {shape}",
        f"{data['windows']['train']:,} windows to train on, {data['windows']['test']:,} to test",
        f"{units} units",
        f"{training.optimizer} {training.learning_rate:g}{clip}, {training.loss}",
        f"{training.epochs} epochs of batch {training.batch_size}",
        span,
        f"{run.environment['devices'][0]}, kernel {' and '.join(sorted(kernels))}",
    ]
    return " · ".join(parts)


def numbers(row: Row, key: str) -> list[float]:
    """The finite values of a column."""
    return [value for value in row["columns"].get(key, []) if value is not None and math.isfinite(value)]


def cell(row: Row, key: str, joint: str) -> str:
    """The mean over the seeds and, behind `joint`, their standard deviation, to the digits that it leaves sure."""
    found = numbers(row, key)
    if not found:
        return NONE
    mean, spread = mean_and_spread(found)
    if key == "parameters" or not spread > 0:
        return number(mean)
    if abs(mean) < SMALLEST:
        return f"{mean:.2e}{joint}{spread:.0e}"
    decimals = max(0, min(_decimals(mean), 1 - math.floor(math.log10(spread))))
    shown = f"{spread:,.{decimals}f}"
    return f"{mean:,.{decimals}f}{joint}{shown if float(shown.replace(',', '')) else f'{spread:.0e}'}"


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
