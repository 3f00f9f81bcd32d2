"""A result is kept first and shown after: what fails afterwards loses only itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grubench.cli.delivery import Delivery
from grubench.errors import RunError, UsageError
from grubench.reports import export, plots, terminal

TRIALS = ("--epochs", 1, "--stride", 60, "--units", 3, "--seeds", 1, "--in-process")


def fail(*_: object, **__: object) -> None:
    raise ValueError("planted")


def test_every_step_runs_and_the_last_failure_is_raised(capsys: pytest.CaptureFixture[str]) -> None:
    delivery, done = Delivery(), []
    for number, error in enumerate((UsageError("first"), None, ValueError("third"))):
        with delivery.step(f"step{number}"):
            done.append(number)
            if error:
                raise error
    with pytest.raises(RunError, match="step2 could not be made: ValueError: third") as raised:
        delivery.finish(3)
    assert done == [0, 1, 2]
    assert raised.value.exit_code == 3
    assert "step0 could not be made: first" in capsys.readouterr().err
    Delivery().finish()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trials of the comparison, trained once."""
    from grubench.cli import app

    root = tmp_path_factory.mktemp("finished") / "runs"
    result = CliRunner().invoke(app, [str(word) for word in ("compare", *TRIALS, "--output", root)])
    assert result.exit_code == 0, result.output
    for folder in root.glob("*-compare-*"):
        shutil.rmtree(folder)
    return root


@pytest.fixture
def compare(call: Callable[..., Result], finished: Path) -> Callable[[], Result]:
    shutil.copytree(finished, "runs")
    exports = ("--export", "a.csv", "--export", "a.tex", "--export", "a.json", "--report", "a.html")
    return lambda: call("compare", *TRIALS, *exports)


@pytest.mark.parametrize(
    ("module", "name", "missing", "said"),
    [
        (plots, "draw_losses", "loss.png", "loss.png could not be made: ValueError: planted"),
        (plots, "draw_forecasts", "forecast.png", "forecast.png could not be made: ValueError: planted"),
        (terminal, "show_comparison", "", "The tables could not be made: ValueError: planted"),
        (export, "write_latex", "a.tex", "a.tex could not be made: ValueError: planted"),
    ],
)
def test_a_failure_loses_only_itself(
    compare: Callable[[], Result],
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    missing: str,
    said: str,
) -> None:
    monkeypatch.setattr(module, name, fail)
    result = compare()
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert ("persistence" in result.output) == bool(missing)
    files = {"a.csv", "a.tex", "a.json", "a.html", "comparison.json", "comparison.md", "loss.png", "forecast.png"}
    assert {path.name for path in (*Path().glob("a.*"), *Path("runs").glob("*compare*/*"))} == files - {missing}


def test_a_comparison_is_kept_before_it_is_shown(
    compare: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    monkeypatch.setattr(
        terminal,
        "show_comparison",
        lambda *_, **__: kept.extend(path.name for path in Path("runs").glob("*compare*/*")),
    )
    assert compare().exit_code == 0
    assert sorted(kept) == ["comparison.json", "comparison.md"]


def test_forecasts_are_written_where_the_picture_is_not(
    call: Callable[..., Result], trained: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "draw_forecast", fail)
    result = call("predict", trained["gru"].folder, "--export", "f.csv", "--picture", "f.png")
    assert result.exit_code == 1
    assert "f.png could not be made" in result.output
    assert "persistence" in result.output
    assert Path("f.csv").is_file()


def test_a_run_is_named_where_its_tables_fail(call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "show_run", fail)
    result = call("train", *TRIALS[:6], "--in-process")
    assert result.exit_code == 1
    assert "Saved in runs/" in result.output
    assert "The tables could not be made" in result.output
