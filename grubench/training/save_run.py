"""Writes a trained trial as a run folder: metrics, environment, model, forecasts."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
from msgspec import convert
from msgspec.structs import asdict, replace

from grubench.backends import machine, private_api
from grubench.backends.loader import backend, import_s
from grubench.runs import files
from grubench.runs.predictions import format_csv
from grubench.runs.records import (
    SCHEMA,
    DataSummary,
    Environment,
    Evaluation,
    LayerKernel,
    Losses,
    Metrics,
    Parameters,
    Scalings,
    SeriesScaling,
    SeriesSummary,
    Size,
    Timing,
    WindowCounts,
)
from grubench.training import evaluate
from grubench.training.kernel_check import is_fused

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from grubench.data.series import Dataset
    from grubench.data.windows import Windows
    from grubench.spec.experiment import Experiment
    from grubench.training.fit_record import FitRecord
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
    """A trial that is trained and evaluated.

    Attributes:
        spec: The spec.
        options: How it was run.
        dataset: Its data.
        windows: Its windows.
        model: The model, with the weights to save.
        kernels: What ran each recurrent layer.
        record: The history and the times of the fit.
        kept_epoch: The epoch (from 0) whose weights those are.
        predicted: The scaled forecasts of the test part.
        test: The scores of the model.
        baselines: The scores of the baselines, by name.
    """

    spec: Experiment
    options: TrialOptions
    dataset: Dataset
    windows: Windows
    model: keras.Model
    kernels: list[LayerKernel]
    record: FitRecord
    kept_epoch: int
    predicted: NDArray[np.float32]
    test: Evaluation
    baselines: dict[str, Evaluation]


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
    with files.os_errors(folder.parent):
        folder.mkdir(parents=True)
        trained.model.save(folder / "model.keras")
        clock.lap("save_s")
        metrics = _metrics(trained, clock, (folder / "model.keras").stat().st_size)
        (folder / "experiment.toml").write_text(spec.to_toml(), encoding="utf-8")
        for name, record in (
            ("metrics", metrics),
            ("environment", _environment(trained)),
            ("scaling", _scalings(trained)),
        ):
            (folder / f"{name}.json").write_bytes(files.to_json(record))
        files.write_csv(folder / "history.csv", trained.record.epochs)
        rows = format_csv(evaluate.make_rows(trained.dataset, windows, trained.predicted))
        (folder / "predictions.csv").write_text(rows, encoding="utf-8")


def _metrics(trained: Trained, clock: Clock, model_bytes: int) -> Metrics:
    seconds = asdict(trained.record.compute_timing()) | clock.laps
    return Metrics(
        schema=SCHEMA,
        digest=trained.spec.digest,
        data=_data(trained.dataset, trained.windows),
        parameters=_parameters(trained.model),
        loss=_losses(trained.record, trained.kept_epoch),
        test=trained.test,
        baselines=trained.baselines,
        timing=Timing(import_s=import_s(), total_s=clock.total_s(), **seconds),
        size=Size(
            model_bytes=model_bytes,
            peak_memory_bytes=machine.measure_peak_memory_bytes(),
            peak_gpu_memory_bytes=backend().peak_memory_bytes(),
        ),
    )


def _environment(trained: Trained) -> Environment:
    training, options = trained.spec.training, trained.options
    provenance = options.with_all_cards(machine.describe_provenance(training.backend))
    if options.command:
        provenance = replace(provenance, command=options.command)
    return Environment(
        **asdict(provenance),
        backend=backend().name,
        devices=tuple(backend().gpus() or ["CPU"]),
        threads=options.threads or training.threads or "all",
        shared=options.shared,
        replicas=backend().replicas(trained.model),
        jit_compile=private_api.is_compiled_by_xla(trained.model) and not is_fused(trained.kernels),
        precision=training.precision,
        kernels=tuple(trained.kernels),
        call=options.call,
        place=options.place,
    )


def _scalings(trained: Trained) -> Scalings:
    series = {name: convert(scaling.to_dict(), SeriesScaling) for name, scaling in trained.windows.scalings.items()}
    return Scalings(kind=trained.spec.window.scaling, series=series, categories=trained.dataset.categories)


def _data(dataset: Dataset, windows: Windows) -> DataSummary:
    return DataSummary(
        fingerprint=dataset.fingerprint(),
        unit=dataset.unit,
        one_unit=dataset.have_one_unit(windows.starts["test"]),
        windows=WindowCounts(**{part: windows.count(part) for part in windows.starts}),
        separate_targets=windows.count_separate_targets("test"),
        series={
            series.name: SeriesSummary(
                rows=len(series),
                duplicated=series.duplicated,
                missing=series.missing,
                empty=series.empty,
                dropped=series.dropped,
                filled=int(series.filled.sum()),
            )
            for series in dataset.series
        },
        notes=windows.notes,
    )


def _parameters(model: keras.Model) -> Parameters:
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return Parameters(trainable=trainable, total=int(model.count_params()))


def _losses(record: FitRecord, kept_epoch: int) -> Losses:
    """The losses of the weights that are saved, the epochs that were run, and the best of them."""
    rows = record.epochs
    monitored = "val_loss" if "val_loss" in rows[-1] else "loss"
    best = min(range(len(rows)), key=lambda epoch: rows[epoch][monitored])
    return Losses(
        train=rows[kept_epoch]["loss"],
        validation=rows[kept_epoch].get("val_loss"),
        epochs=len(rows),
        kept_epoch=kept_epoch + 1,
        best_epoch=best + 1,
        time_to_best_s=sum(row["seconds"] for row in rows[: best + 1]),
        late_fall=record.compute_late_fall(),
    )
