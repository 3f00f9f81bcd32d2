"""The command line: flags made from the spec, errors with their exit codes, nothing heavy before its time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grubench.cli import app
from grubench.runs.records import SCHEMA
from grubench.runs.run import Run

SMALL = ("--epochs", 1, "--stride", 60, "--units", 3, "--in-process")


def test_a_comparison_from_the_first_command_to_its_files(call, tmp_path: Path) -> None:
    exports = ("--export", "a.json", "--export", "a.csv", "--export", "a.md", "--report", "a.html")
    result = call("compare", "--seeds", 1, *SMALL, *exports)
    assert result.exit_code == 0, result.output
    for part in ("GRU", "LSTM", "persistence", "Speed:", "Tables, loss.png, forecast.png: runs/"):
        assert part in result.output
    assert {"a.json", "a.csv", "a.md", "a.html", "runs"} == {path.name for path in tmp_path.iterdir()}
    arms = json.loads(Path("a.json").read_text())["arms"]
    again = call("compare", "--runs", *(f"runs/{name}" for arm in arms for name in arm["runs"]))
    assert again.exit_code == 0, again.output
    assert "GRU" in again.output
    folder = next(Path("runs").glob("*-compare-*"))
    assert call("report", folder.name).exit_code == 0
    assert (folder / "report.html").stat().st_size > 500_000
    listed = call("runs")
    assert listed.output.count("activities-") == 2
    shown = call("runs", arms[0]["runs"][0])
    assert "mean of 10 series" in shown.output
    assert "kernel fused" in shown.output


def test_a_mixed_stack_is_trained_and_predicted(call) -> None:
    result = call("train", "--layers", "gru:3,lstm:2", "--dropout", "0.1,0", *SMALL[:4], "--in-process")
    assert result.exit_code == 0, result.output
    run = next(Path("runs").glob("*gru-lstm-s0*"))
    made = call("predict", run, "--export", "f.csv", "--picture", "f.svg")
    assert made.exit_code == 0, made.output
    assert Path("f.csv").read_text().startswith("series,origin,step,time,actual,predicted\nactivity0,")
    assert Path("f.svg").stat().st_size > 1000
    ahead = call("predict", run, "--steps", 3)
    assert ahead.exit_code == 0, ahead.output
    assert "3584" in ahead.output
    assert (run / "ahead.png").is_file()


def test_a_csv_of_ones_own(call) -> None:
    rows = "\n".join(f"2026-01-{day:02d},{day},{day % 7},{day % 5}" for day in range(1, 32))
    Path("my.csv").write_text("date,price,volume,open\n" + rows)
    flags = ("--csv", "my.csv", "--time", "date", "--target", "price", "--features", "volume,open")
    result = call(
        "train", *flags, "--lookback", 5, "--horizon", 2, "--validation", 0, "--test", 6, "--epochs", 1, "--in-process"
    )
    assert result.exit_code == 0, result.output
    assert next(Path("runs").glob("*-my-gru-s0-*"))


def test_datasets_are_listed_and_described(call) -> None:
    listed = call("datasets")
    assert listed.exit_code == 0
    for name in ("activities", "bankex", "bitcoin", "energy", "waves"):
        assert name in listed.output
    described = call("datasets", "activities")
    assert described.exit_code == 0, described.output
    assert "3,584" in described.output
    assert "activity9" in described.output


def test_the_doctor_names_kernels_and_reasons(call) -> None:
    result = call("doctor", "--layers", "gru:64,rnn:8", "--recurrent-dropout", "0.1")
    assert result.exit_code == 0, result.output
    for part in ("keras", "tensorflow", "gru:64", "rnn:8", "--recurrent-dropout 0", "SimpleRNN"):
        assert part in result.output


class TestBadInput:
    """Each ends in one message that names the place and the remedy, with no traceback and nothing left behind."""

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (("train", "--csv", "absent.csv", "--target", "x"), 2, "there is no file absent.csv"),
            (("train", "--csv", "bad.csv", "--target", "prize"), 2, "no column 'prize'"),
            (("train", "--csv", "bad.csv"), 2, "data.target"),
            (("train", "--csv", "bad.csv", "--target", "text"), 1, "'b' is not a number"),
            (("train", "--csv", "bad.csv", "--target", "empty"), 1, "data row 2 is empty (NaN)"),
            (("train", "--csv", "bad.csv", "--target", "infinite"), 1, "data row 1: inf is infinite"),
            (("train", "--csv", "bad.csv", "--target", "price"), 2, "bad has 2 steps"),
            (("train", "--horizon", "3600"), 2, "window.lookback: series activity0 has 3584 steps"),
            (("train", "--horizon", "3000", "--test", "3100"), 2, "No train window"),
            (("train", "--dataset", "bankx"), 2, "there is no dataset 'bankx'"),
            (("train", "--cell", "gro"), 2, "model.cell: unknown value 'gro'"),
            (("train", "--units", "8,x"), 2, "model.units: '8,x' is not a list of numbers"),
            (("train", "--optimizer", "adamant"), 2, "training.optimizer: unknown value 'adamant'"),
            (("train", "--epochs", "many"), 2, "Invalid value for '--epochs'"),
            (("train", "--epochs", "0"), 2, "training.epochs: 0 is too small"),
            (("train", "--epoch", "1"), 2, "No such option"),
            (("train", "bankx"), 2, "There is no preset 'bankx'"),
            (("train", "bad.toml"), 2, "bad.toml is not a TOML preset"),
            (("train", "key.toml"), 2, "Unknown key model.unit"),
            (("train", "--csv", "bad.csv", "--dataset", "bankex", "--target", "price"), 2, "both set"),
            (("train", "--dataset", "bankex", "--time", "date"), 2, "data.time"),
            (("train", "--output", "bad.csv"), 1, "The output folder bad.csv cannot be written"),
            (("compare", "--cells", "gru,gro"), 2, "there is no cell 'gro'"),
            (("compare", "--seeds", "0"), 2, "--seeds"),
            (("compare", "--export", "a.xlsx"), 2, "unknown ending"),
            (("compare", "--export", "absent/a.csv"), 2, "there is no folder absent"),
            (("compare", "bankex", "bitcoin"), 2, "More than one preset"),
            (("compare", "--runs", "absent", "gone"), 2, "absent is not a run"),
            (("compare", "--runs", "absent", "--seeds", "5"), 2, "no setting can be changed"),
            (("compare", "--runs", "absent", "--jobs", "2"), 2, "no setting can be changed"),
            (("compare", "--jobs", "0"), 2, "--jobs"),
            (("compare", "--executor", "slurm"), 2, "--executor: unknown value 'slurm'"),
            (("compare", "--executor", "ray", "--in-process"), 2, "does not go with --in-process"),
            (("compare", "--executor", "ray", "--jobs", "2"), 2, "do not go with --executor ray"),
            (("compare", "--executor", "ray", "--checkpoint-every", "2"), 2, "--checkpoint-every"),
            (("compare", "--ray-address", "auto"), 2, "--ray-address is for Ray"),
            (("compare", "--match", "time", "--jobs", "2"), 2, "training.seconds: with --jobs 2"),
            (("compare", "--strategy", "mirrored", "--jobs", "2"), 2, "training.strategy"),
            (("train", "--strategy", "mirrored", "--in-process"), 2, "two devices or more"),
            (("train", "--checkpoint-every", "-1"), 2, "--checkpoint-every"),
            (("compare", "--cell", "rnn"), 2, "Use --cells"),
            (("compare", "--pictures", "gif"), 2, "--pictures: unknown value 'gif'"),
            (("predict", "newer", "--picture", "a.gif"), 2, "unknown ending"),
            (("predict", "newer", "--export", "a.txt"), 2, "unknown ending"),
            (("train", "model.toml"), 2, "model: 3 is not a table"),
            (("train", "text.toml", "--units", "3"), 2, "model.layers: 'gru' has no valid number of units"),
            (("train", "--kernel", "cudnn", "--recurrent-dropout", "0.1"), 2, "--recurrent-dropout 0"),
            (("compare", "--runs", "absent", "--epochs", "3"), 2, "no setting can be changed"),
            (("predict", "."), 2, "is not a run"),
            (("predict", "newer"), 1, "written by a newer grubench"),
            (("runs", "absent"), 2, "is not a run"),
            (("report", "absent"), 2, "is not a comparison"),
            (("report", "newer"), 2, "is not a comparison"),
            (("report", "newer", "--to", "a.pdf"), 2, "unknown ending"),
            (("compare", "--report", "absent/a.html"), 2, "there is no folder absent"),
            (("datasets", "bankx"), 2, "there is no dataset 'bankx'"),
        ],
    )
    def test_it_is_told_plainly(
        self, call, trained: dict[str, Run], words: tuple[str, ...], code: int, said: str
    ) -> None:
        Path("bad.csv").write_text("price,text,empty,infinite\n1,a,1,inf\n2,b,,2\n".replace(",a,", ",1,"))
        Path("bad.toml").write_text("[model")
        Path("key.toml").write_text("[model]\nunit = 3\n")
        Path("model.toml").write_text("model = 3\n")
        Path("text.toml").write_text("[model]\nlayers = 'gru'\n")
        newer = Path("newer")
        newer.mkdir()
        for path in trained["gru"].folder.iterdir():
            (newer / path.name).write_bytes(path.read_bytes())
        metrics = json.loads((newer / "metrics.json").read_text())
        (newer / "metrics.json").write_text(json.dumps(metrics | {"schema": SCHEMA + 1}))
        before = set(Path().rglob("*"))
        placed = {"--runs", "--jobs", "--executor", "--ray-address", "--in-process"} & set(words)
        extra = ("--in-process",) if words[0] in ("train", "compare") and not placed else ()
        result = call(*words, *extra)
        assert result.exit_code == code, result.output
        assert said in " ".join(result.output.split())
        assert "Traceback" not in result.output
        left = {path for path in Path().rglob("*") if path != Path("runs") and ".locks" not in path.parts}
        assert left == before

    def test_a_dataset_that_cannot_be_had(self, call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "bitcoin").mkdir()
        (tmp_path / "bitcoin" / "coin_Bitcoin.csv").write_text("damaged")
        monkeypatch.setenv("GRUBENCH_DATA_DIR", str(tmp_path))
        result = call("train", "bitcoin", "--in-process")
        assert result.exit_code == 1
        assert "SHA-256" in result.output

    def test_debug_shows_where(self, call) -> None:
        result = call("train", "--cell", "gro", "--debug")
        assert type(result.exception).__name__ == "SpecError"


def python(code: str, *words: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def test_light_commands_load_neither_tensorflow_nor_keras(trained: dict[str, Run], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from grubench.cli import app\n"
        "runs = sys.argv[1:]\n"
        "for words in (['--help'], ['compare', '--help'], ['compare', '--help-all'], ['guide', 'start'],\n"
        "              ['datasets'], ['datasets', 'activities'],\n"
        "              ['runs', '--output', runs[0] + '/..'], ['runs', runs[0]], ['compare', '--runs', *runs]):\n"
        "    result = CliRunner().invoke(app, words)\n"
        "    assert result.exit_code == 0, result.output\n"
        "    heavy = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "    assert not heavy, (words, heavy)\n"
        "    if words == ['--help']:\n"
        "        assert not {'numpy', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "print('light')\n"
    )
    assert python(code, *(str(run.folder) for run in trained.values()), cwd=tmp_path) == "light\n"


def test_the_jobs_are_there_for_a_program(tmp_path: Path) -> None:
    code = (
        "from grubench import Experiment, train, compare, predict, resolve\n"
        "import sys\n"
        "spec = resolve('bankex', {'training': {'epochs': 5}})\n"
        "print(Experiment().model.layers, spec.training.epochs, callable(train), 'keras' in sys.modules)"
    )
    assert python(code, cwd=tmp_path) == "('gru:32',) 5 True False\n"


def test_python_m_grubench_is_the_same_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "grubench", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == CliRunner().invoke(app, ["--version"]).output.strip()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    program = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "sys.argv = ['grubench', 'runs']; from grubench.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "The current folder is gone" in done.stderr
    assert "Traceback" not in done.stderr
