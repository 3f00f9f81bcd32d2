"""Checkpoints: a trial that is resumed ends as one that was never stopped; what cannot be used is ignored."""

from __future__ import annotations

import csv
import json
import time
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import tiny

from grubench.errors import RunError
from grubench.spec.experiment import Experiment
from grubench.training.checkpoint import Checkpoint, CheckpointFile, CheckpointState
from grubench.training.events import EpochEnd, TrialEvent, ignore
from grubench.training.fit_record import FitRecord
from grubench.training.options import TrialOptions
from grubench.training.trial import run_trial


class KilledError(Exception):
    """What stands for the death of a process."""


def kill_after(epochs: int):
    def on_event(event: TrialEvent) -> None:
        if isinstance(event, EpochEnd) and event.epoch == epochs:
            raise KilledError

    return on_event


def weights(folder: Path) -> dict[str, np.ndarray]:
    """The weights in a run's model file, the optimizer's too."""
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(folder / "model.keras") as archive:
        h5py.File(BytesIO(archive.read("model.weights.h5"))).visititems(
            lambda name, item: arrays.update({name: np.array(item)}) if isinstance(item, h5py.Dataset) else None
        )
    return arrays


def history(folder: Path) -> list[tuple[str, str, str]]:
    with (folder / "history.csv").open() as file:
        return [(row["epoch"], row["loss"], row["val_loss"]) for row in csv.DictReader(file)]


def spec_with_dropout(**training: object) -> Experiment:
    """Dropout draws random numbers, and early stopping has something to remember."""
    spec = tiny(**({"epochs": 6, "patience": 2, "learning_rate": 0.2, "kernel": "keras"} | training))
    recurrent = 0.1 if spec.training.kernel == "keras" else 0.0
    return replace(spec, model=replace(spec.model, dropout=(0.2,), recurrent_dropout=recurrent))


@pytest.mark.parametrize("kernel", ["keras", "fused"])
def test_a_trial_that_is_resumed_ends_as_one_that_was_never_stopped(kernel: str, tmp_path: Path) -> None:
    spec = spec_with_dropout(kernel=kernel)
    run_trial(spec, tmp_path / "never", ignore)
    options = TrialOptions(checkpoint=tmp_path / "checkpoints" / "trial.npz", checkpoint_every=1)
    began = time.perf_counter()
    with pytest.raises(KilledError):
        run_trial(spec, tmp_path / "killed", kill_after(3), options=options)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["trial.npz"]
    events: list[TrialEvent] = []
    run_trial(spec, tmp_path / "resumed", events.append, options=options)
    wall_s = time.perf_counter() - began
    assert [event.epoch for event in events if isinstance(event, EpochEnd)][0] == 3  # noqa: RUF015
    never, resumed = weights(tmp_path / "never"), weights(tmp_path / "resumed")
    assert never.keys() == resumed.keys()
    for name, values in never.items():
        np.testing.assert_array_equal(values, resumed[name])
    assert history(tmp_path / "never") == history(tmp_path / "resumed")
    metrics = json.loads((tmp_path / "resumed" / "metrics.json").read_text())
    assert metrics["timing"]["resumed_after_epochs"] == [2]
    assert metrics["timing"]["train_s"] < metrics["timing"]["fit_s"] < metrics["timing"]["total_s"] < wall_s + 1e-3
    assert (
        metrics["loss"]["kept_epoch"]
        == json.loads((tmp_path / "never" / "metrics.json").read_text())["loss"]["kept_epoch"]
    )


def test_checkpoints_are_written_every_few_epochs(tmp_path: Path) -> None:
    file = tmp_path / "trial.npz"
    with pytest.raises(KilledError):
        run_trial(
            tiny(epochs=5), tmp_path / "run", kill_after(4), options=TrialOptions(checkpoint=file, checkpoint_every=2)
        )
    with np.load(file) as arrays:
        assert json.loads(arrays["state"].tobytes())["epoch"] == 2


