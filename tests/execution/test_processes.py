"""Trials in processes of their own: the same results, and a death that is reported."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import half_done, tiny, visible

from grubench import api
from grubench.backends import gpus, machine
from grubench.comparison.verdict import write_verdict
from grubench.errors import TrainingError
from grubench.execution import processes
from grubench.execution.options import ExecutionOptions
from grubench.execution.processes import Processes
from grubench.reports import header, rows
from grubench.runs.run import Run, load
from grubench.training.events import EpochEnd, Event, Stage, TrialEnd, TrialStart, ignore

slow = pytest.mark.slow


def weights(run: Run) -> list[np.ndarray]:
    return keras.saving.load_model(run.folder / "model.keras").get_weights()


def same_weights(first: Run, second: Run) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(weights(first), weights(second), strict=True))


@slow
def test_a_process_of_its_own_gives_the_same_weights(trained: dict[str, Run], tmp_path: Path) -> None:
    events: list[Event] = []
    run = api.train(trained["gru"].experiment, output=tmp_path, on_event=events.append)
    assert same_weights(run, trained["gru"])
    assert [event.epoch for event in events if isinstance(event, EpochEnd)] == [1, 2]
    assert run.environment.command == trained["gru"].environment.command


@slow
def test_trials_at_a_time_give_the_same_weights_and_say_that_their_times_are_shared(
    trained: dict[str, Run], tmp_path: Path
) -> None:
    events: list[Event] = []
    comparison = api.compare(tiny(), seeds=2, output=tmp_path, options=ExecutionOptions(jobs=3), on_event=events.append)
    assert same_weights(comparison.runs_of("GRU")[0], trained["gru"])
    assert same_weights(comparison.runs_of("LSTM")[0], trained["lstm"])
    assert {run.environment.shared for run in comparison.runs} == {"with 3 trials at a time (--jobs 3)"}
    assert len({run.environment.call for run in comparison.runs}) == 1
    order = [event for event in events if isinstance(event, TrialStart)]
    assert {(run.environment.place, run.experiment.seed) for run in comparison.runs} == {
        (place, event.seed) for place, event in enumerate(order)
    }
    assert {run.environment.threads for run in comparison.runs} == {max(1, machine.count_cores() // 3)}
    assert any("shared a machine" in sentence for sentence in map(str, write_verdict(comparison).findings))
    running, most = 0, 0
    for event in events:
        running += {TrialStart: 1, TrialEnd: -1}.get(type(event), 0)
        most = max(most, running)
    assert most == 3
    assert all(row.shared for row in rows.make_rows(comparison) if row.seeds)


@slow
def test_an_error_comes_back_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="in epoch 1") as caught:
        api.train(tiny(optimizer="sgd", learning_rate=1e30), output=tmp_path)
    assert "--learning-rate" in caught.value.remedy
    assert not visible(tmp_path)


@slow
def test_a_killed_trial_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, EpochEnd):
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(TrainingError, match="SIGKILL"):
        api.train(tiny(epochs=500), output=tmp_path, on_event=kill)
    assert not visible(tmp_path)
    assert not half_done(tmp_path)


@slow
def test_a_killed_trial_goes_on_from_its_checkpoint_to_the_same_weights(tmp_path: Path) -> None:
    spec = tiny(epochs=12, patience=3, min_delta=0.05, optimizer="adam")
    spec = replace(spec, model=replace(spec.model, layers=("lstm:4", "gru:3"), dropout=(0.3,)))
    never = api.train(spec, output=tmp_path / "never")
    options = ExecutionOptions(checkpoint_every=1)

    def kill_at(epoch: int):
        def kill(event: Event) -> None:
            if isinstance(event, EpochEnd) and event.epoch == epoch:
                for child in multiprocessing.active_children():
                    os.kill(child.pid, signal.SIGKILL)

        return kill

    for epoch in (2, 4):
        with pytest.raises(TrainingError, match="SIGKILL"):
            api.train(spec, output=tmp_path, options=options, on_event=kill_at(epoch))
    events: list[Event] = []
    run = api.train(spec, output=tmp_path, options=options, on_event=events.append)
    assert same_weights(run, never)
    assert run.history()["loss"] == pytest.approx(never.history()["loss"], rel=1e-6)
    assert run.metrics.loss.kept_epoch == never.metrics.loss.kept_epoch
    resumed = run.metrics.timing.resumed_after_epochs
    assert len(resumed) == 2
    assert f"resuming after epoch {resumed[-1]}" in [event.text for event in events if isinstance(event, Stage)]
    assert "resumed after epoch" in header.describe_resumption(run)
    assert not half_done(tmp_path)
    assert not list(tmp_path.glob(".checkpoints/*"))


@slow
def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from grubench import Experiment, train
            print("once")
            spec = Experiment.from_dict({"training": {"epochs": 1}, "window": {"stride": 50}})
            print(train(spec, output="runs").folder)
            """
        )
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("once") == 1
    assert load(tmp_path / done.stdout.split()[-1]).metrics.loss.epochs == 1


