"""Locks: held by one at a time, freed when their process dies; what is half written is removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import visible

from grubench.errors import RunError
from grubench.runs import locks


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    lock = locks.acquire(tmp_path, "a")
    assert locks.acquire(tmp_path, "a") is None
    assert locks.acquire(tmp_path, "b")
    lock.release()
    assert locks.acquire(tmp_path, "a")


def test_a_lock_is_freed_by_death_and_what_was_half_done_is_cleared(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from grubench.runs import locks\n"
        "lock = locks.acquire(Path(sys.argv[1]), 'a'); lock.partial.mkdir(); (lock.partial / 'half').touch()\n"
        "print(locks.acquire(Path(sys.argv[1]), 'a')); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("None", -9)
    left = [path for path in tmp_path.iterdir() if path.name.startswith(locks.PARTIAL)]
    assert len(left) == 1
    held = locks.acquire(tmp_path, "b")
    held.partial.mkdir()
    locks.remove_partial(tmp_path)
    assert not left[0].exists()
    assert not (tmp_path / "a").exists()  # half of it is not published
    assert held.partial.exists()


def test_what_was_being_replaced_is_there_again_after_a_kill(tmp_path: Path) -> None:
    lock = locks.acquire(tmp_path, "it")
    lock.partial.mkdir()
    lock.partial.with_name(f"{lock.partial.name}{locks.OLD}").mkdir()
    (lock.partial.with_name(f"{lock.partial.name}{locks.OLD}") / "a").touch()
    lock._lock.release()  # killed between the two renamings
    locks.remove_partial(tmp_path)
    assert [path.name for path in (tmp_path / "it").iterdir()] == ["a"]
    assert visible(tmp_path) == ["it"]
    assert not list(tmp_path.glob(f"{locks.PARTIAL}*"))


def test_a_key_that_begins_like_another_or_has_marks_of_a_pattern_clears_its_own(tmp_path: Path) -> None:
    other = locks.acquire(tmp_path, "a[1]-2")
    other.partial.mkdir()
    own = locks.acquire(tmp_path, "a[1]")
    own.partial.mkdir()
    own._lock.release()
    locks.acquire(tmp_path, "a[1]")
    assert other.partial.exists()
    assert not own.partial.exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match="could not be written"):
        locks.acquire(tmp_path / "runs", "a")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with a file in it, that planted links lead to."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    return folder


def is_untouched(elsewhere: Path) -> bool:
    return [path.name for path in elsewhere.iterdir()] == ["mine"] and (elsewhere / "mine").read_text() == "mine"


def test_locks_that_are_a_link_elsewhere_are_refused(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / locks.LOCKS).symlink_to(elsewhere)
    with pytest.raises(RunError, match="is a link, and grubench writes nothing through it"):
        locks.acquire(tmp_path / "runs", "a")
    assert is_untouched(elsewhere)


@pytest.mark.parametrize("plant", [Path.symlink_to, Path.hardlink_to, lambda path, _: os.mkfifo(path)])
def test_a_lock_that_is_a_link_or_a_pipe_is_refused(tmp_path: Path, elsewhere: Path, plant) -> None:
    root = tmp_path / "runs"
    (root / locks.LOCKS).mkdir(parents=True)
    plant(root / locks.LOCKS / "a.lock", elsewhere / "mine")
    with pytest.raises(RunError, match="no lock of grubench's but a link or a pipe"):
        locks.acquire(root, "a")
    assert is_untouched(elsewhere)


@pytest.mark.parametrize("end", ["", locks.OLD])
def test_a_link_among_what_is_half_written_is_removed_and_not_followed(
    tmp_path: Path, elsewhere: Path, end: str
) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    (root / f"{locks.PARTIAL}a-01234567{end}").symlink_to(elsewhere)
    locks.remove_partial(root)
    assert [path.name for path in root.iterdir()] == [locks.LOCKS]
    assert is_untouched(elsewhere)


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_what_is_published_in_place_of_a_link_does_not_go_through_it(
    tmp_path: Path, elsewhere: Path, target: str
) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    (root / "it").symlink_to(tmp_path / target)
    lock = locks.acquire(root, "it")
    lock.partial.mkdir()
    (lock.partial / "a").touch()
    lock.publish("it")
    lock.release()
    assert visible(root) == ["it"]
    assert not (root / "it").is_symlink()
    assert is_untouched(elsewhere)
    assert not (tmp_path / "nowhere").exists()
