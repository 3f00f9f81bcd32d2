"""What a fit is watched with: the time of its parts, its history, its progress, and the end of a loss that is NaN."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from grubench.backends.loader import backend
from grubench.backends.private_api import AsyncSafe
from grubench.errors import TrainingError
from grubench.runs.records import EpochTiming
from grubench.training.events import EpochEnd, Step

if TYPE_CHECKING:
    from grubench.training.events import OnTrialEvent

# Progress is told at most this often: a display redrawn at every step would slow the training it shows.
TELL_EVERY_S = 0.25


class Recorder(AsyncSafe, keras.callbacks.Callback):  # type: ignore[misc]
    """Times the first step apart from the epochs, keeps the history, tells the progress.

    Args:
        windows: Training windows.
        steps: Steps an epoch.
        on_event: Called with the progress.
        budget_s: Stop at the end of the epoch that comes nearest to this many seconds of training after the first
            step; 0 for no such end.
        last_compiles: Whether the last batch of an epoch is of another size, and a step of another size is compiled
            anew.

    Attributes:
        first_call_s: Seconds of the first call: tracing, compilation and its steps of work.
        first_steps: How many steps the first call ran.
        last_call_s: Seconds of the last step of the first epoch where it is compiled anew; else 0.
        epochs: A row an epoch: epoch, loss, val_loss where there is validation, seconds, sequences_per_s.
        resumed: The epochs (from 0) that a fit went on with after it had been stopped; they hold tracing too.
    """

    def __init__(
        self, windows: int, steps: int, on_event: OnTrialEvent, budget_s: float = 0.0, *, last_compiles: bool = False
    ) -> None:
        super().__init__()
        self.budget_s = budget_s
        self.windows = windows
        self.steps = steps
        self.on_event = on_event
        self.first_call_s = math.nan
        self.first_steps = 0
        self.last_call_s = 0.0
        self.last_compiles = last_compiles and steps > 1
        self.epochs: list[dict[str, float]] = []
        self.resumed: list[int] = []
        self._epoch_s = math.nan
        self._told = 0.0
        self._lock = threading.Lock()  # batch hooks may overlap; the reports stay one after the other

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON can hold it."""
        names = ("first_call_s", "first_steps", "last_call_s", "epochs", "resumed")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the epochs that another process has recorded."""
        for name, value in state.items():
            setattr(self, name, value)
        self.resumed = [*self.resumed, len(self.epochs)]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._epoch = epoch
        self._began = time.perf_counter()
        self._epoch_s = math.nan

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Start the clock of a last step that is compiled anew."""
        if self.last_compiles and not self.epochs and batch == self.steps - 1:
            backend().wait()
            self._last_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Time the first call; tell the progress now and then; stop at a loss that is no number."""
        loss = float((logs or {}).get("loss", math.nan))  # waits for a device that still computes
        now = time.perf_counter()
        if not math.isfinite(loss):
            self.model.stop_training = True
        with self._lock:
            done = min(batch + 1, self.steps)  # Keras counts a last call that is not full as if it were
            if not self.first_steps:
                self.first_call_s, self.first_steps = now - self._began, done
            if now - self._told < TELL_EVERY_S:
                return
            self._told = now
            self.on_event(
                Step(
                    epoch=self._epoch + 1,
                    step=done,
                    steps=self.steps,
                    loss=loss,
                    sequences_per_s=done * self.windows / self.steps / (now - self._began),
                )
            )

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Stop the epoch's clock: validation is not training."""
        self._stop()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the epoch's row; stop at a loss that is no number.

        Raises:
            TrainingError: The loss is NaN or infinite.
        """
        logs = logs or {}
        if math.isnan(self._epoch_s):
            self._stop()
        seconds = self._epoch_s
        row = {"epoch": epoch + 1} | {key: float(logs[key]) for key in ("loss", "val_loss") if key in logs}
        row |= {"seconds": seconds, "sequences_per_s": self.windows / seconds}
        self.epochs.append(row)
        for name, key in (("loss", "loss"), ("validation loss", "val_loss")):
            if not math.isfinite(row.get(key, 0.0)):
                raise TrainingError(
                    f"The {name} became {row[key]} in epoch {epoch + 1}.",
                    "Use a smaller --learning-rate, or --clipnorm 1, or check the scaling.",
                )
        self.on_event(
            EpochEnd(
                epoch=epoch + 1,
                loss=row["loss"],
                val_loss=row.get("val_loss"),
                epoch_s=seconds,
                sequences_per_s=row["sequences_per_s"],
            )
        )
        if self.budget_s and self._spent():
            self.model.stop_training = True

    def _stop(self) -> None:
        """Stop the epoch's clock, once the device has done all of it."""
        backend().wait()
        now = time.perf_counter()
        self._epoch_s = now - self._began
        if self.last_compiles and not self.epochs:
            self.last_call_s = now - self._last_began

    def _spent(self) -> bool:
        """Whether the budget is used up, or another epoch would end further from it than this one."""
        if len(self.epochs) == 1 and not self._rest:  # no telling how long another epoch takes
            return False
        timing = self.timing()
        return bool(timing.train_s - timing.first_step_s + timing.epoch_s / 2 > self.budget_s)

    @property
    def _rest(self) -> int:
        """The steps of the first epoch in which nothing is traced or compiled."""
        return self.steps - self.first_steps - self.last_compiles

    def timing(self) -> EpochTiming:
        """The steady epochs in seconds, median and quartiles, and the speed.

        The first epoch, and each that a fit went on with, hold tracing and compilation: they are left out. With a
        single epoch the calls that hold them are taken out of it and the rest put up to a whole epoch. The first step
        is the first call without the steps after its first, at the steady speed, and what a last step compiled.
        """
        seconds = np.array([row["seconds"] for row in self.epochs])
        traced = [0, *(epoch for epoch in self.resumed if epoch < len(seconds))]
        steady = np.delete(seconds, traced)
        steady_epochs = len(steady)
        if not steady_epochs:
            compiled = self.first_call_s + self.last_call_s
            steady = (seconds[:1] - compiled) * self.steps / self._rest if self._rest else seconds[:1]
        low, median, high = np.percentile(steady, [25, 50, 75]).tolist()
        trained = seconds.copy()
        trained[traced[1:]] = median  # without the tracing of each process after the first
        step_s = median / self.steps
        first_step_s = max(0.0, self.first_call_s - (self.first_steps - 1) * step_s)
        first_step_s += max(0.0, self.last_call_s - step_s)
        return EpochTiming(
            first_step_s=first_step_s,
            first_epoch_s=float(seconds[0]),
            epoch_s=median,
            epoch_s_quartiles=(low, high),
            steady_epochs=steady_epochs,
            sequences_per_s=self.windows / median,
            train_s=float(trained.sum()),
            resumed_after_epochs=tuple(self.resumed),
        )
