"""What is recorded of a fit, and the times that follow from it."""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from grubench.runs.records import EpochTiming

# The loss of the last epochs is set against that of as many before them.
LATE_EPOCHS = 3
# Of fewer epochs it cannot be told whether the loss still fell.
MIN_EPOCHS = 2 * LATE_EPOCHS


class FitRecord(Struct, kw_only=True):
    """What callbacks record of a fit; a checkpoint holds it.

    Attributes:
        windows: Training windows.
        steps: Steps an epoch.
        last_step_compiles: Whether the last step of an epoch is of another size and compiled anew.
        first_call_s: Seconds of the first call: tracing, compilation and its steps of work.
        first_call_steps: How many steps the first call ran; 0 before it ended.
        last_step_s: Seconds of the last step of the first epoch where it is compiled anew; else 0.
        epochs: A row an epoch: epoch, loss, val_loss where there is validation, seconds, sequences_per_s.
        resumed: The epochs (from 0) with which a fit was resumed from a checkpoint; they hold tracing too.
    """

    windows: int
    steps: int
    last_step_compiles: bool = False
    first_call_s: float = 0.0
    first_call_steps: int = 0
    last_step_s: float = 0.0
    epochs: list[dict[str, int | float]] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)

    def resume(self) -> FitRecord:
        """A copy for a process that resumes the fit."""
        return replace(self, epochs=[*self.epochs], resumed=[*self.resumed, len(self.epochs)])

    @property
    def untraced_steps(self) -> int:
        """The steps of the first epoch in which nothing is traced or compiled."""
        return self.steps - self.first_call_steps - self.last_step_compiles

    def compute_timing(self) -> EpochTiming:
        """The steady epochs in seconds, median and quartiles, and the speed.

        The first epoch, and each with which a fit was resumed, hold tracing and compilation: they are left out. With a
        single epoch the calls that hold them are taken out of it, and the time of the other steps is scaled up to a
        whole epoch. The first step is the first call without the steps after its first, at the steady speed, and what
        a last step compiled.
        """
        seconds = np.array([row["seconds"] for row in self.epochs])
        traced = [0, *(epoch for epoch in self.resumed if epoch < len(seconds))]
        steady = np.delete(seconds, traced)
        steady_epochs = len(steady)
        if not steady_epochs:
            compiled = self.first_call_s + self.last_step_s
            steps = self.untraced_steps
            steady = (seconds[:1] - compiled) * self.steps / steps if steps else seconds[:1]
        low, median, high = np.percentile(steady, [25, 50, 75]).tolist()
        trained = seconds.copy()
        trained[traced[1:]] = median  # without the tracing of each process after the first
        step_s = median / self.steps
        first_step_s = max(0.0, self.first_call_s - (self.first_call_steps - 1) * step_s)
        first_step_s += max(0.0, self.last_step_s - step_s)
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

    def compute_late_fall(self) -> float | None:
        """How much the training loss still fell late in training, as `Losses.late_fall` has it."""
        losses = [row["loss"] for row in self.epochs]
        side = min(LATE_EPOCHS, len(losses) // 2)
        later = sum(losses[-side:])
        if not side or not later:
            return None
        return sum(losses[-2 * side : -side]) / later - 1

    def is_budget_spent(self, budget_s: float) -> bool:
        """Whether a budget of training after the first step is spent, or another epoch would end further from it.

        Args:
            budget_s: The budget in seconds.
        """
        if len(self.epochs) == 1 and not self.untraced_steps:  # there is no telling how long another epoch takes
            return False
        timing = self.compute_timing()
        return bool(timing.train_s - timing.first_step_s + timing.epoch_s / 2 > budget_s)
