"""Trials of a comparison: reused where done, matched by time, and going on past failures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from conftest import tiny

from grubench import executors, trials, verdict
from grubench.comparison import Comparison, Failure
from grubench.errors import TrainingError
from grubench.experiment import Experiment
from grubench.runs import Run


def test_finished_trials_are_reused_until_fresh(tmp_path: Path) -> None:
    events: list[dict] = []
    spec = tiny(epochs=1)

    def call(**more: object) -> Comparison:
        events.clear()
        return trials.compare(spec, seeds=2, output=tmp_path, in_process=True, report=events.append, **more)  # type: ignore[arg-type]

    first = call(cells=["gru"])
    assert (first.reused, len(first.runs)) == (0, 2)
    second = call(cells=["gru", "rnn"])
    assert second.reused == 2
    assert Counter(event["arm"] for event in events if event["kind"] == "trial") == {"RNN": 2}
    assert [run.name for run in second.arms["GRU"]] == [run.name for run in first.runs]
    assert call(cells=["gru"], fresh=True).reused == 0


def test_a_failed_trial_is_shown_and_the_others_go_on(trained: dict[str, Run], tmp_path: Path, monkeypatch) -> None:
    def outcome(trial: Experiment, *_: object, **__: object) -> Path | TrainingError:
        if trial.seed == 1 and trial.model.cell == "lstm":
            return TrainingError("The loss became nan in epoch 3.")
        return trained[trial.model.cell].folder

    monkeypatch.setattr(executors, "run", outcome)
    found = trials.compare(tiny(), seeds=2, output=tmp_path, in_process=True)
    assert found.failures == (Failure(arm="LSTM", seed=1, message="The loss became nan in epoch 3."),)
    assert any(one.startswith("Failed: LSTM with seed 1. The loss") for one in verdict.sentences(found))


def test_when_every_trial_fails_the_first_error_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(executors, "run", lambda *_, **__: TrainingError("no luck"))
    with pytest.raises(TrainingError, match="no luck"):
        trials.compare(tiny(), seeds=1, output=tmp_path, in_process=True)


class TestMatchedByTime:
    def test_all_train_as_long_as_the_lstm_needs(self, tmp_path: Path) -> None:
        events: list[dict] = []

        def call() -> Comparison:
            return trials.compare(
                tiny(epochs=3), match="time", seeds=1, output=tmp_path, in_process=True, report=events.append
            )

        first = call()
        pilot = next(event for event in events if event["kind"] == "trial")
        assert (pilot["arm"], pilot["epochs"], pilot["seconds"]) == ("pilot, LSTM", 3, 0)
        assert len({run.experiment.training.seconds for run in first.runs}) == 1
        assert first.spec.training.seconds > 0
        events.clear()
        second = call()  # the pilot is found again, so the time is the same, and so are the trials
        assert [run.name for run in second.runs] == [run.name for run in first.runs]
        assert not [event for event in events if event["kind"] == "trial"]

    def test_a_given_time_needs_no_pilot(self, tmp_path: Path) -> None:
        found = trials.compare(tiny(seconds=0.01), match="time", seeds=1, output=tmp_path, in_process=True)
        assert {run.metrics["loss"]["epochs"] for run in found.runs} == {1}
        assert len(list(tmp_path.iterdir())) == 2
