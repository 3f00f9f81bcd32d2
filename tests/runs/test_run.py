"""The run folder: complete or absent, refused where it is none."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from grubench.backends import machine as environment
from grubench.backends import versions
from grubench.errors import RunError, UsageError
from grubench.runs import folder
from grubench.runs import run as runs
from grubench.runs.records import SCHEMA, Machine
from grubench.runs.run import Run
from grubench.runs.store import RunStore


@pytest.fixture
def copy(trained: dict[str, Run], tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(trained["gru"].folder, folder)
    return folder


def test_runs_are_listed_newest_first_and_others_passed_over(copy: Path) -> None:
    newer = copy.with_name("newer")
    shutil.copytree(copy, newer)
    (copy.parent / "notes").mkdir()
    half = copy.with_name("half")
    shutil.copytree(copy, half)
    (half / "model.keras").unlink()
    shutil.copytree(copy, copy.with_name(".partial-x-12345678"))
    assert [run.name for run in runs.list_runs(copy.parent)] == ["newer", "copy"]
    assert runs.list_runs(copy.parent / "absent") == []


@pytest.mark.parametrize("name", folder.FILES)
def test_a_folder_without_one_of_its_files_is_no_run(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(UsageError, match=f"is not a run: it has no {name}"):
        runs.load(copy)


def test_no_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        runs.load(tmp_path / "absent")


def test_a_newer_schema_is_refused(copy: Path) -> None:
    metrics = json.loads((copy / "metrics.json").read_text())
    (copy / "metrics.json").write_text(json.dumps(metrics | {"schema": SCHEMA + 1}))
    with pytest.raises(RunError, match="newer grubench") as caught:
        runs.load(copy)
    assert "Update grubench" in caught.value.remedy


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
    root, fingerprint = run.folder.parent, run.metrics.data.fingerprint

    here = environment.describe_machine

    def elsewhere(backend: str) -> Machine:
        return msgspec.structs.replace(here(backend), processor="another")

    found = RunStore(root, here).find(run.experiment, fingerprint)
    assert found
    assert found.folder == run.folder
    assert RunStore(root, here).find(run.experiment.with_seed(7), fingerprint) is None
    assert RunStore(root, here).find(run.experiment, "other") is None
    assert RunStore(root, elsewhere).find(run.experiment, fingerprint) is None
    assert RunStore(root / "absent", here).find(run.experiment, fingerprint) is None


def test_the_environment_names_what_decides_a_result() -> None:
    found = environment.describe_provenance("tensorflow")
    assert set(versions.PACKAGES) < set(found.versions)
    assert found.cores == os.cpu_count()
    assert environment.measure_peak_memory_bytes() > 2**20


def test_runs_of_a_call_share_what_is_equal_and_keep_their_places(copy: Path) -> None:
    second = copy.with_name("second")
    shutil.copytree(copy, second)
    environment = json.loads((copy / "environment.json").read_text())
    (second / "environment.json").write_text(json.dumps(environment | {"place": 5}))
    reader = runs.RunReader()
    first, other = (reader.read(path).environment for path in (copy, second))
    assert (first.place, other.place) == (0, 5)
    assert first.call == other.call
    assert first.versions is other.versions


@pytest.mark.parametrize(("fall", "still"), [(0.1, False), (0.11, True), (-0.5, False), (None, False)])
def test_a_trial_is_still_learning_where_its_loss_fell_late_by_more_than_a_tenth(
    trained: dict[str, Run], fall: float | None, still: bool
) -> None:
    loss = msgspec.structs.replace(trained["gru"].metrics.loss, late_fall=fall)
    assert loss.is_still_learning is still


def test_the_folder_of_a_comparison_is_told_from_a_run(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(UsageError, match="is not a run") as caught:
        runs.load(tmp_path)
    assert "`grubench report " in caught.value.remedy
