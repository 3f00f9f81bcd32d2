"""One trial: data, windows, model, fit, evaluation, run folder."""

from __future__ import annotations

import math
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from grubench import datasets, environment, evaluation, models, runs
from grubench import windows as cutting
from grubench.batches import Batches, EpochOrder
from grubench.engine import IMPORT_S, keras, tf
from grubench.errors import TrainingError, UsageError
from grubench.kernels.layer import one_at_a_time
from grubench.recorder import Recorder, Report

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from grubench.experiment import Experiment
    from grubench.series import Dataset
    from grubench.windows import Windows

# Windows forecast at a time; a forecast keeps no gradients, so more fit than in training.
PREDICT_BATCH = 256
# Batches cut ahead of a GPU.
AHEAD = 2
# Steps that one call of Keras runs, at most: several, so that a small model does not wait for Python, and so few that
# a call takes about CALL_S. The time is guessed from a slow loop: so much a step of a layer, and the arithmetic.
MOST_STEPS_A_CALL = 16
CALL_S = 0.1
TIME_STEP_S = 20e-6
FLOPS_PER_S = 100e9


def run_trial(spec: Experiment, root: Path, report: Report) -> Path:
    """Train one trial and write its run.

    Args:
        spec: The spec.
        root: The folder that the run folder is made in.
        report: Called with dictionaries of progress: `kind` is `stage`, `step` or `epoch`.

    Returns:
        The run folder.

    Raises:
        UsageError: The spec does not fit the data, or asks for a kernel that cannot be had.
        DataError: The data cannot be used.
        TrainingError: The loss is no number, or memory ran out.
        RunError: The run cannot be written.
    """
    clock = Clock()
    runs.check_writable(root)
    set_threads(spec.training.threads)
    if any(kernel.kernel == "fused" for kernel in models.kernels(spec)):
        one_at_a_time()
    keras.utils.set_random_seed(spec.seed)
    report({"kind": "stage", "text": "reading the data"})
    dataset = datasets.load(spec.data, spec.data_name)
    windows = cutting.build(dataset, spec)
    clock.lap("data_s")
    model = models.build(spec, windows.lookback, windows.feature, windows.outputs)
    clock.lap("build_s")
    recorder, kept = fit(model, windows, spec, report)
    clock.lap("fit_s")
    report({"kind": "stage", "text": "forecasting the test part"})
    predicted = forecast(model, windows, windows.index("test"), spec)
    clock.lap("predict_s")
    test, base = evaluation.evaluate_all(predicted, windows, dataset, spec.data.period)
    clock.lap("evaluate_s")
    name = runs.free_name(root, f"{spec.data_name}-{spec.model.cell}-s{spec.seed}", spec.digest)
    with runs.written_aside(root, name) as folder:
        model.save(folder / "model.keras")
        clock.lap("save_s")
        metrics = {
            "schema": runs.SCHEMA,
            "digest": spec.digest,
            "data": _data_record(dataset, windows),
            "parameters": _parameters(model),
            "loss": _losses(recorder, kept),
            "test": test,
            "baselines": base,
            "timing": {"import_s": IMPORT_S} | clock.laps | recorder.timing() | {"total_s": clock.total_s()},
            "size": {
                "model_bytes": (folder / "model.keras").stat().st_size,
                "peak_memory_bytes": environment.peak_memory_bytes(),
            },
        }
        _write(folder, spec, metrics, recorder, windows)
        rows = evaluation.csv_text(evaluation.forecast_rows(dataset, windows, predicted))
        (folder / "predictions.csv").write_text(rows, encoding="utf-8")
    return root / name


