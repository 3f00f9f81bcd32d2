"""A stranger's files: nothing of theirs runs, nothing outside their folder is read or written, and errors say why."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import os
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import pandas as pd
import pytest
from conftest import compare_runs
from msgspec import structs
from rich.console import Console
from typer.testing import Result

import grubench
from grubench import presets
from grubench.comparison import comparison
from grubench.comparison.comparison import Failure
from grubench.data import datasets
from grubench.data.datasets import catalog, download
from grubench.errors import DataError, GrubenchError, RunError, SpecError, UsageError
from grubench.reports import export, html, terminal
from grubench.runs import files
from grubench.runs import run as runs
from grubench.runs.folder import FILES
from grubench.runs.records import SCHEMA, LayerKernel, Metrics
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data
from grubench.training import load_model, predict


@pytest.fixture
def folder(trained: dict[str, Run], tmp_path: Path) -> Path:
    """A copy of a run, in a folder of its own that holds nothing else."""
    target = tmp_path / "runs" / "run"
    shutil.copytree(trained["gru"].folder, target)
    return target


@pytest.fixture
def both(trained: dict[str, Run], tmp_path: Path) -> Path:
    """The folder of a comparison, its runs beside it."""
    root = tmp_path / "runs"
    found = {name: shutil.copytree(run.folder, root / name) for name, run in trained.items()}
    made = compare_runs({name.upper(): [runs.load(path)] for name, path in found.items()})
    (root / "both").mkdir()
    (root / "both" / "comparison.json").write_text(export.format_comparison(made, ".json"))
    return root / "both"


def changed(path: Path, change: Callable[[Any], None]) -> None:
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


class TestRunFolders:
    @pytest.mark.parametrize("name", [*FILES, ".forecast.png.partial.png", "notes"])
    def test_a_link_in_a_run_is_refused_wherever_it_leads(self, folder: Path, name: str, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_text("mine")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(outside)
        with pytest.raises(RunError, match="a link or a pipe"):
            runs.load(folder)
        assert runs.list_runs(folder.parent) == []
        assert outside.read_text() == "mine"

    def test_a_pipe_is_refused_before_anything_waits_for_it(self, folder: Path) -> None:
        (folder / "history.csv").unlink()
        os.mkfifo(folder / "history.csv")
        with pytest.raises(RunError, match="a link or a pipe"):
            runs.load(folder)

    def test_a_linked_folder_is_not_listed(self, folder: Path) -> None:
        elsewhere = folder.parent.parent / "elsewhere"
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
        assert runs.list_runs(folder.parent) == []

    @pytest.mark.parametrize("name", ["metrics.json", "environment.json", "history.csv", "scaling.json"])
    def test_a_file_of_any_size_is_not_read_whole(self, folder: Path, name: str) -> None:
        os.truncate(folder / name, files.MAX_BYTES + 1)
        with pytest.raises(RunError, match=rf"{name} has more than"):
            files.read_bytes(folder / name)

    @pytest.mark.parametrize(
        "text", ['{"schema": ' * 10_000, "[" * 100_000, '{"schema": NaN}', '{"schema": 1' + "0" * 5000]
    )
    def test_json_that_cannot_be_read_names_the_file(self, folder: Path, text: str) -> None:
        (folder / "metrics.json").write_text(text)
        with pytest.raises(RunError, match=r"metrics\.json"):
            runs.load(folder)

    @pytest.mark.parametrize(
        ("keys", "value", "said"),
        [
            (("schema",), "1", "names no schema"),
            (("schema",), True, "names no schema"),
            (("schema",), SCHEMA + 1, "written by a newer grubench"),
            (("schema",), 1, "written by an older grubench"),
            (("timing", "epoch_s"), 0, "timing.epoch_s is 0 (Expected `float` > 0.0)"),
            (("timing", "epoch_s"), 10**400, "timing.epoch_s is"),
            (("test", "overall"), [], "test.overall is [] (Expected `object`, got `array`)"),
            (("test", "overall", "rmse_scaled"), None, "test.overall.rmse_scaled is None and not a number from 0"),
            (
                ("test", "series", "activity3", "mase"),
                {},
                "test.series.activity3.mase is {} (Expected `float | null`, got `object`)",
            ),
            (("test", "horizon"), [], "test has no series or no step"),
            (("baselines", "persistence", "series"), {}, "persistence has scores of other series"),
            (("baselines",), {}, "baselines.persistence is missing"),
            (("data", "unit"), "\ud800", "metrics.json cannot be read"),
        ],
    )
    def test_figures_of_another_form_are_named_by_key(
        self, folder: Path, keys: tuple[str, ...], value: Any, said: str
    ) -> None:
        def change(tree: Any) -> None:
            for key in keys[:-1]:
                tree = tree[key]
            tree[keys[-1]] = value

        changed(folder / "metrics.json", change)
        with pytest.raises(RunError) as caught:
            runs.load(folder)
        assert said in caught.value.message
        assert str(folder) in caught.value.message

    @pytest.mark.parametrize(
        "text",
        ["", "epoch,loss,seconds\n", "epoch,loss,seconds\n1,2\n", "epoch,loss,seconds\n1,x,3\n", "epoch,loss\n1,1\n",
         "epoch,loss,seconds\n" + "1,1,1\n" * 1_000_000, "epoch,loss,seconds\n1,1,1\n2,1,nan\n",
         'epoch,"loss\n', "epoch,loss,seconds\n1,\x00,1\n", "a" * 10_000_000],
    )  # fmt: skip
    def test_a_history_of_another_form_is_refused(self, folder: Path, text: str) -> None:
        (folder / "history.csv").write_text(text)
        with pytest.raises(RunError, match=r"history\.csv (cannot be read|has more than 768 bytes)"):
            runs.load(folder).history()

    def test_more_epochs_than_are_read_are_refused(self, folder: Path) -> None:
        changed(folder / "metrics.json", lambda tree: tree["loss"].update(epochs=1_000_001))
        (folder / "history.csv").write_text("epoch,loss,seconds\n" + "1,1,1\n" * 1_000_001)
        with pytest.raises(RunError, match=r"history\.csv cannot be read"):
            runs.load(folder).history()

    @pytest.mark.parametrize(
        "text",
        ["", "a" * 10_000_000, "series,origin,step,time,actual,predicted\n" + "a,0,1,1,1,1\n" * 100_000,
         "series,step\na,1\n", "series,step,time,actual,predicted\na,2,0,1,1\n",
         "series,step,time,actual,predicted\na,1,soon,1,1\n", "series,step,time,actual,predicted\na,1,0,inf,1\n"],
    )  # fmt: skip
    def test_predictions_of_another_form_are_refused(self, folder: Path, text: str) -> None:
        (folder / "predictions.csv").write_text(text)
        with pytest.raises(RunError, match=r"predictions\.csv"):
            runs.load(folder).predictions()

    def test_marks_of_markup_are_text(self, folder: Path) -> None:
        changed(folder / "environment.json", lambda tree: tree["kernels"][0].update(kernel="[/]"))
        terminal.show_run(runs.load(folder), Console(file=io.StringIO(), width=100))

    def test_what_a_run_wrote_is_read_back(self, trained: dict[str, Run]) -> None:
        for run in trained.values():
            assert runs.load(run.folder).metrics == run.metrics
            assert run.history()["epoch"] == [1, 2]
            rows = pd.read_csv(run.folder / "predictions.csv")
            found = run.predictions()
            np.testing.assert_array_equal(np.concatenate([one.predicted for one in found.values()]), rows["predicted"])
            assert list(found) == list(dict.fromkeys(rows["series"]))

    def test_scalings_that_do_not_fit_the_data_are_refused(self, folder: Path, tmp_path: Path) -> None:
        changed(
            folder / "scaling.json", lambda tree: tree["series"].update(activity0={"offset": [0, 0], "factor": [1, 1]})
        )
        (tmp_path / "new.csv").write_text("activity\n" + "1\n" * 40)
        with pytest.raises(UsageError, match="scales 2 inputs, and series 'new' has 1"):
            predict.predict(folder, file=tmp_path / "new.csv", series="activity0", steps=1)

    @pytest.mark.parametrize("name", [".locks", ".checkpoints"])
    def test_training_into_a_folder_does_not_follow_links_in_it(
        self, call: Callable[..., Result], folder: Path, tmp_path: Path, name: str
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "mine").write_text("mine")
        (folder.parent / name).symlink_to(elsewhere)
        done = call("train", "waves", "--output", folder.parent)
        assert done.exit_code == 1
        assert f"{name} is a link, and grubench writes nothing through it" in " ".join(done.output.split())
        assert [path.name for path in elsewhere.iterdir()] == ["mine"]


GRU: dict[str, Any] = {"name": "GRU", "cell": "GRU", "settings": {}, "color": "#0072B2", "runs": ["gru"]}


class TestComparisons:
    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../other", "/etc", "both/../gru", "a\x00b", "..\\gru", "linked", "a" * 300]
    )
    def test_its_runs_lie_beside_it_and_nowhere_else(self, both: Path, name: str) -> None:
        (both.parent / "linked").symlink_to(both.parent / "gru")
        changed(both / "comparison.json", lambda tree: tree["arms"][0].update(runs=[name]))
        with pytest.raises(GrubenchError, match=r"is no run beside it|is not a run|control characters|is damaged"):
            comparison.load(both)

    def test_a_linked_comparison_file_is_refused(self, both: Path) -> None:
        (both / "comparison.json").rename(both.parent / "other.json")
        (both / "comparison.json").symlink_to(both.parent / "other.json")
        with pytest.raises(RunError, match="a link or a pipe"):
            comparison.load(both)

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("schema", 7, "newer grubench"),
            ("schema", 1, "older grubench"),
            ("schema", None, "names no schema"),
            ("arms", {}, "arms is {} (Expected `array`, got `object`)"),
            ("arms", ["gru"], "arms[0] is 'gru' (Expected `object`, got `str`)"),
            ("arms", [GRU | {"runs": "gru"}], "arms[0].runs is 'gru' (Expected `array`, got `str`)"),
            ("arms", [GRU | {"runs": [3]}], "arms[0].runs[0] is 3 (Expected `str`, got `int`)"),
            ("arms", [GRU | {"name": "G\nU"}], r"arms[0].name is 'G\nU' (Expected `str` matching regex"),
            ("arms", [GRU | {"name": "x" * 10_001}], "arms[0].name is"),
            ("arms", [GRU | {"cell": "\x1b[2J"}], r"arms[0].cell is '\x1b[2J' (Expected `str` matching regex"),
            ("arms", [GRU | {"settings": {"a": "\x9b"}}], r"arms[0].settings.a is '\x9b' (Expected `str` matching"),
            ("arms", [GRU | {"settings": {"a\n": "b"}}], "(Expected `str` matching regex"),
            ("arms", [GRU | {"color": "red"}], "arms[0].color is 'red' (Expected `str` matching regex"),
            ("arms", [GRU | {"color": "#000000\n"}], r"arms[0].color is '#000000\n' (Expected `str` matching regex"),
            ("arms", [GRU | {"color": "#000;}"}], "arms[0].color is '#000;}' (Expected `str` matching regex"),
            ("arms", [GRU, GRU | {"runs": []}], "two of its arms have the same name"),
            ("arms", [GRU, GRU | {"name": "other"}], "it names the run 'gru' twice"),
            ("arms", [GRU | {"runs": ["gru", "lstm", "gru"]}], "it names the run 'gru' twice"),
            ("arms", [GRU | {"name": f"{k}", "runs": []} for k in range(1001)], "Expected `array` of length <= 1000"),
            ("arms", [GRU | {"runs": [f"{k}" for k in range(100_001)]}], "Expected `array` of length <= 100000"),
            (
                "arms",
                [GRU | {"name": f"{a}", "runs": [f"{a}-{k}" for k in range(60_000)]} for a in range(2)],
                "it names 120,000 runs, and the most is 100,000",
            ),
            ("arms", [GRU | {"runs": ["gru", "lstm"]}], "the runs of 'GRU' have different settings"),
            ("arms", [], "names no run"),
            ("arms", [GRU | {"runs": []}], "names no run"),
            ("notes", ["a\x1b"], r"notes[0] is 'a\x1b' (Expected `str` matching regex"),
            ("failures", [{"arm": "GRU"}], "failures[0].seed is missing"),
            ("failures", None, "failures is None (Expected `array`, got `null`)"),
        ],
    )
    def test_another_form_is_named_by_key(self, both: Path, key: str, value: Any, said: str) -> None:
        changed(both / "comparison.json", lambda tree: tree.update({key: value}))
        with pytest.raises(RunError) as caught:
            comparison.load(both)
        assert said in caught.value.message

    def test_two_arms_of_the_same_settings_are_refused(self, both: Path) -> None:
        shutil.copytree(both.parent / "gru", both.parent / "again")
        arms = [GRU, GRU | {"name": "other", "runs": ["again"]}]
        changed(both / "comparison.json", lambda tree: tree.update(arms=arms))
        with pytest.raises(RunError, match="the runs of 'GRU' and 'other' have the same settings"):
            comparison.load(both)

    def test_seeds_that_are_not_measured_alike_are_told(self, both: Path) -> None:
        shutil.copytree(both.parent / "gru", both.parent / "again")
        changed(both.parent / "again" / "metrics.json", lambda tree: tree["test"]["overall"].pop("mase"))
        changed(both / "comparison.json", lambda tree: tree["arms"][0].update(runs=["gru", "again"]))
        with pytest.raises(UsageError, match="one has no 'mase'"):
            comparison.load(both)

    def test_runs_of_other_data_are_not_set_side_by_side(self, both: Path) -> None:
        changed(both.parent / "lstm" / "metrics.json", lambda tree: tree["data"].update(fingerprint="another"))
        with pytest.raises(UsageError, match="different data"):
            comparison.load(both)


class TestSpecs:
    @pytest.mark.parametrize(
        "text",
        [
            "a" + ".a" * 50_000 + " = 1",
            "[" + "a." * 50_000 + "a]",
            "x = " + "[" * 50_000,
            "seed = 0x" + "f" * 10_000,
            "seed = " + "9" * 10_000,
            "[model]\nunits = 0x" + "f" * 10_000,
            "[training]\nepochs = 99999999999999999999",
            "[window]\ntest = 0x" + "f" * 2000,
            '[model]\nlayers = ["gru:' + "9" * 10_000 + '"]',
            "#" * (2**20 + 1),
            "a\x00b = 1",
        ],
    )
    def test_what_would_take_for_ever_or_break_python_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "my.toml").write_text(text)
        with pytest.raises(SpecError) as caught:
            presets.resolve(str(tmp_path / "my.toml"))
        assert re.match(r".*(my\.toml|seed|model\.layers|training\.epochs|window\.test)", str(caught.value))
        assert len(str(caught.value)) < 2000
        with pytest.raises(SpecError):
            Experiment.from_toml(text)

    def test_names_too_long_for_a_file_are_none(self, folder: Path) -> None:
        long = Path("a" * 300 + ".toml")
        with pytest.raises(UsageError, match="There is no preset"):
            presets.resolve(str(long))
        with pytest.raises(UsageError, match="there is no file"):
            datasets.load(Data(file=str(long), target=("price",)), "my")
        text = (folder / "experiment.toml").read_text().replace('file = ""', f'file = "{long}"')
        (folder / "experiment.toml").write_text(text.replace("target = []", 'target = ["price"]'))
        with pytest.raises(UsageError, match="which is not there"):
            predict.predict(folder)

    @pytest.mark.parametrize(
        "name", ["..", "../experiments/bitcoin", "/etc/passwd", "bit\x00coin", "/etc/passwd\x00.toml"]
    )
    def test_a_presets_name_is_no_path(self, name: str) -> None:
        with pytest.raises(UsageError, match="There is no preset"):
            presets.resolve(name)


class TestTables:
    def read(self, path: Path, **settings: Any) -> Any:
        return datasets.load(Data(file=str(path), **({"target": ("price",)} | settings)), "my")

    @pytest.mark.parametrize(
        ("content", "settings", "said"),
        [
            (b"price,price\n1,2\n", {}, "more than one column 'price'"),
            (b"price\n1e308\n", {}, "1e+308 is too large (the most is 1e+100)"),
            (b"price\n-1e101\n", {}, "too large"),
            (b"price\n" + b"9" * 10_000_000 + b"\n", {}, "data row 1"),
            (b"price,x\n1," + b"a" * 10_000_000 + b"\n2,b\n", {"features": ("x",)}, "is long or holds control"),
            (b"," * 200_000 + b"\n1\n", {}, "it has more columns than 10,000"),
            (b"a" * 10_000_000 + b"\n1\n", {}, "has no column 'price'"),
            (b"price\n1\n\x00\n", {}, "it holds NUL characters"),
            (b"price\n1\n\xe9\n", {}, "data row 2"),
            (b"date,price\n99999-01-01,1\n", {"time": "date"}, "is not an ISO timestamp"),
            (b"date,price\n2026-01-01T00:00+99:00,1\n", {"time": "date"}, "date"),
            (b"date,price\n2026-01-01,1\n", {"time": "date", "time_format": "%"}, "data.time_format"),
            (b"date,price\n0001-01-01T00:00:00,1\n0001-01-01T00:00:01,1\n9999-01-01T00:00:00,1\n",
             {"time": "date", "gaps": "fill"}, "too many to fill"),
        ],
    )  # fmt: skip
    def test_faults_are_told_in_a_few_words(self, tmp_path: Path, content: bytes, settings: Any, said: str) -> None:
        (tmp_path / "my.csv").write_bytes(content)
        with pytest.raises(GrubenchError) as caught:
            self.read(tmp_path / "my.csv", **settings)
        assert said in str(caught.value)
        assert len(str(caught.value)) < 1000

    def test_a_wrong_stamp_far_away_is_no_fault_by_itself(self, tmp_path: Path) -> None:
        (tmp_path / "my.csv").write_text("date,price\n0001-01-01,1\n0001-01-02,1\n9999-01-01,1\n")
        assert self.read(tmp_path / "my.csv", time="date").series[0].missing > 3_000_000

    @pytest.mark.parametrize(
        "column", [[[1], [2]], [{"a": 1}, {"a": 2}], pd.to_datetime(["2026-01-01", "2026-01-02"]), ["x", "y"]]
    )
    def test_parquet_columns_that_hold_no_numbers_are_refused(self, tmp_path: Path, column: Any) -> None:
        pd.DataFrame({"price": column}).to_parquet(tmp_path / "my.parquet")
        with pytest.raises(DataError, match="column 'price'"):
            self.read(tmp_path / "my.parquet")

    @pytest.mark.parametrize("year", ["200000", "-20000"])
    def test_parquet_stamps_of_no_calendar_are_refused(self, tmp_path: Path, year: str) -> None:
        stamps = np.array(["2026-01-01", f"{year}-01-01"], "datetime64[s]")
        pd.DataFrame({"date": stamps, "price": [1.0, 2]}).to_parquet(tmp_path / "my.parquet")
        with pytest.raises(DataError, match="data row 2"):
            self.read(tmp_path / "my.parquet", time="date")


def archive(path: Path, change: Callable[[dict[str, bytes]], None], **how: Any) -> None:
    """Write a model file again with other parts."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w", **how) as file:
        for name, part in parts.items():
            file.writestr(name, part)


