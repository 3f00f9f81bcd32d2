"""Python files in the current folder: beside the data, or in a run that someone sent. None of them runs."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from grubench.execution import forkservers
from grubench.runs.run import Run

NAMES = (
    *("numpy", "pandas", "keras", "tensorflow", "h5py", "msgspec", "filelock", "llvmlite", "rich", "typer"),
    *("socket", "typing", "json", "pickle", "struct", "tempfile", "signal", "random", "queue", "selectors"),
    *("pkgutil", "logging", "threading", "sitecustomize", "ray", "jinja2"),
)
TINY = ("--epochs", "1", "--units", "4", "--lookback", "12", "--stride", "16", "--output", "runs")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder with a file for each name that would leave a mark if it ran."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w').close()\n")
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A script as an installation makes one."""
    script = tmp_path / "bin" / "grubench"
    script.parent.mkdir()
    script.write_text("import sys\nfrom grubench.cli import main\nsys.exit(main())\n")
    return script


def run(command: Path, folder: Path, *words: str) -> None:
    """Call grubench in a folder, and look for marks."""
    done = subprocess.run(
        [sys.executable, str(command), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if Path(path).is_absolute())},
    )
    assert done.returncode == 0, done.stderr
    assert not [name for name in NAMES if (folder.parent / name).exists()]


@pytest.mark.parametrize("words", [("--help",), ("datasets",), ("runs",), ("guide", "start")])
def test_light_commands_run_none(planted: Path, command: Path, words: tuple[str, ...]) -> None:
    run(command, planted, *words)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("train", *TINY),
        ("train", "--in-process", *TINY),
        ("compare", "--seeds", "1", "--jobs", "2", "--report", "report.html", *TINY),
        ("bench", "--units", "4", "--rounds", "1"),
        ("doctor",),
    ],
)
def test_commands_that_train_run_none(planted: Path, command: Path, words: tuple[str, ...]) -> None:
    run(command, planted, *words)


@pytest.mark.slow
def test_a_cluster_runs_none(planted: Path, command: Path) -> None:
    pytest.importorskip("ray")
    run(command, planted, "compare", "--seeds", "1", "--executor", "ray", *TINY)


@pytest.mark.slow
def test_predict_runs_none_in_a_run_that_someone_sent(trained: dict[str, Run], planted: Path, command: Path) -> None:
    for file in trained["gru"].folder.iterdir():
        (planted / file.name).write_bytes(file.read_bytes())
    run(command, planted, "predict", ".")


def send_path(pipe: Connection) -> None:
    """The body of a child: where it would look for modules, and the modules that it has."""
    pipe.send((sys.flags.safe_path, sys.path))


@pytest.mark.skipif(not forkservers.available(), reason="there are no fork servers on this system")
def test_a_helper_looks_for_modules_where_its_parent_does(
    planted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(forkservers, "PRELOADED", ("numpy", "socket"))
    monkeypatch.setattr(forkservers, "_servers", {})
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.chdir(planted)
    reader, writer = forkservers.make_pipe()
    process = forkservers.start_process("tensorflow", send_path, writer)
    writer.close()
    safe, path = reader.recv()
    process.join()
    assert safe
    assert path == [str(Path(entry).absolute()) if entry else str(Path.cwd()) for entry in sys.path]
    assert "PYTHONSAFEPATH" not in os.environ
    assert not [name for name in NAMES if (tmp_path / name).exists()]
