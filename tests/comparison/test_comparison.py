"""Comparisons of finished runs: only like with like."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from grubench.comparison import comparison
from grubench.errors import UsageError
from grubench.runs.run import Run
from grubench.spec.sections import Model


class TestFinishedRuns:
    def test_the_same_table_from_runs(self, trained: dict[str, Run]) -> None:
        found = comparison.from_runs(list(trained.values()))
        assert [arm.name for arm in found.arms] == ["GRU", "LSTM"]
        assert found.notes == ()

    def test_what_else_differs_is_in_the_names_and_above_the_table(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, training=replace(other.experiment.training, epochs=3))
        found = comparison.from_runs([trained["gru"], replace(other, experiment=spec)])
        assert [arm.name for arm in found.arms] == ["GRU epochs=2", "LSTM epochs=3"]
        assert found.notes == ("The arms differ in training.epochs.",)

    def test_other_units_are_another_arm(self, trained: dict[str, Run]) -> None:
        run = trained["gru"]
        spec = replace(run.experiment, model=Model(layers=("gru:9",)))
        found = comparison.from_runs([run, replace(run, experiment=spec)])
        assert [arm.name for arm in found.arms] == ["gru:4", "gru:9"]
        assert found.notes == ("The arms differ in their units: gru:4 and gru:9.",)

    def test_other_windows_are_refused_by_name(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, window=replace(other.experiment.window, horizon=2))
        with pytest.raises(UsageError, match=r"window.horizon is 3 and 2"):
            comparison.from_runs([trained["gru"], replace(other, experiment=spec)])

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