def with_layers(*layers: dict[str, Any]) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        config = json.loads(parts["config.json"])
        config["config"]["layers"][1:1] = layers
        parts["config.json"] = json.dumps(config).encode()

    return change


def with_weights(change: Callable[[h5py.File], None]) -> Callable[[dict[str, bytes]], None]:
    """Change the file of the weights."""

    def change_weights(parts: dict[str, bytes]) -> None:
        content = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            change(file)
        parts["model.weights.h5"] = content.getvalue()

    return change_weights


def replace_array(name: str, how: Callable[[h5py.File, str], None]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        how(file, name)

    return change


def swelling(file: h5py.File, name: str) -> None:
    """A few bytes that would be six gigabytes in memory."""
    file.create_dataset(name, shape=(1_600_000_000,), chunks=(1_000_000,), dtype="f4", compression="gzip")


HEAD = "layers/dense/vars/0"
DROPOUT = {"module": "keras.layers", "class_name": "Dropout", "config": {"rate": 0.5}}


class TestModels:
    def refused(self, call: Callable[..., Result], folder: Path, said: str) -> None:
        """By the command: an error in words with its exit code, no traceback, and no file that was not there."""
        before = sorted(path for path in folder.parent.parent.rglob("*") if "cache" not in path.name)
        result = call("predict", folder)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        told = " ".join(result.output.split())
        assert "model.keras cannot be loaded" in told
        assert said in told
        assert "Traceback" not in told
        assert sorted(path for path in folder.parent.parent.rglob("*") if "cache" not in path.name) == before

    def test_a_lambda_layer_does_not_run(self, call: Callable[..., Result], folder: Path, tmp_path: Path) -> None:
        import keras

        ran = tmp_path / "ran"

        def attack(x: Any) -> Any:
            ran.write_text("pwned")
            return x

        model = keras.Sequential([keras.layers.Input((14, 1)), keras.layers.Lambda(attack), keras.layers.Dense(3)])
        model.save(folder / "model.keras")
        ran.unlink()
        self.refused(call, folder, "")
        assert not ran.exists()

    @pytest.mark.parametrize(
        "layer",
        [
            {"module": "evil_module", "class_name": "Evil", "config": {}, "registered_name": "Evil"},
            {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
            {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "gASV"}},
            {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp/x"}},
            {"module": "keras.layers", "class_name": "GRU", "config": {"units": 1_000_000_000}},
        ],
    )
    def test_the_configuration_in_a_model_file_is_not_read(
        self, folder: Path, layer: dict[str, Any], trained: dict[str, Run], tmp_path: Path
    ) -> None:
        """The spec says what is built: a layer that holds code, and a thousand of them, change nothing."""
        (tmp_path / "evil_module.py").write_text("raise SystemExit")
        archive(folder / "model.keras", with_layers(layer, *[DROPOUT] * 1000))
        forecast, expected = predict.predict(folder, steps=2), predict.predict(trained["gru"], steps=2)
        for name, rows in expected.rows.items():
            np.testing.assert_array_equal(forecast.rows[name].predicted, rows.predicted)

    @pytest.mark.parametrize("name", ["../pwned", "/tmp/pwned", "assets/pwned", "model.weights.npz", "config.json/x"])
    def test_entries_that_lead_elsewhere_are_not_unpacked(
        self, call: Callable[..., Result], folder: Path, name: str
    ) -> None:
        archive(folder / "model.keras", lambda parts: parts.update({name: b"pwned"}))
        self.refused(call, folder, "and not metadata.json, config.json, model.weights.h5")

    def test_a_link_in_the_archive_is_not_followed(self, call: Callable[..., Result], folder: Path) -> None:
        def change(parts: dict[str, bytes]) -> None:
            parts["model.weights.h5"] = b"/etc/passwd"

        archive(folder / "model.keras", change)
        with zipfile.ZipFile(folder / "model.keras", "a") as file:
            file.getinfo("model.weights.h5").external_attr = (stat.S_IFLNK | 0o777) << 16
        self.refused(call, folder, "")

    @pytest.mark.parametrize("how", [{"compression": zipfile.ZIP_DEFLATED}])
    def test_what_could_swell_is_refused(self, call: Callable[..., Result], folder: Path, how: Any) -> None:
        archive(folder / "model.keras", lambda parts: parts.update({"config.json": b" " * 10_000_000}), **how)
        self.refused(call, folder, "its parts are compressed")

    def test_a_file_of_another_size_than_the_models_is_refused_unread(
        self, call: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(load_model.zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
        for size in (100, 12_000_000, 2**40):  # the last one is a hole on the disk
            os.truncate(folder / "model.keras", size)
            self.refused(call, folder, f"it has {size:,} bytes, and the model in experiment.toml takes")

    def test_settings_of_a_larger_model_than_the_file_holds_are_refused(
        self, call: Callable[..., Result], folder: Path
    ) -> None:
        text = (folder / "experiment.toml").read_text()
        (folder / "experiment.toml").write_text(text.replace("gru:4", "gru:900000000"))
        self.refused(call, folder, "and the model in experiment.toml takes")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda file: swelling(file, "layers/dense/vars/2"), "weights of shape (1600000000,)"),
            (replace_array(HEAD, swelling), "weights of shape (1600000000,)"),
            (replace_array(HEAD, lambda file, name: file.create_dataset(name, (4, 3), "f4", chunks=(4, 3))), "plain"),
            (replace_array(HEAD, lambda file, name: file.create_dataset(name, (4, 3), "S9")), "plain"),
            (
                replace_array(
                    HEAD, lambda file, name: file.create_dataset(name, (4, 3), "f4", external=[("/etc/hosts", 0, 48)])
                ),
                "not plain numbers in the file itself",
            ),
            (
                replace_array(
                    HEAD, lambda file, name: file.create_virtual_dataset(name, h5py.VirtualLayout((4, 3), "f4"))
                ),
                "not plain numbers in the file itself",
            ),
            (lambda file: file.update(x=h5py.ExternalLink("/etc/hosts", "/")), "'x' in its weights is a link"),
            (lambda file: file.update(x=h5py.SoftLink("/layers")), "'x' in its weights is a link"),
            (lambda file: file.update({"layers/again": file["layers"]}), "groups and arrays of weights"),
            (lambda file: file.update(x=np.dtype("f4")), "neither a group nor an array"),
            (lambda file: file.pop(HEAD), "model.keras cannot be loaded"),
        ],
    )
    def test_weights_that_are_not_the_models_are_refused_before_keras_reads_them(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[h5py.File], None], said: str
    ) -> None:
        archive(folder / "model.keras", with_weights(change))
        if "cannot" not in said:
            monkeypatch.setattr(keras_model_class(), "load_weights", lambda *_: pytest.fail("Keras read them"))
        with pytest.raises(RunError, match=re.escape(said)):
            predict.predict(folder, steps=1)

    def test_sizes_in_the_archive_that_the_file_does_not_have_are_refused(
        self, call: Callable[..., Result], folder: Path
    ) -> None:
        path = folder / "model.keras"
        with zipfile.ZipFile(path) as file:
            size = file.getinfo("model.weights.h5").file_size
        path.write_bytes(path.read_bytes().replace(struct.pack("<LL", size, size), struct.pack("<LL", *[2**31] * 2)))
        self.refused(call, folder, "more bytes than it has")

    @pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04", b"\x80\x04\x95.", b"\x89HDF\r\n\x1a\n"])
    def test_what_is_no_archive_is_refused(self, call: Callable[..., Result], folder: Path, content: bytes) -> None:
        (folder / "model.keras").write_bytes(content)
        self.refused(call, folder, "bytes, and the model in experiment.toml takes")
        (folder / "model.keras").write_bytes(content + bytes(1000))
        self.refused(call, folder, "zip")

    def test_a_model_of_another_shape_is_refused(self, folder: Path) -> None:
        import keras

        keras.Sequential([keras.layers.Input((9, 1)), keras.layers.GRU(2), keras.layers.Dense(3)]).save(
            folder / "model.keras"
        )
        with pytest.raises(RunError, match=r"weights of shape \(\d+, \d\), and the model in experiment.toml has none"):
            predict.predict(folder, steps=1)

    def test_forecasts_that_are_no_numbers_are_refused(self, folder: Path) -> None:
        import keras

        model = keras.saving.load_model(folder / "model.keras")
        model.set_weights([np.full(one.shape, np.nan) for one in model.get_weights()])
        model.save(folder / "model.keras")
        for steps in (None, 2):
            with pytest.raises(RunError, match="forecasts are NaN or infinite"):
                predict.predict(folder, steps=steps)

    def test_nothing_in_grubench_unpickles_or_evaluates(self) -> None:
        """Files are read as JSON, TOML, CSV, Parquet and Keras's archive, never by what can hold code."""
        forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "runpy"}
        for path in Path(grubench.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                imported = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not forbidden & {name.partition(".")[0] for name in imported}, path
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", "")
                    assert name not in {"eval", "exec", "compile", "__import__"}, path
                    assert all(ast.unparse(one.value) == "False" for one in node.keywords if one.arg == "allow_pickle")


def keras_model_class() -> Any:
    import keras

    return keras.Sequential


EVIL = (
    "<script>window.pwned=1</script></script><script>window.pwned=2</script>"
    "\"onload=\"window.pwned=3\" 'onmouseover='window.pwned=4' <img src=x onerror=window.pwned=5>{{7*7}}<!--"
)


@pytest.fixture
def evil_page(trained: dict[str, Run], tmp_path: Path) -> Path:
    """A report with the text in everything that data can name."""
    arms: dict[str, list[Run]] = {}
    for name, run in trained.items():
        folder = tmp_path / name
        shutil.copytree(run.folder, folder)
        with (folder / "predictions.csv").open(newline="") as file:
            rows = [[EVIL if cell == "activity0" else cell for cell in row] for row in csv.reader(file)]
        with (folder / "predictions.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        metrics_text = msgspec.json.encode(run.metrics).replace(b"activity0", json.dumps(EVIL)[1:-1].encode())
        metrics = msgspec.json.decode(metrics_text, type=Metrics)
        metrics = structs.replace(metrics, data=structs.replace(metrics.data, unit=EVIL))
        environment = structs.replace(
            run.environment,
            **dict.fromkeys(("processor", "command", "shared", "commit"), EVIL),
            devices=(EVIL,),
            versions={**run.environment.versions, EVIL: EVIL},
            kernels=(LayerKernel(layer=EVIL, kernel=EVIL, reasons=(EVIL,), fused_reasons=(EVIL,)),),
        )
        data = Data(file=f"x{EVIL}.csv", target=(EVIL,), features=(EVIL,), time=EVIL, unit=EVIL, train_series=(EVIL,))
        spec = replace(run.experiment, data=data)
        one = replace(run, folder=folder, metrics=metrics, environment=environment, experiment=spec)
        arms[f"{name.upper()} {EVIL}"] = [one]
    failures = (Failure(arm=EVIL, seed=1, message=EVIL, remedy=EVIL),)
    path = tmp_path / "report.html"
    html.write(compare_runs(arms, notes=(EVIL,), failures=failures, command=EVIL), path)
    return path


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts, self.images, self.handlers = 0, 0, []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.scripts += tag == "script"
        self.images += tag == "img"
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


class TestReports:
    def test_what_data_name_stays_text(self, evil_page: Path) -> None:
        text = evil_page.read_text(encoding="utf-8")
        found = _Elements()
        found.feed(text)
        assert (found.scripts, found.images, found.handlers) == (3, 0, [])
        assert EVIL not in text
        assert "&lt;script&gt;window.pwned=1" in text
        assert "{{7*7}}" in text

    @pytest.mark.slow
    def test_nothing_of_it_runs_in_a_browser(self, evil_page: Path) -> None:
        with browser() as driver:
            from selenium.webdriver.support.wait import WebDriverWait

            driver.get(evil_page.as_uri())
            drawn = "return document.querySelectorAll('.chart svg').length"
            WebDriverWait(driver, 60).until(lambda _: driver.execute_script(drawn) == 6)
            for mark in driver.find_elements("css selector", ".chart svg path[aria-roledescription]")[:20]:
                driver.execute_script(
                    "for (const kind of ['mouseover', 'mousemove', 'click'])"
                    " arguments[0].dispatchEvent(new MouseEvent(kind, {bubbles: true}))",
                    mark,
                )
            for button in driver.find_elements("css selector", "table.sortable th button"):
                button.click()
            assert driver.execute_script("return typeof window.pwned") == "undefined"
            handlers = "return document.querySelectorAll('[onload], [onmouseover], [onerror], img[src=x]').length"
            assert driver.execute_script(handlers) == 0
            assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window; the test skips where there is none."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs Debian's chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1280,900", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class TestDownloads:
    CONTENT = b"Datetime,AEP_MW\n2020-01-01 00:00:00,1\n"

    @pytest.fixture
    def source(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> catalog.Source:
        monkeypatch.delenv(download.VARIABLE, raising=False)
        monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
        digest = hashlib.sha256(self.CONTENT).hexdigest()
        return replace(catalog.CATALOG["energy"], url="https://data.invalid/", files={"AEP_hourly.csv": digest})

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, Any]]:
        """The URLs that requests would have asked for over a network, and what is answered to each."""
        import requests

        urls: list[str] = []
        answers: dict[str, Any] = {}

        def send(self: Any, request: Any, **_: Any) -> Any:
            urls.append(request.url)
            answer = requests.Response()
            answer.request, answer.url = request, request.url
            answer.status_code, headers, content = answers[request.url]
            answer.headers.update(headers)
            answer.raw = io.BytesIO(content)
            return answer

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
        return urls, answers

    def left(self, tmp_path: Path) -> list[Path]:
        return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]

    def test_what_is_right_is_kept_whole(self, source: catalog.Source, asked: Any, tmp_path: Path) -> None:
        asked[1]["https://data.invalid/AEP_hourly.csv"] = (200, {}, self.CONTENT)
        assert [path.read_bytes() for path in download.fetch(source)] == [self.CONTENT]
        assert self.left(tmp_path) == [tmp_path / "cache" / "energy" / "AEP_hourly.csv"]

    @pytest.mark.parametrize("scheme", ["http", "ftp", "file", "sftp"])
    def test_a_catalogue_without_https_is_refused(
        self, source: catalog.Source, asked: Any, tmp_path: Path, scheme: str
    ) -> None:
        with pytest.raises(DataError, match="non-HTTPS URL") as caught:
            download.fetch(replace(source, url=f"{scheme}://data.invalid/"))
        assert f"{scheme}://data.invalid/AEP_hourly.csv" in caught.value.message
        assert asked[0] == []
        assert self.left(tmp_path) == []

    @pytest.mark.parametrize("target", ["http://data.invalid/x", "file:///etc/passwd", "ftp://data.invalid/x"])
    def test_a_redirect_without_https_is_not_followed(
        self, source: catalog.Source, asked: Any, tmp_path: Path, target: str
    ) -> None:
        asked[1]["https://data.invalid/AEP_hourly.csv"] = (302, {"Location": target}, b"")
        with pytest.raises(DataError, match="non-HTTPS URL") as caught:
            download.fetch(source)
        assert target in caught.value.message
        assert asked[0] == ["https://data.invalid/AEP_hourly.csv"]
        assert self.left(tmp_path) == []

    def test_a_redirect_over_https_is_followed(self, source: catalog.Source, asked: Any) -> None:
        asked[1]["https://data.invalid/AEP_hourly.csv"] = (302, {"Location": "https://other.invalid/x"}, b"")
        asked[1]["https://other.invalid/x"] = (200, {}, self.CONTENT)
        assert len(download.fetch(source)) == 1

    def test_a_wrong_checksum_names_both_and_leaves_nothing(
        self, source: catalog.Source, asked: Any, tmp_path: Path
    ) -> None:
        asked[1]["https://data.invalid/AEP_hourly.csv"] = (200, {}, b"another")
        with pytest.raises(DataError, match="is damaged") as caught:
            download.fetch(source)
        for content in (self.CONTENT, b"another"):
            assert hashlib.sha256(content).hexdigest() in caught.value.message
        assert self.left(tmp_path) == []

    def test_a_publisher_that_sends_without_end_is_cut_off(
        self, source: catalog.Source, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "MAX_BYTES", 10)
        asked[1]["https://data.invalid/AEP_hourly.csv"] = (200, {}, self.CONTENT)
        with pytest.raises(DataError, match="more than 10 bytes"):
            download.fetch(source)
        assert self.left(tmp_path) == []

    @pytest.mark.parametrize("status", [404, 500])
    def test_a_refusal_leaves_nothing(self, source: catalog.Source, asked: Any, tmp_path: Path, status: int) -> None:
        asked[1]["https://data.invalid/AEP_hourly.csv"] = (status, {}, self.CONTENT)
        with pytest.raises(DataError, match="could not be downloaded"):
            download.fetch(source)
        assert self.left(tmp_path) == []