def make_checkpoint(identity: str = "a trial") -> Checkpoint:
    state = CheckpointState(identity=identity, epoch=2, spent_s=1.5, record=FitRecord(windows=3, steps=1))
    many = [np.full(2, number) for number in range(12)]
    return Checkpoint(state=state, variables=many, best_weights=[np.ones(3)], random_state={"cpu": np.arange(4)})


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = CheckpointFile(path=tmp_path / "below" / "trial.npz", identity="a trial")
    assert file.read() is None
    file.write(make_checkpoint())
    found = file.read()
    assert found is not None
    assert found.state == make_checkpoint().state
    assert [int(values[0]) for values in found.variables] == list(range(12))
    np.testing.assert_array_equal(found.best_weights[0], np.ones(3))
    assert found.random_state.keys() == {"cpu"}


def test_without_a_file_there_is_no_checkpoint() -> None:
    file = CheckpointFile()
    assert file.read() is None
    file.write(make_checkpoint())
    assert file.read() is None


def test_a_checkpoint_of_another_trial_is_ignored(tmp_path: Path) -> None:
    CheckpointFile(path=tmp_path / "trial.npz").write(make_checkpoint("another trial"))
    assert CheckpointFile(path=tmp_path / "trial.npz", identity="a trial").read() is None


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trial.npz").write_bytes(content)
    assert CheckpointFile(path=tmp_path / "trial.npz").read() is None


def test_a_checkpoint_of_another_form_is_ignored(tmp_path: Path) -> None:
    np.savez(tmp_path / "trial.npz", state=np.frombuffer(b'{"identity": "", "epoch": "two"}', np.uint8))
    assert CheckpointFile(path=tmp_path / "trial.npz").read() is None


def test_an_array_of_another_name_damages_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "trial.npz"
    CheckpointFile(path=path, identity="a trial").write(make_checkpoint())
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, vx=np.ones(2), **arrays)
    assert CheckpointFile(path=path, identity="a trial").read() is None


def test_a_checkpoint_of_other_variables_is_ignored(tmp_path: Path) -> None:
    """A trial begins anew where the checkpoint lacks a variable of the model."""
    spec = spec_with_dropout(patience=0, epochs=4)
    path = tmp_path / "trial.npz"
    with pytest.raises(KilledError):
        run_trial(spec, tmp_path / "killed", kill_after(3), options=TrialOptions(checkpoint=path, checkpoint_every=2))
    with np.load(path) as archive:
        arrays = dict(archive)
    del arrays["v0"]
    np.savez(path, **{f"v{int(name[1:]) - 1}" if name[0] == "v" else name: values for name, values in arrays.items()})
    run_trial(spec, tmp_path / "again", ignore, options=TrialOptions(checkpoint=path))
    run_trial(spec, tmp_path / "whole", ignore)
    assert history(tmp_path / "again") == history(tmp_path / "whole")


def test_an_array_that_says_more_than_its_file_has_is_ignored_before_it_takes_memory(tmp_path: Path) -> None:
    path = tmp_path / "trial.npz"
    CheckpointFile(path=path, identity="a trial").write(make_checkpoint())
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (2**40,), "fortran_order": False, "descr": "<f4"})
    for name, content, method in (
        ("v12.npy", header.getvalue(), zipfile.ZIP_STORED),
        ("v12.npy", header.getvalue() + bytes(10_000_000), zipfile.ZIP_DEFLATED),
    ):
        changed = tmp_path / f"{method}.npz"
        changed.write_bytes(path.read_bytes())
        with zipfile.ZipFile(changed, "a", method) as archive:
            archive.writestr(name, content)
        assert CheckpointFile(path=changed, identity="a trial").read() is None


def test_checkpoints_do_not_go_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a link"):
        CheckpointFile(path=tmp_path / "checkpoints" / "trial.npz").write(make_checkpoint())
    assert not list((tmp_path / "elsewhere").iterdir())
