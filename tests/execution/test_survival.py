"""Kill -9 at any moment: the same command finishes the comparison, and nothing is trained, kept or listed twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import half_done, visible

from grubench.comparison import comparison
from grubench.runs import run as runs

pytestmark = pytest.mark.slow

KILLS = 20
WORDS = ["compare", "--cells", "gru,rnn", "--seeds", "6", "--epochs", "2", "--stride", "30", "--units", "4"]
TRIALS = 12


def started(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "grubench", *WORDS, *more],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes(group: int) -> list[int]:
    """The processes of a group."""
    numbers = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                numbers.append(int(entry.name))
    return numbers


def check(folder: Path) -> list[str]:
    """What must hold at any moment: every run that is listed is whole, and no trial is listed twice."""
    listed = runs.list_runs(folder)
    twice = [name for name, count in Counter((run.experiment.digest) for run in listed).items() if count > 1]
    assert not twice
    named = [name for name in visible(folder) if "compare" not in name]
    assert sorted(run.name for run in listed) == named
    return named


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_kill_at_random_moments(tmp_path: Path) -> None:
    """Parents, workers and whole groups are killed; what was finished before stays as it was."""
    draw = random.Random(0)
    folder = tmp_path / "runs"
    before: dict[str, int] = {}
    killed: Counter[str] = Counter()
    while sum(killed.values()) < KILLS:
        process = started(tmp_path, "--jobs", "2", "--checkpoint-every", "1")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0.0, 6.0))
        if process.poll() is not None:  # it was done before its moment came: start over
            assert process.returncode == 0, process.stdout.read()
            for name in visible(folder):
                (folder / name).rename(tmp_path / f"done-{sum(killed.values())}-{name}")
            before = {}
            continue
        what = draw.choice(["parent", "worker", "group"])
        everyone = processes(process.pid)
        victims = {"parent": [process.pid], "group": everyone, "worker": everyone[-1:]}[what]
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        killed[what] += 1
        output, _ = process.communicate(timeout=300)
        assert "Traceback" not in output, output
        now = {name: (folder / name / "metrics.json").stat().st_mtime_ns for name in check(folder)}
        assert before.items() <= now.items()  # nothing that was finished was touched
        before = now
    assert set(killed) == {"parent", "worker", "group"}
    last = started(tmp_path, "--jobs", "2", "--checkpoint-every", "1")
    output, _ = last.communicate(timeout=300)
    assert last.returncode == 0, output
    assert len(check(folder)) == TRIALS
    assert before.items() <= {name: (folder / name / "metrics.json").stat().st_mtime_ns for name in before}.items()
    assert not half_done(folder)
    (folder_of_comparison,) = folder.glob("*compare*")
    assert len(comparison.load(folder_of_comparison).runs) == TRIALS


def test_two_processes_share_a_comparison(tmp_path: Path) -> None:
    both = [started(tmp_path), started(tmp_path, "--jobs", "2")]
    for process in both:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    assert len(check(tmp_path / "runs")) == TRIALS
    assert not half_done(tmp_path)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_trial_ends_with_the_process_that_wants_it(tmp_path: Path) -> None:
    """In the middle of an epoch that would last for hours: another call may train the same trial by then."""
    process = started(
        tmp_path, "--epochs", "1", "--stride", "1", "--batch-size", "1", "--kernel", "keras", "--lookback", "400"
    )
    for line in process.stdout:
        if "epoch 1/1 step" in line:
            break
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 15
    while processes(process.pid):
        assert time.monotonic() < deadline, "the trial outlives its parent"
        os.sched_yield()
    assert not check(tmp_path / "runs")
