"""The lines that stand between the settings and the tables: what ran the recurrence, and what a reader has to know."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from grubench.comparison.timing import find_timed_apart
from grubench.spec.arms import name_cells
from grubench.spec.backends import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.runs.records import Environment, LayerKernel
    from grubench.runs.run import Run

# What stands at a time that was taken on a shared machine.
MARK = "*"
# What stands at a time that was not taken in turns with those beside it.
APART = "\N{DAGGER}"


def write_header(comparison: Comparison) -> list[str]:
    """Write the lines: what ran the recurrence, missing timestamps, empty cells, a shared machine, resumed trials."""
    described = {
        "Timestamps": describe_timestamps(comparison.runs[0]),
        "Empty cells": describe_empty_cells(comparison.runs[0]),
        "Filled": describe_filled(comparison.runs[0]),
    }
    lines = (
        *write_kernel_lines(comparison),
        *(f"{heading}: {text}" for heading, text in described.items() if text),
        _write_shared(comparison.runs),
        _write_apart(comparison),
        _write_resumed(comparison.runs),
    )
    return [line for line in lines if line]


def describe_timestamps(run: Run) -> str:
    """The timestamps that were repeated or missing, and what was done about it; empty where none was."""
    series, rules = run.metrics.data.series.values(), run.experiment.data
    repeated, missing = sum(item.duplicated for item in series), sum(item.missing for item in series)
    parts = []
    if repeated:
        parts.append(f"{repeated:,} rows repeat the timestamp before (--duplicates {rules.duplicates})")
    if missing:
        parts.append(f"{missing:,} timestamps missing (--gaps {rules.gaps})")
    return ", ".join(parts)


def describe_empty_cells(run: Run) -> str:
    """The cells that were empty, and the rows left out because of them; empty where none was."""
    series, rule = run.metrics.data.series.values(), run.experiment.data.missing
    empty, dropped = sum(item.empty for item in series), sum(item.dropped for item in series)
    text = f"{empty:,} (--missing {rule})" if empty else ""
    return f"{text}, {dropped:,} rows with one left out" if dropped else text


def describe_filled(run: Run) -> str:
    """The targets that were filled; empty where none was."""
    filled = sum(item.filled for item in run.metrics.data.series.values())
    if not filled:
        return ""
    rows = sum(item.rows for item in run.metrics.data.series.values())
    return f"{filled:,} of {rows:,} targets have the value before them, and no forecast is measured by them"


def write_kernel_lines(comparison: Comparison) -> list[str]:
    """Write what ran the recurrence: a line for all arms, or for those that it is the same for, with their names."""
    names: dict[str, list[str]] = {}
    for arm, runs in comparison.arms.items():
        names.setdefault(describe_kernels([run.environment for run in runs]), []).append(arm.name)
    return list(names) if len(names) == 1 else [f"{', '.join(names[line])}: {line}" for line in names]


def describe_kernels(environments: Sequence[Environment]) -> str:
    """What ran the recurrence, on which device, and why it was not cuDNN; each reason once."""
    kernels = [kernel for environment in environments for kernel in environment.kernels]
    devices = ", ".join(dict.fromkeys(device for environment in environments for device in environment.devices))
    backends = " and ".join(dict.fromkeys(_title(environment.backend) for environment in environments))
    precisions = list(dict.fromkeys(environment.precision for environment in environments))
    precision = "" if precisions == ["float32"] else f" in {' and '.join(precisions)}"
    replicas = " and ".join(sorted({str(environment.replicas) for environment in environments}))
    replicated = f", {replicas} replicas that share each batch" if replicas != "1" else ""
    compiled = ", jit_compile on" if any(environment.jit_compile for environment in environments) else ""
    reasons = _explain_kernel(kernels, "fused" if devices == "CPU" else "cuDNN")
    return f"{backends} on {devices}{precision}{replicated}, kernel {_name_kernels(kernels)}{compiled}{reasons}"


def _name_kernels(kernels: Sequence[LayerKernel]) -> str:
    """The kernel where all layers have the same, else each layer's."""
    names = sorted({kernel.kernel for kernel in kernels})
    layers = dict.fromkeys(f"{kernel.kernel} ({kernel.layer})" for kernel in kernels)
    return names[0] if len(names) == 1 else ", ".join(layers)


def _explain_kernel(kernels: Sequence[LayerKernel], wanted: str) -> str:
    """Why Keras's loop ran, and not the kernel that is wanted; empty where it did not."""
    slow = [kernel for kernel in kernels if kernel.kernel not in ("cudnn", "fused")]
    of_each = [kernel.fused_reasons if wanted == "fused" else kernel.reasons for kernel in slow]
    reasons = dict.fromkeys(chain.from_iterable(of_each))
    return f" (not {wanted}: {'; '.join(reasons)})" if reasons else ""


def _title(backend: str) -> str:
    return BACKENDS[backend].title if backend in BACKENDS else backend


def _write_shared(runs: Sequence[Run]) -> str:
    """What the mark at a time means; empty where none is marked."""
    reasons = "; ".join(dict.fromkeys(run.environment.shared for run in runs if run.environment.shared))
    return f"{MARK} Timed {reasons}" if reasons else ""


def _write_apart(comparison: Comparison) -> str:
    """What the mark at a time means that was not taken in turns with the others; empty where none is marked."""
    if not find_timed_apart(comparison):
        return ""
    return f"{APART} Of several calls: ratios of times are of trials of one call alone; --fresh trains all in one"


def _write_resumed(runs: Sequence[Run]) -> str:
    """Name the trials that were resumed from a checkpoint; empty where none was."""
    names = [f"{name_cells(run.experiment)} seed {run.experiment.seed}" for run in runs if describe_resumption(run)]
    if not names:
        return ""
    return f"Resumed from a checkpoint: {', '.join(names)}; the epoch after it is left out of the times"


def describe_resumption(run: Run) -> str:
    """After which epochs a trial was resumed from a checkpoint, in words; empty where it was never stopped."""
    epochs = run.metrics.timing.resumed_after_epochs
    return f"resumed after epoch {' and '.join(map(str, epochs))}" if epochs else ""
