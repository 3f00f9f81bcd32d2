"""The times that follow from what was recorded of a fit."""

from __future__ import annotations

import pytest

from grubench.runs.records import EpochTiming
from grubench.training.fit_record import FitRecord


def make_record(seconds: list[float], *, steps: int = 10, first_call_s: float = 0.5, **fields: object) -> FitRecord:
    epochs = [{"epoch": number, "loss": 1.0, "seconds": epoch_s} for number, epoch_s in enumerate(seconds, 1)]
    return FitRecord(windows=100, steps=steps, first_call_s=first_call_s, first_call_steps=1, epochs=epochs, **fields)  # type: ignore[arg-type]


def timing(seconds: list[float], steps: int = 10) -> EpochTiming:
    return make_record(seconds, steps=steps).compute_timing()


def test_the_first_epoch_is_no_steady_one() -> None:
    found = timing([9.0, 1.0, 2.0, 3.0])
    assert (found.epoch_s, found.epoch_s_quartiles) == (2.0, (1.5, 2.5))
    assert (found.sequences_per_s, found.train_s) == (50.0, 15.0)


def test_of_a_single_epoch_the_first_step_is_taken_out() -> None:
    assert timing([1.4]).epoch_s == pytest.approx((1.4 - 0.5) * 10 / 9)
    assert timing([1.4], steps=1).epoch_s == 1.4


def test_a_last_step_that_is_compiled_anew_is_taken_out_too() -> None:
    """JAX compiles a step of another size, and the last batch of an epoch may be smaller."""
    for seconds, epoch_s in (([2.4], (2.4 - 0.5 - 1.1) * 10 / 8), ([2.4, 1.0, 1.0], 1.0)):
        found = make_record(seconds, last_step_compiles=True, last_step_s=1.1).compute_timing()
        assert found.epoch_s == pytest.approx(epoch_s)
        assert found.first_step_s == pytest.approx(0.5 + 1.1 - epoch_s / 10)
        assert found.train_s == pytest.approx(sum(seconds))


def test_epochs_that_traced_anew_are_neither_steady_nor_counted_in_full() -> None:
    record = make_record([9.0, 1.0, 1.0]).resume()
    record.epochs += [{"seconds": epoch_s} for epoch_s in (7.0, 2.0)]
    found = record.compute_timing()
    assert (found.epoch_s, found.steady_epochs, found.resumed_after_epochs) == (1.0, 3, (3,))
    assert found.train_s == 9 + 1 + 1 + 1 + 2


def test_a_record_is_resumed_as_a_copy() -> None:
    record = make_record([9.0])
    resumed = record.resume()
    resumed.epochs.append({"seconds": 1.0})
    assert (len(record.epochs), record.resumed, resumed.resumed) == (1, [], [1])


@pytest.mark.parametrize(
    ("losses", "fall"),
    [
        ([9.0, 1.2, 1.3, 1.1, 1.0, 1.1, 0.9], 0.2),
        ([1.2, 1.3, 1.1, 1.0, 1.1, 0.9], 0.2),
        ([9.0, 3.0, 2.0, 1.0, 1.0], 1.5),
        ([3.0, 2.0, 1.0], 1.0),
        ([1.0, 2.0], -0.5),
        ([1.0], None),
        ([1.0, 0.0], None),
    ],
)
def test_the_late_fall_is_that_of_the_last_epochs_from_as_many_before(losses: list[float], fall: float | None) -> None:
    """Three on each side, or half of the epochs where there are fewer than six."""
    record = FitRecord(windows=1, steps=1, epochs=[{"loss": loss} for loss in losses])
    assert record.compute_late_fall() == pytest.approx(fall)
