"""One trial: data, windows, model, fit, evaluation, run folder."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from grubench import datasets, environment, evaluation, files, models, runs
from grubench import windows as cutting
from grubench.checkpoints import Checkpoint
from grubench.claims import os_errors
from grubench.engine import ENGINE, IMPORT_S, keras
from grubench.fitting import fit, forecast
from grubench.setup import Setup

if TYPE_CHECKING:
    from pathlib import Path

    from grubench.experiment import Experiment
    from grubench.recorder import Recorder, Report
    from grubench.series import Dataset
    from grubench.windows import Windows


def run_trial(
    spec: Experiment, folder: Path, report: Report, *, setup: Setup | None = None, dataset: Dataset | None = None
) -> None:
    """Train one trial and fill its run folder.

    Args:
        spec: The spec.
        folder: The folder to make and fill; it has its name once it is whole, which is the caller's to give.
        report: Called with dictionaries of progress: `kind` is `stage`, `step` or `epoch`.
        setup: How it is run.
        dataset: Its data, where they are read already.

    Raises:
        UsageError: The spec does not fit the data, or asks for a kernel that cannot be had.
        DataError: The data cannot be used.
        TrainingError: The loss is no number, or memory ran out.
        RunError: The run cannot be written.
    """
    setup = setup or Setup()
    clock = Clock()
    ENGINE.set_threads(setup.threads or spec.training.threads)
    ENGINE.start()
    models.check(spec)
    if any(kernel.kernel == "fused" for kernel in models.kernels(spec)):
        from grubench.kernels.layer import one_at_a_time

        one_at_a_time()
    keras.utils.set_random_seed(spec.seed)
    report({"kind": "stage", "text": "reading the data"})
    dataset = dataset or datasets.load(spec.data, spec.data_name)
    windows = cutting.build(dataset, spec)
    clock.lap("data_s")
    model = models.build(spec, windows.lookback, windows.feature, windows.outputs, setup.threads)
    ran = models.kernels_that_run(model, spec)
    clock.lap("build_s")
    machine = environment.machine(spec.training.backend) | _cards(setup)
    identity = {"digest": spec.digest, "data": dataset.fingerprint(), "machine": machine}
    checkpoint = Checkpoint(setup.checkpoint, setup.every, identity, clock.began)
    recorder, kept = fit(model, windows, spec, report, checkpoint)
    clock.lap("fit_s")
    clock.laps["fit_s"] += checkpoint.earlier_s
    report({"kind": "stage", "text": "forecasting the test part"})
    predicted = forecast(model, windows, windows.index("test"), spec)
    clock.lap("predict_s")
    test, base = evaluation.evaluate_all(predicted, windows, dataset, spec.data.period)
    clock.lap("evaluate_s")
    with os_errors(folder.parent):
        folder.mkdir(parents=True)
        model.save(folder / "model.keras")
        clock.lap("save_s")
        total_s = clock.total_s() + checkpoint.earlier_s
        metrics = {
            "schema": runs.SCHEMA,
            "digest": spec.digest,
            "data": _data_record(dataset, windows),
            "parameters": _parameters(model),
            "loss": _losses(recorder, kept),
            "test": test,
            "baselines": base,
            "timing": {"import_s": IMPORT_S} | clock.laps | recorder.timing() | {"total_s": total_s},
            "size": {
                "model_bytes": (folder / "model.keras").stat().st_size,
                "peak_memory_bytes": environment.peak_memory_bytes(),
                "peak_gpu_memory_bytes": ENGINE.peak_memory_bytes(),
            },
        }
        where = environment.describe(spec.training.backend) | _cards(setup) | _ran_on(model, spec, setup, ran)
        _write(folder, spec, metrics=metrics, where=where, recorder=recorder, windows=windows)
        rows = evaluation.csv_text(evaluation.forecast_rows(dataset, windows, predicted))
        (folder / "predictions.csv").write_text(rows, encoding="utf-8")


def check_trial(spec: Experiment) -> None:
    """See whether a trial could run in this process, without training.

    Raises:
        UsageError: It asks for what this machine or its backend cannot give.
    """
    models.check(spec)


class Clock:
    """Seconds of the stages of a trial, one after the other."""

    def __init__(self) -> None:
        self.began = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Write down the seconds since the lap before."""
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now

    def total_s(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.began


def _data_record(dataset: Dataset, windows: Windows) -> dict[str, Any]:
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


def _cards(setup: Setup) -> dict[str, Any]:
    """The cards of the whole comparison, where the trial has one of them for itself and sees no other."""
    return {"cards": list(setup.cards)} if setup.card else {}


def _ran_on(model: keras.Model, spec: Experiment, setup: Setup, ran: list[models.LayerKernel]) -> dict[str, Any]:
    """What environment.json says of a trial beside its machine: devices, threads, and the kernels that ran."""
    return {
        "backend": ENGINE.name,
        "devices": ENGINE.gpus() or ["CPU"],
        "threads": setup.threads or spec.training.threads or "all",
        "shared": setup.shared,
        "replicas": ENGINE.replicas(model),
        "jit_compile": bool(model.jit_compile),
        "precision": spec.training.precision,
        "kernels": [asdict(kernel) for kernel in ran],
    }


def _write(
    folder: Path,
    spec: Experiment,
    *,
    metrics: dict[str, Any],
    where: dict[str, Any],
    recorder: Recorder,
    windows: Windows,
) -> None:
    (folder / "experiment.toml").write_text(spec.to_toml(), encoding="utf-8")
    files.write_json(folder / "metrics.json", metrics)
    files.write_json(folder / "environment.json", where)
    scalings = {name: scaling.to_dict() for name, scaling in windows.scalings.items()}
    files.write_json(folder / "scaling.json", {"kind": spec.window.scaling, "series": scalings})
    files.write_csv(folder / "history.csv", recorder.epochs)
