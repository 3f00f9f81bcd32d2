"""Keras callbacks of a fit: record its history and times, report its progress, stop it in time.

They are called in the order in which `fit` lists them: what `Recorder` has recorded is there for those after it.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

import keras

from grubench.backends.loader import backend
from grubench.backends.private_api import AsyncSafe
from grubench.errors import TrainingError
from grubench.training.events import EpochEnd, Step

if TYPE_CHECKING:
    from grubench.training.batches import Batches
    from grubench.training.events import OnTrialEvent
    from grubench.training.fit_record import FitRecord

Logs = dict[str, float] | None
# Steps are reported at most this often: a display redrawn at every step would slow the training that it shows.
REPORT_EVERY_S = 0.25


def _loss(logs: Logs) -> float:
    """The loss after a step; waits for a device that still computes it."""
    return float((logs or {}).get("loss", math.nan))


class EpochOrder(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells batches which epoch begins; how often Keras goes through them would not tell."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Put the batches into the epoch's order before Keras asks for the first."""
        self.batches.start_epoch(epoch)


class StopAtNaN(AsyncSafe, keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a fit whose loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Run no further step of the epoch."""
        if not math.isfinite(_loss(logs)):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Fail.

        Raises:
            TrainingError: The loss or the validation loss is NaN or infinite.
        """
        for name, key in (("loss", "loss"), ("validation loss", "val_loss")):
            loss = float((logs or {}).get(key, 0.0))
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The {name} became {loss} in epoch {epoch + 1}.",
                    "Use a smaller --learning-rate, or --clipnorm 1, or check the scaling.",
                )


class Recorder(AsyncSafe, keras.callbacks.Callback):  # type: ignore[misc]
    """Records the losses and the times of epochs, and the time of the first call apart from them.

    Args:
        record: What to fill.
    """

    def __init__(self, record: FitRecord) -> None:
        super().__init__()
        self.record = record
        self._epoch_start = self._last_step_start = 0.0
        self._epoch_s: float | None = None
        self._lock = threading.Lock()  # batch hooks may overlap

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._epoch_start = time.perf_counter()
        self._epoch_s = None

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Start the clock of a last step that is compiled anew."""
        record = self.record
        if record.last_step_compiles and not record.epochs and batch == record.steps - 1:
            backend().wait()
            self._last_step_start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Record the time of the first call."""
        _loss(logs)
        now = time.perf_counter()
        with self._lock:
            if not self.record.first_call_steps:
                self.record.first_call_s = now - self._epoch_start
                self.record.first_call_steps = count_steps(batch, self.record.steps)

    def on_test_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Stop the epoch's clock: validation is not training."""
        self._epoch_s = self._stop_clock()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Record the epoch."""
        epoch_s = self._stop_clock() if self._epoch_s is None else self._epoch_s
        row: dict[str, int | float] = {"epoch": epoch + 1}
        row |= {key: float(logs[key]) for key in ("loss", "val_loss") if logs and key in logs}
        row |= {"seconds": epoch_s, "sequences_per_s": self.record.windows / epoch_s}
        self.record.epochs.append(row)

    def _stop_clock(self) -> float:
        """The seconds of the epoch, once the device has done all of it."""
        backend().wait()
        now = time.perf_counter()
        if self.record.last_step_compiles and not self.record.epochs:
            self.record.last_step_s = now - self._last_step_start
        return now - self._epoch_start


class Progress(AsyncSafe, keras.callbacks.Callback):  # type: ignore[misc]
    """Reports steps now and then, and every epoch. It has to stand after the `Recorder`.

    Args:
        record: What the `Recorder` fills.
        on_event: Called with `Step` and `EpochEnd`.
    """

    def __init__(self, record: FitRecord, on_event: OnTrialEvent) -> None:
        super().__init__()
        self.record = record
        self.on_event = on_event
        self._epoch = 0
        self._epoch_start = self._last_report = 0.0
        self._lock = threading.Lock()  # batch hooks may overlap; the events come one after the other

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._epoch = epoch
        self._epoch_start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Report the step, if the last report is long enough ago."""
        loss = _loss(logs)
        now = time.perf_counter()
        with self._lock:
            if now - self._last_report < REPORT_EVERY_S:
                return
            self._last_report = now
            step, steps = count_steps(batch, self.record.steps), self.record.steps
            sequences_per_s = step * self.record.windows / steps / (now - self._epoch_start)
            self.on_event(
                Step(epoch=self._epoch + 1, step=step, steps=steps, loss=loss, sequences_per_s=sequences_per_s)
            )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Report the epoch."""
        row = self.record.epochs[-1]
        self.on_event(
            EpochEnd(
                epoch=epoch + 1,
                loss=row["loss"],
                val_loss=row.get("val_loss"),
                epoch_s=row["seconds"],
                sequences_per_s=row["sequences_per_s"],
            )
        )


class StopAtBudget(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a fit with the epoch that comes nearest to a budget. It has to stand after the `Recorder`.

    Args:
        record: What the `Recorder` fills.
        budget_s: Seconds of training after the first step.
    """

    def __init__(self, record: FitRecord, budget_s: float) -> None:
        super().__init__()
        self.record = record
        self.budget_s = budget_s

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Stop where the budget is spent."""
        if self.record.is_budget_spent(self.budget_s):
            self.model.stop_training = True


def count_steps(batch: int, steps: int) -> int:
    """The steps that an epoch has run; Keras counts a last call that is not full as if it were.

    Args:
        batch: The number of the batch (from 0), as Keras gives it to the hook.
        steps: The steps of an epoch.
    """
    return min(batch + 1, steps)
