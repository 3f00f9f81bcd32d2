"""The lines that stand between the settings and the tables: what ran the recurrence, and what a reader has to know."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from grubench.spec.backends import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.comparison import Comparison
    from grubench.runs.records import Environment, LayerKernel
    from grubench.runs.run import Run

# What stands at a time that was taken on a shared machine.
MARK = "*"


def clock_line(run: Run) -> str:
    """What the clock did to the data and what was done about it; empty where it did nothing."""
    series = run.metrics.data.series.values()
    rules = run.experiment.data
    duplicated, missing = sum(one.duplicated for one in series), sum(one.missing for one in series)
    parts = [f"{duplicated:,} rows repeat the stamp before (--duplicates {rules.duplicates})"] * bool(duplicated)
    parts += [f"{missing:,} stamps missing (--gaps {rules.gaps})"] * bool(missing)
    return f"Clock: {', '.join(parts)}" if parts else ""


def kernel_lines(comparison: Comparison) -> list[str]:
    """What ran the recurrence: a line for all arms, or for those that it is the same for, with their names."""
    arms = {arm.name: kernel_line([run.environment for run in runs]) for arm, runs in comparison.arms.items()}
    lines = dict.fromkeys(arms.values())
    if len(lines) == 1:
        return list(lines)
    return [f"{', '.join(name for name, one in arms.items() if one == line)}: {line}" for line in lines]


def kernel_line(environments: Sequence[Environment]) -> str:
    """One line of what ran the recurrence, on which device, and why it was not cuDNN; each reason once."""
    kernels = [kernel for one in environments for kernel in one.kernels]
    devices = ", ".join(dict.fromkeys(device for one in environments for device in one.devices))
    replicas = " and ".join(sorted({str(one.replicas) for one in environments}))
    spread = f", {replicas} replicas that share each batch" if replicas != "1" else ""
    engines = " and ".join(dict.fromkeys(_title(one.backend) for one in environments))
    compiled = ", jit_compile on" * any(one.jit_compile for one in environments)
    told = _why_not(kernels, "fused" if devices == "CPU" else "cuDNN")
    precisions = dict.fromkeys(one.precision for one in environments)
    numbers = "" if list(precisions) == ["float32"] else f" in {' and '.join(precisions)}"
    return f"{engines} on {devices}{numbers}{spread}, kernel {_names(kernels)}{compiled}{told}"


def _names(kernels: Sequence[LayerKernel]) -> str:
    """The kernel where all layers have the same, else each layer's."""
    names = sorted({kernel.kernel for kernel in kernels})
    layers = dict.fromkeys(f"{kernel.kernel} ({kernel.layer})" for kernel in kernels)
    return names[0] if len(names) == 1 else ", ".join(layers)


def _why_not(kernels: Sequence[LayerKernel], name: str) -> str:
    slow = [kernel for kernel in kernels if kernel.kernel not in ("cudnn", "fused")]
    every = [kernel.fused_reasons if name == "fused" else kernel.reasons for kernel in slow]
    reasons = dict.fromkeys(chain.from_iterable(every))
    return f" (not {name}: {'; '.join(reasons)})" if reasons else ""


def _title(backend: str) -> str:
    return BACKENDS[backend].title if backend in BACKENDS else backend


def facts(comparison: Comparison) -> list[str]:
    """The lines that stand below the settings: what ran the recurrence, and what the clock did, if anything."""
    lines = (
        *kernel_lines(comparison),
        clock_line(comparison.runs[0]),
        _shared_line(comparison.runs),
        _resumed_line(comparison.runs),
    )
    return [line for line in lines if line]


def _shared_line(runs: Sequence[Run]) -> str:
    """What the mark at a time means; empty where none is marked."""
    why = "; ".join(dict.fromkeys(run.environment.shared for run in runs if run.environment.shared))
    return f"{MARK} Timed {why}" if why else ""


def _resumed_line(runs: Sequence[Run]) -> str:
    """The trials that were stopped and went on from a checkpoint; empty where none was."""
    named = [f"{run.experiment.model.cell.upper()} seed {run.experiment.seed}" for run in runs if resumed(run)]
    said = f"Went on from a checkpoint: {', '.join(named)}; the epoch after it is left out of the times"
    return said if named else ""


def resumed(run: Run) -> str:
    """After which epochs a trial went on from a checkpoint, in words; empty where it was never stopped."""
    epochs = run.metrics.timing.resumed_after_epochs
    return f"resumed after epoch {' and '.join(map(str, epochs))}" if epochs else ""
