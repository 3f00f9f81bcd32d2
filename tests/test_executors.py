"""Trials in processes of their own: the same results, and a death that is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny

from grubench import executors
from grubench.engine import keras
from grubench.errors import TrainingError
from grubench.runs import Run, load

pytestmark = pytest.mark.slow


def test_a_process_of_its_own_gives_the_same_weights(trained: dict[str, Run], tmp_path: Path) -> None:
    events: list[dict] = []
    folder = executors.run(trained["gru"].experiment, tmp_path, events.append)
    one, other = (keras.saving.load_model(path / "model.keras") for path in (trained["gru"].folder, folder))
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert [event["epoch"] for event in events if event["kind"] == "epoch"] == [1, 2]
    assert load(folder).environment["command"] == trained["gru"].environment["command"]


def test_an_error_comes_back_as_it_was(tmp_path: Path) -> None:
    outcome = executors.run(tiny(optimizer="sgd", learning_rate=1e30), tmp_path, lambda event: None)
    assert isinstance(outcome, TrainingError)
    assert "in epoch 1" in outcome.message
    assert "--learning-rate" in outcome.remedy
    assert not list(tmp_path.iterdir())


def test_a_killed_trial_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    def kill(event: dict) -> None:
        if event["kind"] == "epoch":
            import multiprocessing

            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

    outcome = executors.run(tiny(epochs=500), tmp_path, kill)
    assert isinstance(outcome, TrainingError)
    assert "SIGKILL" in outcome.message
    assert not list(tmp_path.iterdir())


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
    assert load(tmp_path / done.stdout.split()[-1]).metrics["loss"]["epochs"] == 1


def grubench(*words: str) -> list[str]:
    return [sys.executable, "-m", "grubench", *words]


def test_ctrl_c_ends_with_130_and_keeps_what_is_finished(tmp_path: Path) -> None:
    words = grubench("compare", "--cells", "gru,rnn", "--seeds", "50", "--epochs", "1", "--stride", "30")
    process = subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("runs/2*-s0-*")):
        assert process.poll() is None, process.stdout.read()  # type: ignore[union-attr]
        assert time.monotonic() < deadline
        os.sched_yield()
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
    left = [path.name for path in (tmp_path / "runs").iterdir()]
    assert left
    assert not [name for name in left if name.startswith(".")]
    assert all(load(tmp_path / "runs" / name) for name in left)


def test_a_model_loads_where_grubench_is_not_installed(trained: dict[str, Run], tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['grubench'] = None\n"
        "import keras; model = keras.models.load_model(sys.argv[1])\n"
        "print({layer.__class__.__module__.split('.')[0] for layer in model.layers}, model.input_shape)"
    )
    words = [sys.executable, "-c", script, str(trained["lstm"].folder / "model.keras")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'keras'} (None, 14, 1)"
