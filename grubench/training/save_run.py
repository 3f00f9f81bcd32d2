"""A trained trial as a run folder: what was measured, where it ran, the model, the forecasts."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from grubench.backends import machine
from grubench.backends.keras import BACKEND, IMPORT_S, keras
from grubench.runs import files, run
from grubench.runs.locks import os_errors
from grubench.training import evaluate

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from grubench.data.series import Dataset
    from grubench.data.windows import Windows
    from grubench.spec.experiment import Experiment
    from grubench.training.callbacks import Recorder
    from grubench.training.model import LayerKernel
    from grubench.training.options import TrialOptions


class Clock:
    """Seconds of the stages of a trial, one after the other."""

    def __init__(self) -> None:
        self.began = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}
        self._added = 0.0

    def lap(self, name: str) -> None:
        """Write down the seconds since the lap before."""
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now

    def add(self, name: str, seconds: float) -> None:
        """Add the seconds that an earlier process spent on a stage."""
        self.laps[name] += seconds
        self._added += seconds

    def total_s(self) -> float:
        """Seconds since the beginning, and those that were added."""
        return time.perf_counter() - self.began + self._added


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trial that is trained and measured.

    Attributes:
        spec: The spec.
        options: How it was run.
        dataset: Its data.
        windows: Its windows.
        model: The model, with the weights that are kept.
        kernels: What ran each recurrent layer.
        recorder: What was recorded of the fit.
        kept: The epoch (from 0) whose weights are kept.
        predicted: The scaled forecasts of the test part.
        measures: Those of the forecasts and of the baselines, as `evaluation.evaluate_all` gives them.
    """

    spec: Experiment
    options: TrialOptions
    dataset: Dataset
    windows: Windows
    model: keras.Model
    kernels: list[LayerKernel]
    recorder: Recorder
    kept: int
    predicted: NDArray[np.float32]
    measures: tuple[dict[str, Any], dict[str, dict[str, Any]]]


def save(folder: Path, trained: Trained, clock: Clock) -> None:
    """Fill a run folder.

    Args:
        folder: The folder; it is not there yet.
        trained: The trial.
        clock: Its times; saving the model is the last of its stages.

    Raises:
        RunError: It cannot be written.
    """
    spec, windows = trained.spec, trained.windows
    with os_errors(folder.parent):
        folder.mkdir(parents=True)
        trained.model.save(folder / "model.keras")
        clock.lap("save_s")
        metrics = _metrics(trained, clock, (folder / "model.keras").stat().st_size)
        (folder / "experiment.toml").write_text(spec.to_toml(), encoding="utf-8")
        files.write_json(folder / "metrics.json", metrics)
        files.write_json(folder / "environment.json", _environment(trained))
        scalings = {name: scaling.to_dict() for name, scaling in windows.scalings.items()}
        files.write_json(folder / "scaling.json", {"kind": spec.window.scaling, "series": scalings})
        files.write_csv(folder / "history.csv", trained.recorder.epochs)
        rows = evaluate.csv_text(evaluate.forecast_rows(trained.dataset, windows, trained.predicted))
        (folder / "predictions.csv").write_text(rows, encoding="utf-8")


def _metrics(trained: Trained, clock: Clock, model_bytes: int) -> dict[str, Any]:
    """What metrics.json holds."""
    test, baselines = trained.measures
    total_s = clock.total_s()
    return {
        "schema": run.SCHEMA,
        "digest": trained.spec.digest,
        "data": _data(trained.dataset, trained.windows),
        "parameters": _parameters(trained.model),
        "loss": _losses(trained.recorder, trained.kept),
        "test": test,
        "baselines": baselines,
        "timing": {"import_s": IMPORT_S} | clock.laps | trained.recorder.timing() | {"total_s": total_s},
        "size": {
            "model_bytes": model_bytes,
            "peak_memory_bytes": machine.peak_memory_bytes(),
            "peak_gpu_memory_bytes": BACKEND.peak_memory_bytes(),
        },
    }


def _environment(trained: Trained) -> dict[str, Any]:
    """What environment.json holds: the machine, devices, threads, and the kernels that ran."""
    training, options = trained.spec.training, trained.options
    return (
        machine.describe(training.backend)
        | options.seen_cards
        | {
            "backend": BACKEND.name,
            "devices": BACKEND.gpus() or ["CPU"],
            "threads": options.threads or training.threads or "all",
            "shared": options.shared,
            "replicas": BACKEND.replicas(trained.model),
            "jit_compile": bool(trained.model.jit_compile),
            "precision": training.precision,
            "kernels": [asdict(kernel) for kernel in trained.kernels],
        }
    )


def _data(dataset: Dataset, windows: Windows) -> dict[str, Any]:
    return {
        "fingerprint": dataset.fingerprint(),
        "unit": dataset.unit,
        "windows": {part: windows.count(part) for part in windows.starts},
        "series": {
            series.name: {"rows": len(series), "duplicated": series.duplicated, "missing": series.missing}
            for series in dataset.series
        },
    }


def _parameters(model: keras.Model) -> dict[str, int]:
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return {"trainable": trainable, "total": int(model.count_params())}


def _losses(recorder: Recorder, kept: int) -> dict[str, Any]:
    """The losses of the weights that are saved, the epochs that were run, and the best of them."""
    rows = recorder.epochs
    monitored = "val_loss" if "val_loss" in rows[-1] else "loss"
    best = min(range(len(rows)), key=lambda epoch: rows[epoch][monitored])
    return {
        "train": rows[kept]["loss"],
        "validation": rows[kept].get("val_loss"),
        "epochs": len(rows),
        "kept_epoch": kept + 1,
        "best_epoch": best + 1,
        "time_to_best_s": sum(row["seconds"] for row in rows[: best + 1]),
    }
