"""Comparisons: planned in alternation, done trials reused, and only like compared with like."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny
from rich.console import Console

from grubench import comparison, executors, plots, record, summary, tables, verdict
from grubench.arms import arms_of, plan
from grubench.comparison import Comparison, Failure
from grubench.errors import SpecError, TrainingError, UsageError
from grubench.experiment import Experiment, Model
from grubench.runs import Run


def run_with(run: Run, *, seed: int = 0, error: float = 1.0, epoch_s: float = 1.0, kernel: str = "keras") -> Run:
    """A run with other figures, as if another trial had given them."""
    metrics = json.loads(json.dumps(run.metrics))
    metrics["test"]["overall"]["rmse_scaled"] = error
    metrics["timing"]["epoch_s"] = epoch_s
    environment = run.environment | {"kernels": [{"layer": "gru:4", "kernel": kernel, "reasons": []}]}
    return replace(run, experiment=run.experiment.with_seed(seed), metrics=metrics, environment=environment)


def made(trained: dict[str, Run], figures: dict[str, list[tuple[float, float]]], **more: object) -> Comparison:
    arms = {
        name: [run_with(trained[name.lower()], seed=k, error=e, epoch_s=t) for k, (e, t) in enumerate(pairs)]
        for name, pairs in figures.items()
    }
    return Comparison(arms=arms, **more)  # type: ignore[arg-type]


def test_trials_alternate_and_so_does_who_is_first() -> None:
    arms = arms_of(Experiment(), ["gru", "lstm"])
    order = [(trial.model.cell, trial.seed) for _, trial in plan(arms, 3)]
    assert order == [("gru", 0), ("lstm", 0), ("lstm", 1), ("gru", 1), ("gru", 2), ("lstm", 2)]


def test_a_mixed_stack_takes_part_as_itself() -> None:
    spec = Experiment(model=Model(layers=("gru:8", "lstm:4")))
    assert list(arms_of(spec, ["gru", "lstm"])) == ["GRU", "LSTM", "GRU + LSTM"]


def test_settings_are_crossed_with_the_cells_and_named() -> None:
    vary = {"training.learning_rate": [1e-3, 3e-4], "model.recurrent_initializer": ["orthogonal", "zeros"]}
    found = arms_of(Experiment(), ["gru", "lstm"], vary)
    assert len(found) == 8
    spec = found["LSTM recurrent_initializer=zeros learning_rate=0.0003"]
    assert (spec.model.layers, spec.training.learning_rate) == (("lstm:32",), 3e-4)


@pytest.mark.parametrize(
    ("key", "values", "named"),
    [
        ("training.rate", [1, 2], "unknown key 'training.rate'"),
        ("rate", [1, 2], "unknown key 'rate'"),
        ("window.lookback", [1, 2], "window.lookback cannot be varied"),
        ("model.layers", ["gru:3"], "model.layers cannot be varied"),
        ("training.optimizer", ["adam", "adamant"], "training.optimizer: unknown value 'adamant'"),
    ],
)
def test_what_cannot_be_varied_is_named(key: str, values: list, named: str) -> None:
    with pytest.raises(SpecError) as caught:
        arms_of(Experiment(), ["gru"], {key: values})
    assert named in caught.value.message


@pytest.mark.parametrize("cells", [["gru", "gro"], ["gru", "gru"], []])
def test_cells_that_cannot_be_compared_are_refused(cells: list[str]) -> None:
    with pytest.raises(UsageError, match="--cells"):
        arms_of(Experiment(), cells)


def test_finished_trials_are_reused_until_fresh(tmp_path: Path) -> None:
    events: list[dict] = []
    spec = tiny(epochs=1)

    def call(**more: object) -> Comparison:
        events.clear()
        return comparison.compare(spec, seeds=2, output=tmp_path, in_process=True, report=events.append, **more)  # type: ignore[arg-type]

    first = call(cells=["gru"])
    assert (first.reused, len(first.runs)) == (0, 2)
    second = call(cells=["gru", "rnn"])
    assert second.reused == 2
    assert Counter(event["arm"] for event in events if event["kind"] == "trial") == {"RNN": 2}
    assert [run.name for run in second.arms["GRU"]] == [run.name for run in first.runs]
    assert call(cells=["gru"], fresh=True).reused == 0


def test_a_failed_trial_is_shown_and_the_others_go_on(trained: dict[str, Run], tmp_path: Path, monkeypatch) -> None:
    def outcome(trial: Experiment, *_: object, **__: object) -> Path | TrainingError:
        if trial.seed == 1 and trial.model.cell == "lstm":
            return TrainingError("The loss became nan in epoch 3.")
        return trained[trial.model.cell].folder

    monkeypatch.setattr(executors, "run", outcome)
    found = comparison.compare(tiny(), seeds=2, output=tmp_path, in_process=True)
    assert found.failures == (Failure(arm="LSTM", seed=1, message="The loss became nan in epoch 3."),)
    assert any(
        one.startswith("Failed: LSTM with seed 1, and its pairs are left out. The loss")
        for one in verdict.sentences(found)
    )


def test_when_every_trial_fails_the_first_error_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(executors, "run", lambda *_, **__: TrainingError("no luck"))
    with pytest.raises(TrainingError, match="no luck"):
        comparison.compare(tiny(), seeds=1, output=tmp_path, in_process=True)


class TestFinishedRuns:
    def test_the_same_table_from_runs(self, trained: dict[str, Run]) -> None:
        found = comparison.from_runs(list(trained.values()))
        assert list(found.arms) == ["GRU", "LSTM"]
        assert found.notes == ()

    def test_what_else_differs_is_in_the_names_and_above_the_table(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, training=replace(other.experiment.training, epochs=3))
        found = comparison.from_runs([trained["gru"], replace(other, experiment=spec)])
        assert list(found.arms) == ["GRU epochs=2", "LSTM epochs=3"]
        assert found.notes == ("The arms differ in training.epochs.",)

    def test_other_units_are_another_arm(self, trained: dict[str, Run]) -> None:
        run = trained["gru"]
        spec = replace(run.experiment, model=Model(layers=("gru:9",)))
        found = comparison.from_runs([run, replace(run, experiment=spec)])
        assert list(found.arms) == ["gru:4", "gru:9"]

    def test_other_windows_are_refused_by_name(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        spec = replace(other.experiment, window=replace(other.experiment.window, horizon=2))
        with pytest.raises(UsageError, match=r"window.horizon is 3 and 2"):
            comparison.from_runs([trained["gru"], replace(other, experiment=spec)])

    def test_other_data_is_refused(self, trained: dict[str, Run]) -> None:
        other = trained["lstm"]
        metrics = other.metrics | {"data": other.metrics["data"] | {"fingerprint": "another"}}
        with pytest.raises(UsageError, match="different data"):
            comparison.from_runs([trained["gru"], replace(other, metrics=metrics)])

    def test_one_run_and_the_same_trial_twice_are_refused(self, trained: dict[str, Run]) -> None:
        run = trained["gru"]
        with pytest.raises(UsageError, match="at least two"):
            comparison.from_runs([run])
        with pytest.raises(UsageError, match="the same trial"):
            comparison.from_runs([run, trained["lstm"], run])


def said(found: Comparison, about: str) -> str:
    """The first sentence of the verdict about something."""
    return next(one for one in verdict.sentences(found) if one.startswith(about))


class TestVerdict:
    def test_a_clear_difference_is_called_one(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)], "LSTM": [(2.0, 4.1), (2.2, 4.2), (1.8, 3.7)]}
        )
        assert said(found, "Speed").startswith("Speed: GRU trained 2.00 times as fast as LSTM (95 % interval ")
        assert said(found, "Error").startswith("Error: GRU erred 50.0 % less than LSTM")

    def test_a_tie_is_called_one(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 2.0), (1.2, 2.4), (0.8, 1.9)], "LSTM": [(1.1, 2.2), (1.0, 2.1), (0.9, 2.0)]}
        )
        assert "no difference shown" in said(found, "Speed")
        assert "a tie; 3 seeds cannot tell" in said(found, "Error")
        assert "3 seeds show a difference" in said(found, "Power")

    def test_few_seeds_give_no_verdict(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 1.0), (1.0, 1.0)], "LSTM": [(2.0, 2.0), (2.1, 2.0)]})
        assert "2 seeds cannot tell whether that is chance" in said(found, "Speed")
        assert "2 seeds cannot tell whether that is chance" in said(found, "Error")
        assert not [one for one in verdict.sentences(found) if one.startswith("Power")]

    def test_only_seeds_that_both_arms_finished_are_paired(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 1.0)] * 4, "LSTM": [(2.0, 2.0), (2.1, 2.0), (2.2, 2.0)]})
        assert "3 pairs" in said(found, "Error")

    def test_other_kernels_are_not_raced(self, trained: dict[str, Run]) -> None:
        one, other = trained["gru"], run_with(trained["lstm"], kernel="cudnn")
        found = Comparison(arms={"GRU": [one], "LSTM": [other]})
        assert "GRU on keras, LSTM on cudnn" in said(found, "Speed")
        assert "would compare kernels, not cells" in said(found, "Speed")

    def test_a_restless_machine_is_told(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 1.0), (1.0, 2.0), (1.0, 1.0)], "LSTM": [(1.1, 1.0), (1.0, 1.0), (1.2, 2.0)]}
        )
        assert any("varies by" in one and "--seeds" in one for one in verdict.sentences(found))

    def test_several_pairs_are_corrected(self, trained: dict[str, Run]) -> None:
        """Three equal arms and p values that one by one would be called a difference."""
        arms = {"GRU": [(1.00, 1.0), (1.01, 1.0), (0.99, 1.0)], "LSTM": [(1.05, 1.0), (1.09, 1.0), (1.02, 1.0)]}
        alone = verdict.compared(made(trained, arms), ("test", "overall", "rmse_scaled"))
        runs = made(trained, arms).arms
        third = [run_with(trained["gru"], seed=k, error=e) for k, e in enumerate((1.02, 1.0, 1.03))]
        together = verdict.compared(Comparison(arms=runs | {"RNN": third}), ("test", "overall", "rmse_scaled"))
        assert together[0].p >= alone[0].p
        assert {pair.first for pair in together} <= {"GRU", "LSTM", "RNN"}

    @pytest.mark.parametrize(
        ("errors", "said"),
        [
            ((1e-9, 1e-9), "both beat persistence"),
            ((9, 9), "neither beats persistence"),
            ((1e-9, 9), "GRU beats, LSTM errs more than persistence"),
        ],
    )
    def test_baselines_are_named(self, trained: dict[str, Run], errors: tuple[float, float], said: str) -> None:
        found = made(trained, {name: [(error, 1.0)] * 3 for name, error in zip(("GRU", "LSTM"), errors, strict=True)})
        assert any(said in sentence for sentence in verdict.sentences(found))

    def test_a_baseline_within_the_spread_is_not_beaten(self, trained: dict[str, Run]) -> None:
        error = trained["gru"].metrics["baselines"]["persistence"]["overall"]["rmse_scaled"]
        wide = [(error * share, 1.0) for share in (0.7, 0.99, 1.2)]
        found = made(trained, {"GRU": wide, "LSTM": wide[:2]})
        assert any("GRU and LSTM cannot be told from persistence" in sentence for sentence in verdict.sentences(found))

    def test_times_of_other_machines_are_not_compared(self, trained: dict[str, Run]) -> None:
        other = replace(trained["lstm"], environment=trained["lstm"].environment | {"processor": "another"})
        found = comparison.from_runs([trained["gru"], other])
        assert found.notes == ("The runs were made with different processor: errors may differ by it.",)
        assert "their times are not compared" in said(found, "Speed")


class TestViews:
    @pytest.fixture
    def found(self, trained: dict[str, Run]) -> Comparison:
        return made(
            trained, {"GRU": [(1.0, 2.0), (1.2, 2.4), (0.8, 1.9)], "LSTM": [(1.1, 2.2), (1.0, 2.1), (0.9, 2.0)]}
        )

    @pytest.mark.parametrize("width", [80, 120])
    def test_the_tables_fit(self, found: Comparison, width: int) -> None:
        console = Console(file=StringIO(), width=width)
        tables.show_comparison(found, console)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert max(map(len, text.splitlines())) <= width
        assert "\N{HORIZONTAL ELLIPSIS}" not in text
        for part in ("GRU", "LSTM", "persistence", "seasonal", "activities", "Speed:", "Error:", "Baseline:"):
            assert part in text

    def test_json_holds_every_seed(self, found: Comparison) -> None:
        tree = json.loads(record.text(found, ".json"))
        row = next(row for row in tree["rows"] if row["arm"] == "GRU")
        assert row["columns"]["rmse_scaled"] == [1.0, 1.2, 0.8]
        assert tree["verdict"] == verdict.sentences(found)
        assert Experiment.from_dict(tree["spec"]) == found.spec

    def test_csv_has_a_row_a_seed(self, found: Comparison) -> None:
        rows = list(csv.DictReader(StringIO(record.text(found, ".csv"))))
        assert [(row["arm"], row["seed"]) for row in rows[:3]] == [("GRU", "0"), ("GRU", "1"), ("GRU", "2")]
        assert [float(row["epoch_s"]) for row in rows[3:6]] == [2.2, 2.1, 2.0]
        assert [row["arm"] for row in rows[6:]] == ["persistence", "seasonal"]

    def test_markdown_tables_have_as_many_cells_as_heads(self, found: Comparison) -> None:
        lines = [line for line in record.text(found, ".md").splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines[:6]}) == 1
        assert "± " in lines[2]

    def test_latex_is_escaped_and_has_as_many_cells_as_heads(self, found: Comparison) -> None:
        text = record.text(Comparison(arms={"G_R&U": found.arms["GRU"], "LSTM": found.arms["LSTM"]}), ".tex")
        tables = [part.split(r"\end{tabular}")[0] for part in text.split(r"\begin{tabular}")[1:]]
        assert r"G\_R\&U & " in tables[0]
        assert r"$\pm$" in tables[0]
        for table in tables:
            assert len({line.replace(r"\&", "").count("&") for line in table.splitlines() if line.endswith(r"\\")}) == 1

    def test_the_folder_is_whole(self, trained: dict[str, Run], tmp_path: Path) -> None:
        arms = {name.upper(): [run] for name, run in trained.items()}
        for _ in range(2):  # a second call replaces the first
            record.keep(Comparison(arms=arms, folder=tmp_path / "c"))
        assert {path.name for path in (tmp_path / "c").iterdir()} == {
            "comparison.json",
            "comparison.md",
            "loss.png",
            "forecast.png",
        }
        assert [path.name for path in tmp_path.iterdir()] == ["c"]

    def test_a_picture_can_be_svg_and_nothing_else_unknown(self, found: Comparison, tmp_path: Path) -> None:
        assert plots.loss_curves(found, tmp_path / "a.svg").read_text().startswith("<?xml")
        with pytest.raises(Exception, match="could not be written"):
            plots.loss_curves(found, tmp_path / "a.docx")
        assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (52884, "52,884"),
        (1234.5678, "1,235"),
        (12.34567, "12.35"),
        (0.0123456, "0.01235"),
        (0.00001234, "1.23e-05"),
        (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_numbers_are_written_with_four_digits(value: float | None, shown: str) -> None:
    assert summary.number(value) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.1234, 0.1236], "0.1235 ± 0.0001"),
        ([1.0, 2.0], "1.50 ± 0.71"),
        ([2000.0, 3000.0], "2,500 ± 707"),
        ([5.0], "5"),
        ([None], "\N{EN DASH}"),
    ],
)
def test_spread_decides_the_digits(values: list, shown: str) -> None:
    assert summary.cell({"arm": "", "columns": {"x": values}}, "x", joint=" ± ") == shown


def test_a_sparkline_goes_from_lowest_to_highest() -> None:
    line = tables.sparkline(np.linspace(0, 1, 200).tolist(), 8)
    assert line == "▁▂▃▄▅▆▇█"
    assert tables.sparkline([3.0, 3.0]) == "▁▁"
