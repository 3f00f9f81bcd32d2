"""What shows a comparison: tables that fit, exports that hold everything, a folder that is whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from conftest import compare_runs, made, run_with, visible
from msgspec import structs
from rich.console import Console

from grubench.comparison.comparison import Comparison
from grubench.comparison.verdict import write_verdict
from grubench.reports import export, header, numbers, paragraphs, plots, rows, score_table, settings_line, terminal
from grubench.reports.columns import Column
from grubench.runs.run import Run
from grubench.spec.arms import build_arms
from grubench.spec.experiment import Experiment


@pytest.fixture
def found(trained: dict[str, Run]) -> Comparison:
    return made(trained, {"GRU": [(1.0, 2.0), (1.2, 2.4), (0.8, 1.9)], "LSTM": [(1.1, 2.2), (1.0, 2.1), (0.9, 2.0)]})


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_fit(found: Comparison, width: int) -> None:
    console = Console(file=StringIO(), width=width)
    terminal.show_comparison(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    for part in ("GRU", "LSTM", "persistence", "seasonal", "activities", "Speed:", "Error:", "Persistence:"):
        assert part in text


def test_the_answer_comes_first_and_all_fits_a_screen(found: Comparison) -> None:
    console = Console(file=StringIO(), width=80)
    terminal.show_comparison(found, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[1].strip().startswith(write_verdict(found).answer.text[:60])
    assert len(lines) <= 38  # the command adds two


def test_details_are_all_columns_tables_and_findings(found: Comparison) -> None:
    texts = []
    for details in (False, True):
        console = Console(file=StringIO(), width=200)
        terminal.show_comparison(found, console, details=details)
        texts.append(console.file.getvalue())  # type: ignore[attr-defined]
    for part in ("MASE", "dir. acc.", "train loss", "Wilcoxon", "Mann-Whitney"):
        assert part not in texts[0]
        assert part in texts[1] or part == "Mann-Whitney"


def test_what_all_rows_have_stands_in_the_title(found: Comparison) -> None:
    console = Console(file=StringIO(), width=120)
    made = [rows.Row(name=name, cell=name, values={"x": [3.0], "y": [y]}) for name, y in (("a", 1.0), ("b", 2.0))]
    score_table.print_table("Training", made, [Column(key=key, heading=key) for key in "xy"], console)
    title, heading, *_ = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert title.strip() == "Training, 3 x"
    assert heading.split() == ["y"]


def show(comparison: Comparison, width: int = 80, *, details: bool = False) -> str:
    console = Console(file=StringIO(), width=width)
    terminal.show_comparison(comparison, console, details=details)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def vary(trained: dict[str, Run], **values: Sequence[object]) -> Comparison:
    """Both cells with each value of settings of training."""
    keys = {f"training.{key}": of_key for key, of_key in values.items()}
    arms = {
        arm: [
            replace(run_with(trained[spec.model.cell], seed=k, error=1 + k / 9), experiment=spec.with_seed(k))
            for k in range(3)
        ]
        for arm, spec in build_arms(trained["gru"].experiment, ["gru", "lstm"], keys).items()
    }
    return Comparison(arms=arms)


def test_what_is_varied_is_not_said_of_all_arms(trained: dict[str, Run]) -> None:
    spec = trained["gru"].experiment.training
    shared = (
        f"{spec.optimizer} {spec.learning_rate:g}, {spec.loss} · {spec.epochs} epochs of batch {spec.batch_size} · "
    )
    assert shared in settings_line.write_settings(compare_runs({"GRU": [trained["gru"]], "LSTM": [trained["lstm"]]}))
    for varied, said in (
        ({"learning_rate": [0.1, 0.2]}, f" · adam, mse · {spec.epochs} epochs of batch {spec.batch_size} · "),
        ({"optimizer": ["adam", "sgd"]}, f" · learning rate {spec.learning_rate:g}, mse · "),
        ({"loss": ["mse", "mae"]}, f" · adam {spec.learning_rate:g} · "),
        ({"epochs": [2, 3]}, f", mse · batch {spec.batch_size} · "),
        ({"batch_size": [16, 64]}, f", mse · {spec.epochs} epochs · "),
        ({"batch_size": [16, 64], "epochs": [2, 3]}, ", mse · seeds 0-2"),
    ):
        assert said in settings_line.write_settings(vary(trained, **varied))


@pytest.mark.parametrize("width", [80, 160])
def test_settings_are_called_by_their_names(trained: dict[str, Run], width: int) -> None:
    text = show(vary(trained, learning_rate=[0.1, 0.2]), width)
    assert ("learning_rate" if width == 160 else "learning_") in text
    assert "learning rate" not in text


def test_times_that_were_not_taken_in_turns_are_marked(found: Comparison) -> None:
    def with_others(others: int) -> Comparison:
        """So many trials of the LSTM are of another call."""
        runs = found.runs_of("LSTM")
        moved = [replace(run, environment=structs.replace(run.environment, call="another")) for run in runs]
        return compare_runs({"GRU": found.runs_of("GRU"), "LSTM": moved[:others] + runs[others:]})

    assert header.APART not in show(found)
    for others, marked in ((1, {"LSTM"}), (3, {"GRU", "LSTM"})):
        comparison = with_others(others)
        assert {row.name for row in rows.make_rows(comparison) if row.timed_apart} == marked
        text = show(comparison)
        assert f"{header.APART} Of several calls: " in text
        lines = [line for line in text.splitlines() if line.startswith("LSTM") and header.APART in line]
        assert [line.count(header.APART) for line in lines] == [2]  # s/epoch and windows/s, not the parameters


def test_every_view_has_the_legend(found: Comparison) -> None:
    text = " ".join(show(found, 160, details=True).split())
    views = [export.format_comparison(found, ending) for ending in (".md", ".tex")]
    for view in (text, *views):
        assert "± standard deviation over seeds; ratios: geometric means; intervals: at their test's level." in view
        assert "skill: share removed of persistence's RMSE (the last value's)." in view
        assert "sMAPE %: the standard form, 0 to 200 %." in view
        assert "quarter" not in view


def test_what_the_article_on_energy_measures_is_said_there_alone(found: Comparison) -> None:
    arms = {}
    for arm, runs in found.arms.items():
        data = replace(runs[0].experiment.data, dataset="energy", train_series=(), test_series=())
        arms[arm] = [replace(run, experiment=replace(run.experiment, data=data)) for run in runs]
    assert "sMAPE %: the standard form, 0 to 200 %; the article's own is a quarter of it." in export.format_comparison(
        Comparison(arms=arms), ".md"
    )


def test_notes_that_stand_above_already_are_left_out(found: Comparison) -> None:
    noted = replace(found, notes=("No season.", "The arms differ."))
    console = Console(file=StringIO(), width=80)
    terminal.show_comparison(noted, console, told=["No season."])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "No season." not in text
    assert "The arms differ." in text


def test_columns_that_do_not_fit_are_named(found: Comparison) -> None:
    text = " ".join(show(found, 60, details=True).split())
    assert "Too wide to show: MAE scaled" in text
    assert "Too wide" not in show(found, 160, details=True)


@pytest.mark.parametrize("width", range(20, 90, 7))
def test_a_number_keeps_its_unit_in_its_line(width: int) -> None:
    text = "a bound of 95 %, p = 0.178, 3 seeds and 10 series, with --jobs 1, ± 0.3, p < 0.001; 26 % --until-learned"
    lines = paragraphs.wrap(text, width).splitlines()
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= width
    for part in ("95 %,", "p = 0.178,", "3 seeds", "10 series,", "--jobs 1,", "± 0.3,", "p < 0.001;", "26 %"):
        assert any(part in line for line in lines)


def test_a_season_longer_than_the_lookback_says_so_in_the_row_of_its_baseline(trained: dict[str, Run]) -> None:
    run = trained["gru"]
    baselines = {"persistence": run.metrics.baselines["persistence"]}
    spec = replace(run.experiment, data=replace(run.experiment.data, period=24))
    longer = replace(run, experiment=spec, metrics=structs.replace(run.metrics, baselines=baselines))
    texts = [export.format_comparison(compare_runs({"GRU": [longer]}), ending) for ending in (".md", ".tex")]
    console = Console(file=StringIO(), width=80)
    terminal.show_run(longer, console)
    for text in (*texts, console.file.getvalue()):  # type: ignore[attr-defined]
        assert "needs --lookback 24" in text
    assert "needs --lookback" not in export.format_comparison(compare_runs({"GRU": [run]}), ".md")


@pytest.mark.parametrize(("every_step", "reason"), [(False, "not fitted to new data"), (True, "not at every step")])
def test_the_row_of_a_linear_baseline_that_is_not_there_says_why(
    trained: dict[str, Run], every_step: bool, reason: str
) -> None:
    run = trained["gru"]
    spec = replace(run.experiment, window=replace(run.experiment.window, horizon=1, every_step=every_step))
    few = {"persistence": run.metrics.baselines["persistence"]}
    assert f"linear ({reason})" in [row.name for row in rows.make_series_rows(run.metrics.test, few, spec)]
    all_of_them = rows.make_series_rows(run.metrics.test, run.metrics.baselines, run.experiment)
    assert [row.name for row in all_of_them][-3:] == ["persistence", "seasonal", "linear"]


@pytest.mark.parametrize(("targets", "told"), [(19, True), (20, False)])
def test_a_trial_says_that_its_test_part_is_small(trained: dict[str, Run], targets: int, told: bool) -> None:
    run = trained["gru"]
    data = structs.replace(run.metrics.data, separate_targets=targets)
    console = Console(file=StringIO(), width=400)
    terminal.show_run(replace(run, metrics=structs.replace(run.metrics, data=data)), console)
    assert ("Test part: it has 19 targets that do not overlap" in console.file.getvalue()) is told  # type: ignore[attr-defined]


def test_json_holds_every_seed(found: Comparison) -> None:
    tree = json.loads(export.format_comparison(found, ".json"))
    row = next(row for row in tree["rows"] if row["name"] == "GRU")
    assert row["values"]["rmse_scaled"] == [1.0, 1.2, 0.8]
    verdict = write_verdict(found)
    assert [(one["topic"], one["text"]) for one in tree["findings"]] == [
        (finding.topic, finding.text) for finding in verdict.findings
    ]
    assert (tree["answer"]["choice"], tree["answer"]["text"]) == (verdict.answer.choice, verdict.answer.text)
    assert tree["margin"] == 0.05
    assert Experiment.from_dict(tree["spec"]) == found.spec
    assert [(pair["first"], pair["second"]) for pair in tree["pairs"]["error"]] == [("GRU", "LSTM")]


def test_csv_has_a_row_a_seed(found: Comparison) -> None:
    rows = list(csv.DictReader(StringIO(export.format_comparison(found, ".csv"))))
    assert [(row["arm"], row["seed"]) for row in rows[:3]] == [("GRU", "0"), ("GRU", "1"), ("GRU", "2")]
    assert [float(row["epoch_s"]) for row in rows[3:6]] == [2.2, 2.1, 2.0]
    assert [row["arm"] for row in rows[6:]] == ["persistence", "seasonal", "linear"]
    assert [(row["backend"], row["precision"], row["kernel"]) for row in rows[5:7]] == [
        ("tensorflow", "float32", "fused"),
        ("", "", ""),
    ]


def test_markdown_tables_have_as_many_cells_as_heads(found: Comparison) -> None:
    lines = [line for line in export.format_comparison(found, ".md").splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[:6]}) == 1
    assert "± " in lines[2]


def test_latex_is_escaped_and_has_as_many_cells_as_heads(found: Comparison) -> None:
    text = export.format_comparison(
        compare_runs({"G_R&U": found.runs_of("GRU"), "LSTM": found.runs_of("LSTM")}), ".tex"
    )
    terminal = [part.split(r"\end{tabular}")[0] for part in text.split(r"\begin{tabular}")[1:]]
    assert r"G\_R\&U & " in terminal[0]
    assert r"$\pm$" in terminal[0]
    assert f"% Note: {header.write_header(found)[0]}" in text
    for table in terminal:
        assert len({line.replace(r"\&", "").count("&") for line in table.splitlines() if line.endswith(r"\\")}) == 1


def test_the_folder_is_whole(trained: dict[str, Run], tmp_path: Path) -> None:
    arms = {name.upper(): [run] for name, run in trained.items()}
    for _ in range(2):  # a second call replaces the first
        export.write_folder(compare_runs(arms, folder=tmp_path / "c"))
    assert {path.name for path in (tmp_path / "c").iterdir()} == {
        "comparison.json",
        "comparison.md",
    }
    assert visible(tmp_path) == ["c"]


def test_a_picture_can_be_svg_and_nothing_else_unknown(found: Comparison, tmp_path: Path) -> None:
    assert plots.draw_losses(found, tmp_path / "a.svg").read_text().startswith("<?xml")
    with pytest.raises(Exception, match="could not be written"):
        plots.draw_losses(found, tmp_path / "a.docx")
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
    assert numbers.format_number(value) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.1234, 0.1236], "0.1235 ± 0.0001"),
        ([1.0, 2.0], "1.50 ± 0.71"),
        ([2000.0, 3000.0], "2,500 ± 707"),
        ([-0.0712, 0.0711], "0.00 ± 0.10"),
        ([-1.0, 1.0], "0.0 ± 1.4"),
        ([-0.71, 0.57], "-0.07 ± 0.91"),
        ([5.0], "5"),
        ([None, float("nan")], "\N{EN DASH}"),
    ],
)
def test_spread_decides_the_digits(values: list, shown: str) -> None:
    row = rows.Row(name="", cell="", values={"x": values})
    assert rows.format_cell(row, Column(key="x", heading="")) == shown


def test_a_sparkline_goes_from_lowest_to_highest() -> None:
    line = score_table.draw_sparkline(np.linspace(0, 1, 200).tolist(), 8)
    assert line == "▁▂▃▄▅▆▇█"
    assert score_table.draw_sparkline([3.0, 3.0]) == "▁▁"


def test_a_picture_of_many_trials_draws_some_and_says_so(
    found: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "loss of every trial" in plots.draw_losses(found, tmp_path / "a.svg").read_text()
    monkeypatch.setattr(plots, "MAX_LINES", 2)
    assert "loss of 2 trials an arm" in plots.draw_losses(found, tmp_path / "a.svg").read_text()


def test_empty_cells_and_filled_targets_stand_above_the_table(trained: dict[str, Run]) -> None:
    run = trained["gru"]
    (name, summary), *others = run.metrics.data.series.items()
    series = {name: structs.replace(summary, rows=100, empty=30, dropped=4, filled=25), **dict(others)}
    data = structs.replace(run.metrics.data, series=series)
    changed = replace(run, metrics=structs.replace(run.metrics, data=data))
    lines = header.write_header(compare_runs({"GRU": [changed], "LSTM": [trained["lstm"]]}))
    rows = sum(item.rows for item in series.values())
    assert "Empty cells: 30 (--missing error), 4 rows with one left out" in lines
    assert f"Filled: 25 of {rows:,} targets have the value before them, and no forecast is measured by them" in lines
