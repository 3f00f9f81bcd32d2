"""Fitting a model to windows, and forecasting with it."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import keras

from grubench.backends import private_api
from grubench.backends.loader import backend
from grubench.errors import TrainingError
from grubench.training.batches import Batches, EpochOrder
from grubench.training.callbacks import Recorder
from grubench.training.checkpoint import Checkpoint
from grubench.training.events import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from grubench.data.windows import Windows
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Training
    from grubench.training.events import OnTrialEvent

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


def fit(
    model: keras.Model, windows: Windows, spec: Experiment, on_event: OnTrialEvent, checkpoint: Checkpoint | None = None
) -> tuple[Recorder, int]:
    """Fit a model to the training windows of a spec.

    Args:
        model: The model.
        windows: The windows.
        spec: The spec.
        on_event: Called with the progress.
        checkpoint: What is kept on the way and gone on from; nothing where not given.

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
    ahead = AHEAD if backend().gpus() else 0
    ragged = bool(len(batches.starts) % training.batch_size)
    last_compiles = backend().always_compiles and ragged
    recorder = Recorder(len(batches.starts), len(batches), on_event, training.seconds, last_compiles=last_compiles)
    stopper = _stopper(training)
    checkpoint = checkpoint or Checkpoint()
    checkpoint.watch(recorder, stopper)
    with backend().scope(model):
        checkpoint.restore(model)
    text = f"going on after epoch {checkpoint.first_epoch}" if checkpoint.saved else "first step"
    on_event(Stage(text=text))
    steps = steps_a_call(spec, windows, len(batches))
    with _memory_errors(spec), private_api.steps_per_execution(model, steps):
        model.fit(
            batches.stream(ahead=ahead),
            epochs=sys.maxsize if training.seconds else training.epochs,
            initial_epoch=checkpoint.first_epoch,
            validation_data=validation.stream(ahead=ahead) if validation else None,
            callbacks=[one for one in (EpochOrder(batches), recorder, stopper, checkpoint) if one],
            verbose=0,
            shuffle=False,
        )
    return recorder, stopper.best_epoch if stopper else len(recorder.epochs) - 1


def _stopper(training: Training) -> keras.callbacks.EarlyStopping | None:
    """What stops a fit early, if it is to be."""
    if not training.patience:
        return None
    return keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=training.patience, min_delta=training.min_delta, restore_best_weights=True
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
    """Turn a backend's out-of-memory into an error that says what to do."""

    def __init__(self, spec: Experiment) -> None:
        self.spec = spec

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and private_api.is_out_of_memory(error):
            raise TrainingError(
                f"Memory ran out with training.batch_size {self.spec.training.batch_size}, lookback "
                f"{self.spec.window.lookback} and the stack {','.join(self.spec.model.layers)}.",
                "Use a smaller --batch-size.",
            ) from error
