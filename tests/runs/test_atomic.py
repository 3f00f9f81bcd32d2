"""Atomic writes: files and folders appear complete or not at all."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

import pytest
from conftest import visible

from grubench.errors import RunError
from grubench.runs import atomic, locks


def test_a_folder_whose_block_fails_is_not_there(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic.write_folder(tmp_path, "run") as folder:
            (folder / "half").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not visible(tmp_path)


def test_a_folder_appears_complete_and_replaces_an_older_one(tmp_path: Path) -> None:
    with atomic.write_folder(tmp_path, "run") as folder:
        (folder / "a").write_text("new")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "a").read_text() == "new"
    with atomic.write_folder(tmp_path, "run") as folder:
        (folder / "b").write_text("newer")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["b"]
    assert visible(tmp_path) == ["run"]


def test_a_file_appears_complete_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with atomic.write_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".csv"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_whose_block_fails_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def fail() -> None:
        with atomic.write_file(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_a_file_do_not_share_a_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with atomic.write_file(path) as first, atomic.write_file(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_place_of_a_link_does_not_write_through_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "a.csv").symlink_to(outside)
    with atomic.write_file(tmp_path / "a.csv") as temporary:
        temporary.write_text("new")
    assert outside.read_text() == "mine"
    assert (tmp_path / "a.csv").read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic.write_file(tmp_path / "a") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_a_killed_process_left_of_a_file_is_removed_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with atomic.write_file(path) as temporary:
        (tmp_path / f"{temporary.name}.left").touch()  # as a process that was killed would leave one
    (tmp_path / ".b.csv.partial-0").touch()
    path.write_text("old")
    atomic.remove_partial(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [".b.csv.partial-0", "a.csv"]
    atomic.remove_partial(tmp_path / "absent" / "a.csv")


def test_a_file_that_a_killed_process_left_a_day_ago_is_removed_by_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    old, new = tmp_path / ".a.csv.partial-old.csv", tmp_path / ".a.csv.partial-new.csv"
    for partial in (old, new):
        partial.touch()
    two_days_ago_s = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago_s, two_days_ago_s))
    with atomic.write_file(path) as temporary:
        temporary.write_text("new")
    assert sorted(tmp_path.iterdir()) == [new, path]


def test_a_file_in_the_output_folders_place_is_an_error(tmp_path: Path) -> None:
    taken = tmp_path / "runs"
    taken.write_text("a file")
    with pytest.raises(RunError, match="cannot be written"):
        atomic.check_writable(taken)


@pytest.mark.parametrize(
    ("name", "said"), [("x" * 300, "cannot be written"), ("/".join(["x" * 200] * 20), "the path of the folder has")]
)
def test_a_path_too_long_for_runs_is_an_error(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(RunError, match=said):
        atomic.check_writable(tmp_path / name)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("name", [locks.LOCKS, locks.CHECKPOINTS])
def test_hidden_folders_that_are_links_are_refused_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "runs" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a link, and grubench writes nothing through it"):
        atomic.check_writable(tmp_path / "runs")


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_pipe_and_a_folder_are_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "pipe.csv")
    before = sorted(tmp_path.iterdir())
    for name in ("pipe.csv", "folder.csv", "link.csv"):
        with (
            pytest.raises(RunError, match="is no file but a folder, a pipe or a device"),
            atomic.write_file(tmp_path / name),
        ):
            pytest.fail("it was written")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "link.csv").is_symlink()


def test_a_file_written_aside_is_new_and_follows_no_planted_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where its random name was guessed."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    guessed = uuid.uuid4()
    monkeypatch.setattr(uuid, "uuid4", lambda: guessed)
    (tmp_path / f".a.csv.partial-{guessed.hex}.csv").symlink_to(outside)
    with pytest.raises(RunError, match="could not be written: File exists"), atomic.write_file(tmp_path / "a.csv"):
        pytest.fail("it was written")
    assert outside.read_text() == "mine"
