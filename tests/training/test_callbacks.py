"""Callbacks: the budget ends at the nearest epoch, events are rationed, a loss that is NaN ends the fit."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grubench.errors import TrainingError
from grubench.training.callbacks import Progress, Recorder, StopAtBudget, StopAtNaN
from grubench.training.events import EpochEnd, Step, TrialEvent
from grubench.training.fit_record import FitRecord


class FakeClock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.floats(0.1, 5), st.floats(0.01, 3), st.floats(0.1, 60), st.integers(1, 9))
def test_a_budget_ends_at_the_epoch_that_comes_nearest(
    epoch_s: float, first_step: float, budget_s: float, steps: int
) -> None:
    clock = FakeClock()
    record = FitRecord(windows=100, steps=steps)
    recorder, budget = Recorder(record), StopAtBudget(record, budget_s)
    budget.set_model(SimpleNamespace(stop_training=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grubench.training.callbacks.time.perf_counter", clock)
        while not budget.model.stop_training:
            epoch = len(record.epochs)
            recorder.on_epoch_begin(epoch)
            clock.now += epoch_s / steps if record.epochs else first_step
            recorder.on_train_batch_end(0, {"loss": 1.0})
            clock.now += epoch_s * (steps - 1) / steps
            for callback in (recorder, budget):
                callback.on_epoch_end(epoch, {"loss": 1.0})
    steady = sum(row["seconds"] for row in record.epochs) - first_step
    least = 2 if steps == 1 else 1  # the first epoch tells how long one is only by its steps after the first
    assert abs(steady - budget_s) <= epoch_s / 2 + 1e-6 or len(record.epochs) == least


def test_steps_are_reported_now_and_then_and_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr("grubench.training.callbacks.time.perf_counter", clock)
    events: list[TrialEvent] = []
    record = FitRecord(windows=100, steps=10)
    callbacks = [Recorder(record), Progress(record, events.append)]
    clock.now = 1.0
    for callback in callbacks:
        callback.on_epoch_begin(2)
    for batch in range(9):
        clock.now += 0.1
        for callback in callbacks:
            callback.on_train_batch_end(batch, {"loss": 0.5})
    clock.now += 0.1
    for callback in callbacks:
        callback.on_train_batch_end(12, {"loss": 0.5})  # Keras counts a last call that is not full as if it were
    for callback in callbacks:
        callback.on_test_begin()
    clock.now += 5.0  # validation is not training
    for callback in callbacks:
        callback.on_epoch_end(2, {"loss": 0.5, "val_loss": 0.7})
    *steps, end = events
    assert [(event.epoch, event.step) for event in steps if isinstance(event, Step)] == [
        (3, 1),
        (3, 4),
        (3, 7),
        (3, 10),
    ]
    assert steps[0].sequences_per_s == pytest.approx(100)
    assert isinstance(end, EpochEnd)
    assert (end.epoch, end.loss, end.val_loss) == (3, 0.5, 0.7)
    assert end.epoch_s == pytest.approx(1.0)
    assert record.first_call_s == pytest.approx(0.1)
    assert record.first_call_steps == 1


@pytest.mark.parametrize("logs", [{"loss": math.nan}, {"loss": 1.0, "val_loss": math.inf}])
def test_a_loss_that_is_no_number_ends_the_fit(logs: dict[str, float]) -> None:
    callback = StopAtNaN()
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.on_train_batch_end(0, logs)
    assert callback.model.stop_training == math.isnan(logs["loss"])
    with pytest.raises(TrainingError, match="in epoch 5"):
        callback.on_epoch_end(4, logs)
    callback.on_epoch_end(4, {"loss": 1.0})
