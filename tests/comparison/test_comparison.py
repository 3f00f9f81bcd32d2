"""Comparisons of finished runs: only like with like."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from grubench.comparison import comparison
from grubench.errors import GrubenchError, UsageError
from grubench.reports import export
from grubench.runs import run as runs
from grubench.runs.run import Run
from grubench.spec.arms import Arm
from grubench.spec.sections import Model


class TestFinishedRuns:
    def test_the_same_table_from_runs(self, trained: dict[str, Run]) -> None:
        found = comparison.from_runs(list(trained.values()))
        assert [arm.name for arm in found.arms] == ["GRU", "LSTM"]
        assert found.notes == ()

    def test_what_was_guessed_of_the_data_stands_above_the_table_once(self, trained: dict[str, Run]) -> None:
        noted = [
            replace(
                run, metrics=structs.replace(run.metrics, data=structs.replace(run.metrics.data, notes=("A guess.",)))
            )
            for run in trained.values()
        ]
        assert comparison.from_runs(noted).notes == ("A guess.",)

    def test_what_else_differs_is_in_the_names_and_above_the_table(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, training=replace(other.experiment.training, epochs=3))
        found = comparison.from_runs([trained["gru"], replace(other, experiment=spec)])
        assert [arm.name for arm in found.arms] == ["GRU epochs=2", "LSTM epochs=3"]
        assert found.notes == ("The arms differ in epochs.",)

    def test_numbers_that_are_the_same_when_shortened_are_in_full_in_the_names(self, trained: dict[str, Run]) -> None:
        run = trained["gru"]
        spec = replace(run.experiment, training=replace(run.experiment.training, learning_rate=0.0010000001))
        usual = replace(run.experiment, training=replace(run.experiment.training, learning_rate=0.001))
        compared = comparison.from_runs([replace(run, experiment=usual), replace(run, experiment=spec)])
        assert [arm.name for arm in compared.arms] == ["GRU learning_rate=0.001", "GRU learning_rate=0.0010000001"]

    def test_other_units_are_another_arm(self, trained: dict[str, Run]) -> None:
        run = trained["gru"]
        spec = replace(run.experiment, model=Model(layers=("gru:9",)))
        found = comparison.from_runs([run, replace(run, experiment=spec)])
        assert [arm.name for arm in found.arms] == ["GRU units=4", "GRU units=9"]
        assert found.notes == ("The arms differ in units.",)

    def test_other_windows_are_refused_by_name(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, window=replace(other.experiment.window, horizon=2))
        with pytest.raises(UsageError, match=r"window.horizon is 3 and 2"):
            comparison.from_runs([trained["gru"], replace(other, experiment=spec)])

    @pytest.mark.parametrize("key", ["train_series", "test_series"])
    def test_other_series_are_refused_by_name(self, trained: dict[str, Run], key: str) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, data=replace(other.experiment.data, **{key: ("activity5",)}))
        with pytest.raises(UsageError, match=rf"data\.{key} is .* and \('activity5',\)"):
            comparison.from_runs([trained["gru"], replace(other, experiment=spec)])

    def test_another_period_alone_is_allowed(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, data=replace(other.experiment.data, period=5))
        found = comparison.from_runs([trained["gru"], replace(other, experiment=spec)])
        assert found.notes == ("The arms differ in period.",)

    def test_other_data_is_refused(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        data = structs.replace(other.metrics.data, fingerprint="another")
        metrics = structs.replace(other.metrics, data=data)
        with pytest.raises(UsageError, match="different data"):
            comparison.from_runs([trained["gru"], replace(other, metrics=metrics)])

    def test_one_run_and_the_same_trial_twice_are_refused(self, trained: dict[str, Run]) -> None:
        run = trained["gru"]
        with pytest.raises(UsageError, match="at least two"):
            comparison.from_runs([run])
        with pytest.raises(UsageError, match="the same trial"):
            comparison.from_runs([run, trained["lstm"], run])


class TestLoad:
    @pytest.fixture
    def folder(self, trained: dict[str, Run], tmp_path: Path) -> Path:
        """The folder of a comparison of both cells, its runs beside it."""
        copies = {name: shutil.copytree(run.folder, tmp_path / name) for name, run in trained.items()}
        made = comparison.from_runs([runs.load(path) for path in copies.values()])
        (tmp_path / "both").mkdir()
        (tmp_path / "both" / "comparison.json").write_text(export.format_comparison(made, ".json"))
        return tmp_path / "both"

    def test_arms_keep_their_names_settings_and_colors(self, folder: Path) -> None:
        tree = json.loads((folder / "comparison.json").read_text())
        arm = Arm(name="GRU dropout=0", cell="GRU", settings={"dropout": "0"}, color="#F0E442")
        tree["arms"][0].update(name=arm.name, settings=arm.settings, color=arm.color)
        (folder / "comparison.json").write_text(json.dumps(tree))
        assert list(comparison.load(folder).arms) == [arm, Arm(name="LSTM", cell="LSTM", color="#D55E00")]

    def test_an_arm_without_runs_stays_and_the_others_keep_their_names(
        self, trained: dict[str, Run], folder: Path
    ) -> None:
        failed = Arm(name="GRU dropout=0.2", cell="GRU", settings={"dropout": "0.2"}, color="#E69F00")
        arms = {
            Arm(name="GRU dropout=0", cell="GRU", settings={"dropout": "0"}): [trained["gru"]],
            Arm(name="LSTM dropout=0", cell="LSTM", settings={"dropout": "0"}): [trained["lstm"]],
        }
        failures = (comparison.Failure(arm=failed.name, seed=0, message="The loss became NaN."),)
        notes = ("The arms differ in dropout.",)
        compared = comparison.Comparison(arms=arms, failures=failures, failed_arms=(failed,), notes=notes)
        for run in trained.values():
            shutil.copytree(run.folder, folder.parent / run.name)
        content = export.format_comparison(compared, ".json")
        (folder / "comparison.json").write_text(content)
        assert [(arm["name"], len(arm["runs"])) for arm in json.loads(content)["arms"]] == [
            ("GRU dropout=0", 1),
            ("LSTM dropout=0", 1),
            ("GRU dropout=0.2", 0),
        ]
        loaded = comparison.load(folder)
        assert list(loaded.arms) == list(arms)
        assert (loaded.failed_arms, loaded.failures, loaded.notes) == ((failed,), failures, notes)
        for ending in (".csv", ".md", ".json"):
            assert export.format_comparison(loaded, ending) == export.format_comparison(compared, ending)

    @pytest.mark.parametrize(("length", "said"), [(255, "is not a run"), (256, "is no run beside it")])
    def test_a_name_has_255_bytes_at_most(self, folder: Path, length: int, said: str) -> None:
        tree = json.loads((folder / "comparison.json").read_text())
        tree["arms"][0]["runs"] = ["a" * length]
        (folder / "comparison.json").write_text(json.dumps(tree))
        with pytest.raises(GrubenchError, match=said):
            comparison.load(folder)