class TestControlCharacters:
    """They would steer the terminal that shows them."""

    ESCAPE = "\x1b]0;owned\x07"

    def test_a_spec_holds_none(self) -> None:
        with pytest.raises(SpecError, match="control characters"):
            Data(unit=self.ESCAPE)

    def test_a_series_name_holds_none(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text(f'day,name,value\n1,"{self.ESCAPE}",2\n')
        spec = Data(file=str(tmp_path / "a.csv"), target=("value",), series_column="name")
        with pytest.raises(DataError, match="control characters"):
            datasets.load(spec, "a")

    def test_a_run_holds_none(self, folder: Path) -> None:
        environment = (folder / "environment.json").read_text()
        changed(folder / "environment.json", lambda tree: tree.update(devices=[self.ESCAPE]))
        with pytest.raises(RunError, match=r"devices\[0\] holds control characters"):
            runs.load(folder)
        (folder / "environment.json").write_text(environment)
        changed(folder / "metrics.json", lambda tree: tree["data"].update(unit=self.ESCAPE))
        with pytest.raises(RunError, match=r"data\.unit"):
            runs.load(folder)
        changed(
            folder / "metrics.json",
            lambda tree: tree["data"].update(
                unit="", series={self.ESCAPE: next(iter(tree["data"]["series"].values()))}
            ),
        )
        with pytest.raises(RunError, match="control characters"):
            runs.load(folder)

    def test_an_error_shows_them_escaped(self, call) -> None:
        done = call("train", "--csv", f"{self.ESCAPE}.csv", "--target", "x")
        assert done.exit_code == 2
        assert "\x1b" not in done.output
        done = call("runs", self.ESCAPE)
        assert "\x1b" not in done.output
        assert r"\x1b" in done.output
