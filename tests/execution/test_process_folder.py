"""The temporary folder of a process: it goes with the process, or with the next one after a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from grubench.execution import process_folder

MAKE = "from grubench.execution.process_folder import process_folder; print(process_folder(), flush=True)"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that is empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def make(folder: Path) -> Path:
    folder.mkdir()
    (folder / process_folder.LOCK).touch()
    (folder / "listener").touch()
    return folder


def test_it_goes_with_its_process(temporary: Path) -> None:
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", MAKE], capture_output=True, text=True, check=True, env=environment)
    assert Path(done.stdout.strip()).parent == temporary
    assert not list(temporary.iterdir())


def test_what_a_killed_process_left_is_swept(temporary: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", f"{MAKE}; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert Path(killed.stdout.strip()).is_dir()
    process_folder.sweep()
    assert not list(temporary.iterdir())


def test_the_folder_of_a_process_that_lives_stays(temporary: Path) -> None:
    folder = make(temporary / "grubench-abcd_123")
    with FileLock(folder / process_folder.LOCK):
        process_folder.sweep()
        assert (folder / "listener").exists()
    process_folder.sweep()
    assert not folder.exists()


@pytest.mark.parametrize("name", ["grubench-results", "grubench-abcd12345", "pymp-abcd1234", "grubench-ABCD1234"])
def test_folders_of_other_names_are_left_alone(temporary: Path, name: str) -> None:
    folder = make(temporary / name)
    if name == "grubench-results":  # a name that could be ours, without a lock
        (folder / process_folder.LOCK).unlink()
    process_folder.sweep()
    assert (folder / "listener").exists()


def test_a_link_is_not_followed(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = make(tmp_path_factory.mktemp("elsewhere") / "data")
    (temporary / "grubench-abcd1234").symlink_to(elsewhere)
    process_folder.sweep()
    assert (elsewhere / "listener").exists()