def grubench(*words: str) -> list[str]:
    return [sys.executable, "-m", "grubench", *words]


# Ctrl-C, `kill` and a closed terminal.
@slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_cleanly_and_keeps_what_is_finished(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, number: int, code: int
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    words = grubench("compare", "--cells", "gru,rnn", "--seeds", "50", "--epochs", "1", "--stride", "30")
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("runs/2*-s0-*")):
        assert process.poll() is None, process.stdout.read()  # type: ignore[union-attr]
        assert time.monotonic() < deadline
        os.sched_yield()
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Interrupted" in output
    assert "Traceback" not in output
    names = visible(tmp_path / "runs")
    assert names
    assert not half_done(tmp_path)
    assert all(load(tmp_path / "runs" / name) for name in names)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("code", "written", "kills", "said", "advised"),
    [
        (-signal.SIGKILL, "", 1, "SIGKILL: memory ran out", "--batch-size"),
        (-signal.SIGKILL, "", 0, "SIGKILL: killed by another process)", "same command"),
        (-signal.SIGKILL, "", None, "or, where memory ran out, by the system", "same command"),
        (-signal.SIGABRT, "what():  std::bad_alloc", 0, "SIGABRT: memory ran out", "--batch-size"),
        (-signal.SIGSEGV, "Fatal: broken library", 0, "SIGSEGV).\n  Fatal: broken library", "--in-process"),
        (3, "one\n\x1b[2Jtwo", 0, "exit code 3).\n  one\n  \\x1b[2Jtwo", "--in-process"),
    ],
)
def test_a_death_is_explained_and_memory_is_blamed_where_it_ran_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, written: str, kills: int | None, said: str, advised: str
) -> None:
    (tmp_path / "log").write_text(written)
    before = None if kills is None else 0
    process = SimpleNamespace(exitcode=code, pid=None)
    child = processes._Child(process=process, pipe=None, log=tmp_path / "log", memory_kills=before)  # type: ignore[arg-type]
    monkeypatch.setattr(machine, "count_memory_kills", lambda: kills)
    error = processes._explain_death(child)
    assert said in error.message
    assert advised in error.remedy
    assert ("memory" in f"{error}") == ("memory ran out" in said)


@slow
def test_a_model_loads_where_grubench_is_not_installed(trained: dict[str, Run], tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['grubench'] = None\n"
        "import keras; model = keras.models.load_model(sys.argv[1])\n"
        "print({layer.__class__.__module__.split('.')[0] for layer in model.layers}, model.input_shape)"
    )
    words = [sys.executable, "-c", script, str(trained["lstm"].folder / "model.keras")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'keras'} (None, 14, 1)"


@pytest.mark.parametrize(
    ("visible", "cards", "own"),
    [
        (None, ["A", "B"], ["0", "1", "0"]),
        ("2,3", ["A", "B", "C", "D"], ["2", "3", "2"]),
        ("GPU-a, GPU-b", ["A", "B"], ["GPU-a", "GPU-b", "GPU-a"]),
        (None, ["A"], ["", "", ""]),
        ("1", ["A", "B"], ["", "", ""]),
        ("", ["A", "B"], ["", "", ""]),
        (None, [], ["", "", ""]),
    ],
)
def test_trials_at_a_time_have_a_gpu_each_where_there_are_several(
    visible: str | None, cards: list[str], own: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "list_installed_cards", lambda: cards)
    monkeypatch.delenv(gpus.VISIBLE_VARIABLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE_VARIABLE, visible)
    executor = Processes(3, ignore)
    assert [executor.trial_options(tiny(), slot).card for slot in range(3)] == own
    assert Processes(1, ignore).trial_options(tiny(), 0).card == ""
