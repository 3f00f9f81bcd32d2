"""Trials of a comparison: reused where done, matched by time, and going on past failures."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import IN_PROCESS, half_done, tiny, visible

from grubench import api
from grubench.comparison.comparison import Comparison, load
from grubench.comparison.verdict import write_verdict
from grubench.errors import GrubenchError, RunError, TrainingError, UsageError
from grubench.execution import session
from grubench.execution.executor import Job
from grubench.execution.in_process import InProcess
from grubench.execution.options import ExecutionOptions
from grubench.execution.scheduler import KEY_DIGITS
from grubench.reports.export import write_folder
from grubench.runs import locks
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.training.events import Event, Note, TrialStart, ignore
from grubench.training.predict import predict


def test_finished_trials_are_reused_until_fresh(tmp_path: Path) -> None:
    events: list[Event] = []
    spec = tiny(epochs=1)

    def call(**more: object) -> Comparison:
        events.clear()
        return api.compare(spec, seeds=1, output=tmp_path, options=IN_PROCESS, on_event=events.append, **more)  # type: ignore[arg-type]

    first = call(cells=["gru"])
    assert (first.reused, len(first.runs)) == (0, 1)
    second = call(cells=["gru", "rnn"])
    assert second.reused == 1
    assert Counter(event.arm for event in events if isinstance(event, TrialStart)) == {"RNN": 1}
    assert [run.name for run in second.runs_of("GRU")] == [run.name for run in first.runs]
    assert call(cells=["gru"], fresh=True).reused == 0


class Scripted(InProcess):
    """An executor whose trials end as a test says: with a finished run, or with an error."""

    def __init__(self, end) -> None:
        super().__init__(ignore)
        self.end = end

    def _run(self, job: Job) -> GrubenchError | None:
        outcome = self.end(job.spec)
        if isinstance(outcome, GrubenchError):
            return outcome
        shutil.copytree(outcome.folder, job.folder)
        return None


def test_a_failed_trial_is_shown_and_the_others_go_on(trained: dict[str, Run], tmp_path: Path, monkeypatch) -> None:
    def end(trial: Experiment) -> Run | GrubenchError:
        if trial.seed == 1 and trial.model.cell == "lstm":
            return TrainingError("The loss became nan in epoch 3.")
        return RunError("disk full") if trial.seed == 2 else trained[trial.model.cell]

    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(end))
    comparison = api.compare(tiny(), seeds=3, output=tmp_path)
    assert [(failure.arm, failure.seed, failure.message) for failure in comparison.failures] == [
        ("LSTM", 1, "The loss became nan in epoch 3."),
        ("GRU", 2, "disk full"),
        ("LSTM", 2, "disk full"),
    ]
    assert [len(arm) for arm in comparison.arms.values()] == [2, 1]
    sentences = map(str, write_verdict(comparison).findings)
    assert any(sentence.startswith("Failed: LSTM with seed 1: The loss") for sentence in sentences)


def test_an_arm_whose_trials_all_fail_stays_in_the_comparison(
    trained: dict[str, Run], tmp_path: Path, monkeypatch
) -> None:
    def end(trial: Experiment) -> Run | GrubenchError:
        return TrainingError("The loss became NaN.") if any(trial.model.dropout) else trained[trial.model.cell]

    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(end))
    comparison = api.compare(tiny(), vary={"dropout": [0.0, 0.2]}, seeds=1, output=tmp_path)
    assert [arm.name for arm in comparison.arms] == ["GRU dropout=0", "LSTM dropout=0"]
    assert [arm.name for arm in comparison.failed_arms] == ["GRU dropout=0.2", "LSTM dropout=0.2"]
    write_folder(comparison)
    assert comparison.folder is not None
    loaded = load(comparison.folder)
    assert list(loaded.arms) == list(comparison.arms)
    assert loaded.failed_arms == comparison.failed_arms
    assert loaded.notes == comparison.notes == ("The arms differ in dropout.",)
    assert write_verdict(loaded) == write_verdict(comparison)


def test_when_every_trial_fails_the_first_error_is_reported(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(lambda _: TrainingError("no luck")))
    with pytest.raises(TrainingError, match="no luck"):
        api.compare(tiny(), seeds=1, output=tmp_path)


def test_a_trial_that_cannot_be_locked_is_a_failure_and_the_others_go_on(
    trained: dict[str, Run], tmp_path: Path, monkeypatch
) -> None:
    acquire = locks.acquire

    def full_for_one(root: Path, key: str, **more: object) -> locks.FolderLock | None:
        if key == trained["lstm"].experiment.digest[:KEY_DIGITS]:
            raise RunError(f"{root} could not be written: No space left on device.")
        return acquire(root, key, **more)

    monkeypatch.setattr(locks, "acquire", full_for_one)
    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(lambda trial: trained[trial.model.cell]))
    comparison = api.compare(tiny(), seeds=1, output=tmp_path)
    assert [(failure.arm, "No space left" in failure.message) for failure in comparison.failures] == [("LSTM", True)]
    assert len(comparison.runs_of("GRU")) == 1


def test_what_is_wrong_with_every_trial_ends_the_comparison(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(lambda _: UsageError("a wrong setting")))
    with pytest.raises(UsageError, match="a wrong setting"):
        api.compare(tiny(), seeds=3, output=tmp_path)
    lock = locks.acquire(tmp_path, tiny().digest[:KEY_DIGITS])
    assert lock  # it was let go


def test_what_only_a_later_arm_cannot_have_is_its_failure(trained: dict[str, Run], tmp_path: Path, monkeypatch) -> None:
    def end(trial: Experiment) -> Run | GrubenchError:
        return UsageError("no such kernel") if trial.model.cell == "lstm" else trained[trial.model.cell]

    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(end))
    comparison = api.compare(tiny(), seeds=1, output=tmp_path)
    assert [(failure.arm, failure.message) for failure in comparison.failures] == [("LSTM", "no such kernel")]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"executor": "rya"}, "--executor"),
        ({"jobs": 0}, "--jobs: 0"),
        ({"executor": "in-process", "jobs": 2}, "--in-process"),
        ({"executor": "ray", "jobs": 2}, "--executor ray"),
        ({"executor": "ray", "checkpoint_every": 1}, "--checkpoint-every"),
        ({"ray_address": "auto"}, "--ray-address"),
    ],
)
def test_what_contradicts_itself_is_refused(settings: dict, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        ExecutionOptions(**settings)


@pytest.mark.parametrize("options", [ExecutionOptions(jobs=2), ExecutionOptions(executor="ray")])
def test_trials_that_need_a_machine_for_themselves_do_not_share_one(options: ExecutionOptions, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"training\.seconds"):
        api.compare(tiny(), match="time", output=tmp_path, options=options)
    with pytest.raises(UsageError, match=r"training\.seconds"):
        api.compare(tiny(seconds=1), output=tmp_path, options=options)
    with pytest.raises(UsageError, match=r"training\.strategy"):
        api.compare(tiny(strategy="mirrored"), output=tmp_path, options=options)


def test_a_trial_of_another_process_is_waited_for_and_taken(
    trained: dict[str, Run], tmp_path: Path, monkeypatch
) -> None:
    spec = trained["gru"].experiment
    other = locks.acquire(tmp_path, spec.digest[:KEY_DIGITS])
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        if isinstance(event, Note):  # the other process ends its trial while this one waits
            shutil.copytree(trained["gru"].folder, other.partial)
            other.publish(f"x-{spec.digest[:6]}")
            other.release()

    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(lambda trial: trained[trial.model.cell]))
    comparison = api.compare(spec, seeds=1, output=tmp_path, on_event=on_event)
    assert "another process" in next(event.text for event in events if isinstance(event, Note))
    assert [event.arm for event in events if isinstance(event, TrialStart)] == ["LSTM"]
    assert comparison.runs_of("GRU")[0].name == f"x-{spec.digest[:6]}"
    assert len([name for name in visible(tmp_path) if "compare" not in name]) == 2


def test_what_another_process_leaves_is_trained_here(trained: dict[str, Run], tmp_path: Path, monkeypatch) -> None:
    spec = trained["gru"].experiment
    other = locks.acquire(tmp_path, spec.digest[:KEY_DIGITS])
    other.partial.mkdir()

    def on_event(event: Event) -> None:
        if isinstance(event, Note):  # it dies: the system frees its lock, and what is half done stays
            other._lock.release()

    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(lambda trial: trained[trial.model.cell]))
    comparison = api.compare(spec, cells=["gru"], seeds=1, output=tmp_path, on_event=on_event)
    assert len(comparison.runs) == 1
    assert not half_done(tmp_path)


class TestMatchedByTime:
    def test_all_train_as_long_as_the_lstm_needs(self, tmp_path: Path) -> None:
        events: list[Event] = []

        def call() -> Comparison:
            return api.compare(
                tiny(epochs=3), match="time", seeds=1, output=tmp_path, options=IN_PROCESS, on_event=events.append
            )

        first = call()
        pilot = next(event for event in events if isinstance(event, TrialStart))
        assert (pilot.arm, pilot.epochs, pilot.seconds) == ("pilot, LSTM", 3, 0)
        assert len({run.experiment.training.seconds for run in first.runs}) == 1
        assert first.spec.training.seconds > 0
        events.clear()
        second = call()  # the pilot is found again, so the time is the same, and so are the trials
        assert [run.name for run in second.runs] == [run.name for run in first.runs]
        assert not [event for event in events if isinstance(event, TrialStart)]

    def test_a_given_time_needs_no_pilot(self, tmp_path: Path) -> None:
        comparison = api.compare(tiny(seconds=1e-6), match="time", seeds=1, output=tmp_path, options=IN_PROCESS)
        assert {run.metrics.loss.epochs for run in comparison.runs} == {1}
        assert len(visible(tmp_path)) == 2


@pytest.mark.parametrize("fresh", [True, False])
def test_fresh_trials_start_without_the_checkpoint_that_is_there(fresh: bool, tmp_path: Path, monkeypatch) -> None:
    spec = tiny()
    checkpoint = tmp_path / locks.CHECKPOINTS / f"{spec.digest[:KEY_DIGITS]}.npz"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    present: list[bool] = []

    def end(trial: Experiment) -> GrubenchError:
        present.append(checkpoint.exists())
        return TrainingError("no luck")

    monkeypatch.setattr(session, "make_executor", lambda *_: Scripted(end))
    with pytest.raises(TrainingError, match="no luck"):
        api.compare(spec, cells=["gru"], seeds=1, output=tmp_path, fresh=fresh)
    assert present == [not fresh]


class TestTables:
    """compare and train take a table, in memory or in a file, with its settings."""

    def make_frame(self) -> pd.DataFrame:
        time = pd.date_range("2026-01-01", periods=80, freq="h", tz="Europe/Berlin", name="time")
        step = np.arange(80)
        return pd.DataFrame({"price": np.sin(step / 4) + 5, "day": np.where(step % 3, "dry", "wet")}, index=time)

    @pytest.mark.parametrize("options", [IN_PROCESS, ExecutionOptions()])
    def test_a_frame_is_compared_and_forecast(self, tmp_path: Path, options: ExecutionOptions) -> None:
        frame = self.make_frame()
        before = frame.copy()
        comparison = api.compare(
            frame,
            target="price",
            time="time",
            features="day",
            layers="gru:4",
            lookback=8,
            stride=4,
            epochs=1,
            cells=["gru"],
            seeds=1,
            output=tmp_path,
            options=options,
        )
        pd.testing.assert_frame_equal(frame, before)
        run = comparison.runs[0]
        assert run.experiment.data.file == "frame"
        assert run.categories() == {"day": ("dry", "wet")}
        assert predict(run, file=frame, steps=1).rows["frame"].labels() == ["2026-01-04T08:00+01:00"]
        with pytest.raises(UsageError, match="The run was trained on frame, which is not there"):
            predict(run)

    def test_settings_go_with_tables_alone(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="target: a spec has its own settings"):
            api.compare(tiny(), target="price", output=tmp_path)
        with pytest.raises(UsageError, match="unknown key 'targt'"):
            api.train(self.make_frame(), targt="price", output=tmp_path)
        with pytest.raises(UsageError, match="It has: time, price, day"):
            api.train(self.make_frame(), target="prize", output=tmp_path)
        with pytest.raises(UsageError, match=r"there is no file .*absent\.csv"):
            api.train(tmp_path / "absent.csv", target="price", output=tmp_path)