class Clock:
    """Seconds of the stages of a trial, one after the other."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Write down the seconds since the lap before."""
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now

    def total_s(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began


def set_threads(threads: int) -> None:
    """Give TensorFlow this many processor threads; 0 leaves it all cores.

    Raises:
        UsageError: TensorFlow has already been started in this process with another number.
    """
    threading = tf.config.threading
    if threads == threading.get_intra_op_parallelism_threads():
        return
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise UsageError(
            f"training.threads: {threads} cannot be set, TensorFlow has started in this process.",
            "Leave out --in-process, or start a new process.",
        ) from error


def fit(model: keras.Model, windows: Windows, spec: Experiment, report: Report) -> tuple[Recorder, int]:
    """Fit a model to the training windows of a spec.

    Returns:
        What was recorded, and the epoch (from 0) whose weights the model ends with.

    Raises:
        TrainingError: The loss is no number, or memory ran out.
    """
    training = spec.training
    batches = Batches(
        windows, windows.index("train"), training.batch_size, seed=spec.seed if training.shuffle else None
    )
    validation = None
    if windows.count("validation"):
        validation = Batches(windows, windows.index("validation"), _predict_batch(spec))
    ahead = AHEAD if models.gpus() else 0
    recorder = Recorder(len(batches.starts), len(batches), report, training.seconds)
    callbacks: list[Any] = [EpochOrder(batches), recorder]
    stopper = None
    if training.patience:
        stopper = keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=training.patience, min_delta=training.min_delta, restore_best_weights=True
        )
        callbacks.append(stopper)
    report({"kind": "stage", "text": "first step"})
    model.steps_per_execution = steps_a_call(spec, windows, len(batches))
    with _memory_errors(spec):
        model.fit(
            batches.stream(ahead=ahead),
            epochs=sys.maxsize if training.seconds else training.epochs,
            validation_data=validation.stream(ahead=ahead) if validation else None,
            callbacks=callbacks,
            verbose=0,
        )
    model.steps_per_execution = 1
    return recorder, stopper.best_epoch if stopper else len(recorder.epochs) - 1


def steps_a_call(spec: Experiment, windows: Windows, steps: int) -> int:
    """How many steps one call of Keras runs, a power of two: the same for every cell, since terms are to be equal.

    Args:
        spec: The spec.
        windows: The windows.
        steps: The steps of an epoch; a quarter of them at most run in one call, so that the first stands apart.
    """
    widths = [windows.feature, *(layer.units for layer in spec.model.stack)]
    most_gates = 4
    products = sum(most_gates * units * (inputs + units) for inputs, units in pairwise(widths))
    flops = 6 * spec.training.batch_size * windows.lookback * products
    seconds = len(spec.model.stack) * windows.lookback * TIME_STEP_S + flops / FLOPS_PER_S
    most = min(MOST_STEPS_A_CALL, CALL_S / seconds, steps / 4)
    return 1 << int(math.log2(max(most, 1)))


def forecast(model: keras.Model, windows: Windows, starts: NDArray[np.int64], spec: Experiment) -> NDArray[np.float32]:
    """The scaled forecasts of the windows at these start rows, in the shape of `Windows.targets`."""
    batches = Batches(windows, starts, _predict_batch(spec))
    with _memory_errors(spec):
        predicted: NDArray[np.float32] = model.predict(batches.stream(), verbose=0)
    return predicted


def _predict_batch(spec: Experiment) -> int:
    return max(spec.training.batch_size, PREDICT_BATCH)


class _memory_errors:  # noqa: N801  (reads as a statement: with _memory_errors(spec))
    """Turn TensorFlow's out-of-memory into an error that says what to do."""

    def __init__(self, spec: Experiment) -> None:
        self.spec = spec

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and (isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"):
            raise TrainingError(
                f"Memory ran out with training.batch_size {self.spec.training.batch_size}, lookback "
                f"{self.spec.window.lookback} and the stack {','.join(self.spec.model.layers)}.",
                "Use a smaller --batch-size.",
            ) from error


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
    trainable = sum(int(weight.shape.num_elements()) for weight in model.trainable_weights)
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


def _write(folder: Path, spec: Experiment, metrics: dict[str, Any], recorder: Recorder, windows: Windows) -> None:
    (folder / "experiment.toml").write_text(spec.to_toml(), encoding="utf-8")
    runs.write_json(folder / "metrics.json", metrics)
    devices = models.gpus() or ["CPU"]
    runs.write_json(
        folder / "environment.json",
        environment.describe()
        | {"devices": devices, "threads": spec.training.threads or "all", "kernels": models.kernel_records(spec)},
    )
    scalings = {name: scaling.to_dict() for name, scaling in windows.scalings.items()}
    runs.write_json(folder / "scaling.json", {"kind": spec.window.scaling, "series": scalings})
    runs.write_csv(folder / "history.csv", recorder.epochs)
