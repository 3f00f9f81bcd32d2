"""Fitting a model to windows, and forecasting with it."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import keras
import numpy as np

from grubench.backends import private_api
from grubench.backends.loader import backend
from grubench.errors import TrainingError
from grubench.training.batches import Batches
from grubench.training.callbacks import EpochOrder, Progress, Recorder, StopAtBudget, StopAtNaN
from grubench.training.checkpoint import Checkpoint, CheckpointFile, WriteCheckpoints
from grubench.training.early_stopping import EarlyStopping
from grubench.training.events import Stage
from grubench.training.fit_record import FitRecord
from grubench.training.precision import uses_tf32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from grubench.data.windows import Windows
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Training
    from grubench.training.events import OnTrialEvent
    from grubench.training.fused_fit import FusedModel

# Windows forecast at a time; a forecast keeps no gradients, so more fit than in training.
PREDICT_BATCH = 256
# Batches cut ahead of a GPU.
AHEAD = 2
# Steps that one call of Keras runs, at most: several, so that a small model does not wait for Python, and so few that
# a call takes about CALL_S. The time is guessed from a slow loop: so much a step of a layer, and the arithmetic.
MAX_STEPS_PER_CALL = 16
CALL_S = 0.1
TIME_STEP_S = 20e-6
FLOPS_PER_S = 100e9


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fit that has ended.

    Attributes:
        record: Its history and times.
        kept_epoch: The epoch (from 0) whose weights the model has.
        earlier_s: Seconds that earlier processes spent on the trial, where it was resumed.
    """

    record: FitRecord
    kept_epoch: int
    earlier_s: float


def fit(
    model: keras.Model,
    windows: Windows,
    spec: Experiment,
    on_event: OnTrialEvent,
    checkpoint_file: CheckpointFile | None = None,
    *,
    fused: FusedModel | None = None,
) -> Fitted:
    """Fit a model to the training windows of a spec.

    Args:
        model: The model.
        windows: The windows.
        spec: The spec.
        on_event: Called with the progress.
        checkpoint_file: Where checkpoints are written, and one is resumed from; nowhere where not given.
        fused: The model in compiled code, where it trains so.

    Raises:
        TrainingError: The loss is NaN or infinite, or memory ran out.
        RunError: A checkpoint cannot be written.
    """
    training = spec.training
    batches = Batches(
        windows, windows.index("train"), training.batch_size, seed=spec.seed if training.shuffle else None
    )
    validation = None
    if windows.count("validation"):
        validation = Batches(windows, windows.index("validation"), _predict_batch(spec))
    checkpoint_file = checkpoint_file or CheckpointFile()
    checkpoint = _set_up_optimizer(model, checkpoint_file)
    record = checkpoint.state.record.resume() if checkpoint else _new_record(batches, fused=bool(fused))
    early_stopping = _early_stopping(training, checkpoint) if validation else None
    first_epoch = checkpoint.state.epoch if checkpoint else 0
    on_event(Stage(text=f"resuming after epoch {first_epoch}" if checkpoint else "first step"))
    reads_model = early_stopping or (checkpoint_file.path and checkpoint_file.every)
    copy = fused.make_copy() if fused and reads_model else None
    callbacks = [
        EpochOrder(batches),
        StopAtNaN(),
        Recorder(record),
        Progress(record, on_event),
        copy,
        StopAtBudget(record, training.seconds) if training.seconds else None,
        early_stopping,
        WriteCheckpoints(checkpoint_file, record, early_stopping, checkpoint),
    ]
    used = [callback for callback in callbacks if callback is not None]
    epochs = first_epoch, sys.maxsize if training.seconds else training.epochs
    with _memory_errors(spec), uses_tf32(spec):
        if fused:
            starts = validation.starts if validation else np.empty(0, np.int64)
            fused.fit(batches, starts, used, epochs)
        else:
            with private_api.steps_per_execution(model, steps_a_call(spec, windows, len(batches))):
                _fit_keras(model, batches, validation, used, epochs)
    return Fitted(
        record=record,
        kept_epoch=early_stopping.state.best_epoch if early_stopping else len(record.epochs) - 1,
        earlier_s=checkpoint.state.spent_s if checkpoint else 0.0,
    )


