"""What a session reads and prepares: the data before anything is trained, and nothing that no trial needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_dataset, make_series, tiny

from grubench.data.series import Dataset
from grubench.errors import DataError
from grubench.execution import forkservers, preload
from grubench.execution.options import ExecutionOptions
from grubench.execution.session import Session
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data
from grubench.training.events import Event, Note, ignore


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The backends whose fork server was started, and the modules that were compiled; nothing of it is done."""
    names: list[str] = []
    monkeypatch.setattr(forkservers, "warm_up", names.append)
    monkeypatch.setattr(preload, "_compile_modules", lambda modules: names.extend(sorted(modules)))
    return names


def make_session(spec: Experiment, root: Path, *, reuse: bool = True) -> Session:
    return Session(spec, root, ExecutionOptions(), ignore, reuse=reuse, resume=True)


def test_finished_trials_prepare_nothing(trained: dict[str, Run], prepared: list[str]) -> None:
    spec = trained["gru"].experiment
    session = make_session(spec, trained["gru"].folder.parent)
    assert session.find_run(spec)
    assert prepared == []
    assert session._find_runs([spec, spec.with_seed(7)]).keys() == {spec}
    assert prepared == ["tensorflow", "common", "gru"]


def test_only_backends_and_kernels_of_missing_trials_are_prepared(trained: dict[str, Run], prepared: list[str]) -> None:
    session = make_session(tiny(), trained["gru"].folder.parent)
    missing = tiny(backend="torch").with_cell("gru")
    assert session._find_runs([trained["gru"].experiment, missing]).keys() == {trained["gru"].experiment}
    assert prepared == ["torch"]


def test_nothing_is_prepared_twice(tmp_path: Path, prepared: list[str]) -> None:
    spec = tiny(epochs=1)
    session = make_session(spec, tmp_path)
    for cell in ("lstm", "lstm", "gru"):
        assert session.find_run(spec.with_cell(cell)) is None
    assert prepared == ["tensorflow", "common", "lstm", "gru"]


def test_the_data_are_digested_only_for_a_store(
    tmp_path: Path, prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digested: list[Dataset] = []
    fingerprint = Dataset.fingerprint
    monkeypatch.setattr(Dataset, "fingerprint", lambda dataset: digested.append(dataset) or fingerprint(dataset))
    assert make_session(tiny(), tmp_path, reuse=False).find_run(tiny()) is None
    assert digested == []
    session = make_session(tiny(), tmp_path)
    assert session.find_run(tiny()) is session.find_run(tiny()) is None
    assert len(digested) == 1


def test_wrong_data_are_reported_without_a_store_too(
    tmp_path: Path, prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from grubench.data import datasets

    def refuse(*_: object, **__: object) -> Dataset:
        raise DataError("wrong", "mend them")

    monkeypatch.setattr(datasets, "load", refuse)
    with pytest.raises(DataError):
        make_session(tiny(), tmp_path, reuse=False).find_run(tiny())


def test_what_readers_guessed_is_told_once_before_anything_is_trained(
    tmp_path: Path, prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from grubench.data import datasets

    note = "The separator is ';'."
    made = make_dataset(*(replace(make_series(f"activity{number}"), notes=(note,)) for number in (0, 3)))
    monkeypatch.setattr(datasets, "load", lambda *_, **__: made)
    events: list[Event] = []
    session = Session(tiny(), tmp_path, ExecutionOptions(), events.append, reuse=True, resume=True)
    assert session.find_run(tiny()) is None
    assert [event.text for event in events if isinstance(event, Note)] == [note]
    assert session.notes == (note,)


def test_the_season_of_a_file_is_found_before_trials_are_planned_and_stands_in_their_specs(
    tmp_path: Path, prepared: list[str]
) -> None:
    days = np.datetime64("2026-01-01") + np.arange(140)
    pd.DataFrame({"day": days, "sold": np.arange(140) % 7 + np.arange(140) / 50}).to_csv(
        tmp_path / "shop.csv", index=False
    )
    data = Data(file=str(tmp_path / "shop.csv"), time="day", target=("sold",))
    session = make_session(replace(tiny(), data=data), tmp_path / "runs")
    assert session.settle(replace(tiny(), data=data)).data.period == 7
    assert session.notes == ("Season of 7 steps: a week, autocorrelation 1.00 in the training part.",)
    assert session.settle(replace(tiny(), data=replace(data, period=0))).data.period == 0


def test_a_workload_has_the_season_of_its_defaults(tmp_path: Path, prepared: list[str]) -> None:
    assert make_session(tiny(), tmp_path).settle(tiny()).data.period == 7
