"""The run folder: complete or absent, refused where it is none."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from grubench import environment, runs
from grubench.errors import RunError, UsageError
from grubench.runs import Run


@pytest.fixture
def copy(trained: dict[str, Run], tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(trained["gru"].folder, folder)
    return folder


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with runs.written_aside(tmp_path, "run") as folder:
            (folder / "half").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_block_that_ends_well_appears_whole(tmp_path: Path) -> None:
    with runs.written_aside(tmp_path, "run") as folder:
        (folder / "a").write_text("new")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "a").read_text() == "new"
    with runs.written_aside(tmp_path, "run") as folder:
        (folder / "b").write_text("newer")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_a_dead_process_left_is_swept_and_a_living_ones_kept(tmp_path: Path) -> None:
    dead, alive = tmp_path / f"{runs.PARTIAL}4194304-x", tmp_path / f"{runs.PARTIAL}{os.getppid()}-x"
    dead.mkdir()
    alive.mkdir()
    with runs.written_aside(tmp_path, "run"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"run", alive.name}


def test_runs_are_listed_newest_first_and_others_passed_over(copy: Path) -> None:
    newer = copy.with_name("newer")
    shutil.copytree(copy, newer)
    (copy.parent / "notes").mkdir()
    half = copy.with_name("half")
    shutil.copytree(copy, half)
    (half / "model.keras").unlink()
    shutil.copytree(copy, copy.with_name(f"{runs.PARTIAL}1-x"))
    assert [run.name for run in runs.listed(copy.parent)] == ["newer", "copy"]
    assert runs.listed(copy.parent / "absent") == []


@pytest.mark.parametrize("name", runs.FILES)
def test_a_folder_without_one_of_its_files_is_no_run(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(UsageError, match=f"is not a run: it has no {name}"):
        runs.load(copy)


def test_no_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        runs.load(tmp_path / "absent")


def test_a_newer_schema_is_refused(copy: Path) -> None:
    metrics = json.loads((copy / "metrics.json").read_text())
    (copy / "metrics.json").write_text(json.dumps(metrics | {"schema": runs.SCHEMA + 1}))
    with pytest.raises(RunError, match="newer grubench") as caught:
        runs.load(copy)
    assert "pip install -U" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", "{"),
        ("metrics.json", "[]"),
        ("metrics.json", "{}"),
        ("environment.json", "nonsense"),
        ("experiment.toml", "x = "),
        ("experiment.toml", "[model]\nlayers = 3"),
    ],
)
def test_a_damaged_run_names_the_file(copy: Path, name: str, content: str) -> None:
    (copy / name).write_text(content)
    with pytest.raises(RunError, match=name):
        runs.load(copy)


def test_a_run_is_found_by_spec_data_and_machine(trained: dict[str, Run]) -> None:
    run = trained["gru"]
    digest, fingerprint, machine = run.metrics["digest"], run.metrics["data"]["fingerprint"], environment.machine()
    assert runs.find([trained["lstm"], run], digest, fingerprint, machine) is run
    assert runs.find([run], "other", fingerprint, machine) is None
    assert runs.find([run], digest, "other", machine) is None
    assert runs.find([run], digest, fingerprint, machine | {"processor": "another"}) is None


def test_two_runs_of_one_second_get_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.time, "strftime", lambda _: "2026-01-31-101502")
    first = runs.free_name(tmp_path, "a-gru-s0", "3f2a9c00")
    (tmp_path / first).mkdir()
    assert (first, runs.free_name(tmp_path, "a-gru-s0", "3f2a9c00")) == (
        "2026-01-31-101502-a-gru-s0-3f2a9c",
        "2026-01-31-101502-a-gru-s0-3f2a9c-2",
    )


def test_the_environment_names_what_decides_a_result() -> None:
    found = environment.describe()
    assert set(environment.PACKAGES) < set(found["versions"])
    assert found["cores"] == os.cpu_count()
    assert environment.peak_memory_bytes() > 2**20
