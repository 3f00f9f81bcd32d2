"""Events and errors cross processes: what comes out of a pipe is what went in."""

from __future__ import annotations

import pickle

import pytest

from grubench import errors
from grubench.training.events import EpochEnd, Note, Plan, Stage, Step, TrialEnd, TrialFound, TrialStart

EVENTS = (
    Stage(text="first step"),
    Step(trial=2, epoch=1, step=5, steps=10, loss=0.5, sequences_per_s=1.0),
    EpochEnd(trial=2, epoch=1, loss=0.5, epoch_s=2.0, sequences_per_s=1.0),
    Plan(trials=4, reused=1, work=12.0),
    TrialStart(trial=2, arm="GRU", seed=3, epochs=4, seconds=0.0),
    TrialFound(arm="GRU", seed=3),
    TrialEnd(trial=2, error="disk full"),
    Note(text="wait"),
)


@pytest.mark.parametrize("event", EVENTS)
def test_events_pickle(event: object) -> None:
    assert pickle.loads(pickle.dumps(event)) == event


@pytest.mark.parametrize(
    "kind", [errors.UsageError, errors.SpecError, errors.DataError, errors.RunError, errors.TrainingError]
)
def test_errors_pickle_with_their_class_message_and_remedy(kind: type[errors.GrubenchError]) -> None:
    error = pickle.loads(pickle.dumps(kind("disk full", "Free some space.")))
    assert (type(error), error.message, error.remedy) == (kind, "disk full", "Free some space.")