def _fit_keras(
    model: keras.Model,
    batches: Batches,
    validation: Batches | None,
    callbacks: list[keras.callbacks.Callback],
    epochs: tuple[int, int],
) -> None:
    """Fit a model in Keras's loop; `epochs` are the first one and the one after the last."""
    ahead = AHEAD if backend().gpus() else 0
    model.fit(
        batches.stream(ahead=ahead),
        initial_epoch=epochs[0],
        epochs=epochs[1],
        validation_data=validation.stream(ahead=ahead) if validation else None,
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


def _set_up_optimizer(model: keras.Model, checkpoint_file: CheckpointFile) -> Checkpoint | None:
    """Make the optimizer's variables; give them, and the model's, the values of the checkpoint that there is."""
    checkpoint = checkpoint_file.read()
    with backend().scope(model):
        model.optimizer.build(model.trainable_variables)
        if checkpoint is None or not checkpoint.fits(model):
            return None
        checkpoint.restore(model)
    return checkpoint


def _new_record(batches: Batches, *, fused: bool) -> FitRecord:
    ragged = bool(len(batches.starts) % batches.batch_size)
    compiles = backend().always_compiles and not fused and ragged and len(batches) > 1
    return FitRecord(windows=len(batches.starts), steps=len(batches), last_step_compiles=compiles)


def _early_stopping(training: Training, checkpoint: Checkpoint | None) -> EarlyStopping | None:
    """What ends a fit early, if the spec wants it."""
    if not training.patience:
        return None
    return EarlyStopping(
        training.patience,
        training.min_delta,
        checkpoint.state.early_stopping if checkpoint else None,
        checkpoint.best_weights if checkpoint else (),
    )


def steps_a_call(spec: Experiment, windows: Windows, steps: int) -> int:
    """How many steps one call of Keras runs, a power of two: the same for every cell, since terms are to be equal.

    Args:
        spec: The spec.
        windows: The windows.
        steps: The steps of an epoch; a quarter of them at most run in one call, so that the first stands apart.
    """
    if not backend().runs_many_steps or spec.training.strategy == "mirrored":  # Keras's loop does not run over replicas
        return 1
    widths = [windows.feature, *(layer.units for layer in spec.model.stack)]
    most_gates = 4
    products = sum(most_gates * units * (inputs + units) for inputs, units in pairwise(widths))
    flops = 6 * spec.training.batch_size * windows.lookback * products
    seconds = len(spec.model.stack) * windows.lookback * TIME_STEP_S + flops / FLOPS_PER_S
    most = min(MAX_STEPS_PER_CALL, CALL_S / seconds, steps / 4)
    return 1 << int(math.log2(max(most, 1)))


def forecast(
    model: keras.Model,
    windows: Windows,
    starts: NDArray[np.int64],
    spec: Experiment,
    fused: FusedModel | None = None,
) -> NDArray[np.float32]:
    """The scaled forecasts of the windows at these start rows, in the shape of `Windows.targets`."""
    if fused:
        with _memory_errors(spec):
            return fused.forecast(starts)
    batches = Batches(windows, starts, _predict_batch(spec))
    with _memory_errors(spec), uses_tf32(spec):
        predicted: NDArray[np.float32] = model.predict(batches.stream(), verbose=0)
    return predicted


def _predict_batch(spec: Experiment) -> int:
    return max(spec.training.batch_size, PREDICT_BATCH)


@contextmanager
def _memory_errors(spec: Experiment) -> Iterator[None]:
    """Turn a backend's out-of-memory error into one that says what to do."""
    try:
        yield
    except Exception as error:
        if not private_api.is_out_of_memory(error):
            raise
        raise TrainingError(
            f"Memory ran out with training.batch_size {spec.training.batch_size}, lookback "
            f"{spec.window.lookback} and the stack {','.join(spec.model.layers)}.",
            "Use a smaller --batch-size.",
        ) from error
