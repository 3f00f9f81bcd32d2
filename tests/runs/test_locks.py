"""Claims: held by one at a time, freed by death, and what is filled appears whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import visible

from grubench.errors import RunError
from grubench.runs import locks


def test_a_claim_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    claim = locks.take(tmp_path, "a")
    assert locks.take(tmp_path, "a") is None
    assert locks.take(tmp_path, "b")
    claim.release()
    assert locks.take(tmp_path, "a")


def test_a_claim_is_freed_by_death_and_what_was_half_done_is_cleared(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from grubench.runs import locks\n"
        "claim = locks.take(Path(sys.argv[1]), 'a'); claim.aside.mkdir(); (claim.aside / 'half').touch()\n"
        "print(locks.take(Path(sys.argv[1]), 'a')); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("None", -9)
    left = [path for path in tmp_path.iterdir() if path.name.startswith(locks.PARTIAL)]
    assert len(left) == 1
    held = locks.take(tmp_path, "b")
    held.aside.mkdir()
    locks.sweep(tmp_path)
    assert not left[0].exists()
    assert held.aside.exists()


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with locks.written_aside(tmp_path, "run") as folder:
            (folder / "half").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not visible(tmp_path)


def test_a_block_that_ends_well_appears_whole(tmp_path: Path) -> None:
    with locks.written_aside(tmp_path, "run") as folder:
        (folder / "a").write_text("new")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "a").read_text() == "new"
    with locks.written_aside(tmp_path, "run") as folder:
        (folder / "b").write_text("newer")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["b"]
    assert visible(tmp_path) == ["run"]


def test_what_was_being_replaced_is_there_again_after_a_kill(tmp_path: Path) -> None:
    claim = locks.take(tmp_path, "it")
    claim.aside.mkdir()
    claim.aside.with_name(f"{claim.aside.name}{locks.OLD}").mkdir()
    (claim.aside.with_name(f"{claim.aside.name}{locks.OLD}") / "a").touch()
    claim._lock.release()  # killed between the two renamings
    locks.sweep(tmp_path)
    assert [path.name for path in (tmp_path / "it").iterdir()] == ["a"]
    assert visible(tmp_path) == ["it"]
    assert not list(tmp_path.glob(f"{locks.PARTIAL}*"))


def test_a_key_that_begins_like_another_or_has_marks_of_a_pattern_clears_its_own(tmp_path: Path) -> None:
    other = locks.take(tmp_path, "a[1]-2")
    other.aside.mkdir()
    own = locks.take(tmp_path, "a[1]")
    own.aside.mkdir()
    own._lock.release()
    locks.take(tmp_path, "a[1]")
    assert other.aside.exists()
    assert not own.aside.exists()


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "runs"
    taken.write_text("a file")
    with pytest.raises(RunError, match="cannot be written"):
        locks.check_writable(taken)
    with pytest.raises(RunError, match="could not be written"):
        locks.take(taken, "a")
