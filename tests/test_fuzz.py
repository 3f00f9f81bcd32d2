"""Every reader on damaged and hostile input: it reads, or says what is wrong; nothing else comes out.

`GRUBENCH_FUZZ=10000 pytest tests/test_fuzz.py` tries as many cases of each reader.
"""

from __future__ import annotations

import copy
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import compare_runs
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from grubench import presets
from grubench.comparison import comparison
from grubench.data import datasets
from grubench.data import windows as cutting
from grubench.data.datasets import inspection, tables
from grubench.errors import GrubenchError
from grubench.reports import export, forecast, html, terminal
from grubench.reports.inspection import show_inspection
from grubench.runs import run as runs
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import TIME_FEATURES, Data
from grubench.training import load_model, predict

CASES = int(os.environ.get("GRUBENCH_FUZZ", "200"))
# Hostile numbers overflow; what counts is that numbers or an error come out. The fast cases are the same each time.
pytestmark = [pytest.mark.filterwarnings("ignore"), *([pytest.mark.slow] if CASES > 200 else [])]
fuzz = hypothesis.settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize="GRUBENCH_FUZZ" not in os.environ,
    suppress_health_check=list(hypothesis.HealthCheck),
)

# What has broken readers, anywhere.
TEXTS = (
    "", " ", "\x00", "\x1b]0;x\x07", "\r", "\u2028", "\u202e", "\ufeff", "a" * 200_000, "[/]", "[red]", "$\\frac$", "{",
    "%", "..", "../../etc/passwd", "/etc/hosts", "C:\\x", "NaN", "inf", "-Infinity", "1e308", "1e400", "-1e-320",
    "9" * 30, "9" * 5000, "0x" + "f" * 6000, "null", "true", "2026-01-01", "9999-12-31T23:59:59", "0001-01-01",
    "99999-01-01", "2026-02-30", "2026-01-01T00:00+25:00", "2026-01-01T00:00+02:00", "12:00", "<script>", "a.b", "=",
    "__proto__", "é", "\ud7ff", "😀", "gru:1", "gru:0", "gru:" + "9" * 5000, "lstm:٣", "*", "?",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3.5, 1e-320, 1e150, 1e308, -1e308, 2**63, 10**400, float("nan"), float("inf"),
    [], {}, [[]], [{}], [None], {"": None}, {"a": {"b": []}}, [1, "a"], "\ud800", *TEXTS,
)  # fmt: skip
TOKENS = re.compile(rb"[^\s,;=\[\]{}:\"]+|.", re.DOTALL)


def is_refused_or_read(error: GrubenchError) -> None:
    assert error.exit_code in (1, 2)
    assert error.message.strip()
    assert len(str(error)) < 20_000


@contextmanager
def read_or_refused() -> Iterator[None]:
    """Whatever is inside may end with an error for a person, and with no other."""
    try:
        yield
    except GrubenchError as error:
        is_refused_or_read(error)


@st.composite
def damaged(draw: st.DrawFn, valid: list[bytes]) -> bytes:
    """A valid text with a few of its tokens, lines or bytes exchanged; or bytes at random."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    text = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(1, 3))):
        text = _changed(draw, text)
    return text


def _changed(draw: st.DrawFn, text: bytes) -> bytes:
    kind = draw(st.integers(0, 8))
    if kind <= 3:  # a token for another
        tokens = TOKENS.findall(text) or [b""]
        place = draw(st.integers(0, len(tokens) - 1))
        tokens[place] = draw(st.sampled_from(TEXTS)).encode("utf-8", "surrogatepass")
        return b"".join(tokens)
    if kind == 4:  # a line left out, or twice
        lines = text.split(b"\n")
        place = draw(st.integers(0, len(lines) - 1))
        lines[place : place + 1] *= draw(st.sampled_from([0, 2, 50]))
        return b"\n".join(lines)
    place = draw(st.integers(0, len(text)))
    if kind == 5:  # cut off
        return text[:place]
    if kind == 6:  # a byte for another
        return text[:place] + bytes([draw(st.integers(0, 255))]) + text[place + 1 :]
    if kind == 7:  # deep nesting
        return text[:place] + draw(st.sampled_from([b"[", b"{", b'{"a":', b"a.", b'"', b"("])) * 3000 + text[place:]
    marks = (b"\xef\xbb\xbf", text.decode("utf-8", "replace").encode("utf-16"), "é".encode("latin-1"))
    return draw(st.sampled_from(marks)) + text


def paths_of(tree: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [before, *(path for key, value in inner for path in paths_of(value, (*before, key)))]


@st.composite
def misshapen(draw: st.DrawFn, tree: Any) -> bytes:
    """JSON of a tree with values, deep inside too, that are of a wrong type, left out or under another key."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths_of(tree)))
        value = copy.deepcopy(draw(st.sampled_from(VALUES)))
        if not path:
            continue
        node = tree
        for key in path[:-1]:
            node = node[key]
        kind = draw(st.integers(0, 3))
        if kind == 0:
            del node[path[-1]]
        elif kind == 1 and isinstance(node, dict):
            node[draw(st.sampled_from(TEXTS))] = node.pop(path[-1])
        else:
            node[path[-1]] = value
    return json.dumps(tree).encode()


def json_or_text(valid: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(misshapen(json.loads(valid)), misshapen(json.loads(valid)), damaged([valid]))


CSVS = [
    b"date,price,volume,id\n2026-01-01,1,10,x\n2026-01-02,2,20,y\n2026-01-03,3.5,30,x\n2026-01-05,4,,x\n",
    b"date,price,volume,id\n01-02-26,1,10,x\n02-02-26,2,20,y\n",
    b"date,price,volume,id\n2026-10-25T02:30+02:00,1,1,NA\n2026-10-25T02:30+01:00,2,2,NA\n2026-10-25T03:30Z,3,3,b\n",
    b'\xef\xbb\xbfdate,"price",volume,id,\n2026-01-01,"1","a,b","c\nd",\n',
    b"Datetime,X_MW\n2020-01-01 01:00:00,2\n2020-01-01 00:00:00,1\n",
    b"Date,Close\n30-06-21,1\n01-07-21,2\n",
    b"sep=;\r\ndate;price;volume;id\r\n01.01.2026;1.234,5;1;x\r\n02.01.2026;2.345,6;?;y\r\n",
    b"# from a logger\n\ndate\tprice\tvolume\tid\n2026-01-01\t$1,234.5\t5 %\tx\n2026-01-02\t-$2\t6 %\tx\n",
    "date;price;volume;id\n2026-01-01;1 234,5;(3);é\n2026-01-02;2\u202f345,6;-;ö\n".encode("utf-16"),
    "date|price|volume|id\n2026-01-01|1'234.5|3|é\n2026-01-02|2'345|NA|ö\n".encode("cp1252"),
    b"date price volume id\n2026-01-01 1.5 10 x\n2026-01-02 2.5 20 y\n",
    b"date,price,volume,id\n,kW,m3,\n2026-W01,1,10,x\n,,,\n2026-W02,2,20,y\n",
    b"Logger 7,,,\ndate,price,volume,id\n2026Q1,1,10 K,x\n2026-Q2,,20 K,y\n",
    b"date,price,volume,id\n46023.5,1.234,7,x\n46024.5,2.345,007,y\n",
    b'date,price,volume,id\n"1/2/2026, 12:30 AM",1,true,x\n"1/2/2026, 1:30 AM",2,false,y\n',
    b'"date" "price"\n"1" "01JAN2026" 1.5\n"2" "02JAN2026" 2.5\n',
    b"year,month,price,id\n2026,1,1,23\n2026,1,2,24\n2026,2,3,23\n2026,2,4,24\n",
    b"\n".join(b",".join(b"%d" % (row + column) for column in range(5)) for row in range(10)),
]
SETTINGS = st.fixed_dictionaries(
    {"target": st.sampled_from([("price",), ("volume",), ("price", "volume"), ("absent",)])},
    optional={
        "time": st.sampled_from(
            ["date", "price", "id", "date,id", "year,month,id", '"'],
        ),
        "zone": st.sampled_from(["Europe/Berlin", "UTC", "x"]),
        "time_format": st.sampled_from(
            ["s", "ns", "excel", "week", "quarter", "%d-%m-%y", "%", "%Q", "%Y" * 50, "\x00", "ISO8601", "mixed", "%z"]
        ),
        "features": st.sampled_from([("volume",), ("id",), ("price", "date")]),
        "series_column": st.sampled_from(["id", "date", "volume"]),
        "time_features": st.sampled_from([TIME_FEATURES, ("hour",)]),
        "missing": st.sampled_from(["error", "drop", "fill"]),
        "separator": st.sampled_from([",", ";", "tab", "space"]),
        "decimal": st.sampled_from([".", ","]),
        "thousands": st.sampled_from(["none", ".", ",", " ", "'"]),
        "encoding": st.sampled_from(["utf-8", "utf-16", "cp1252", "ascii", "idna", "zip", "rot13", "utf-7", "x"]),
        "header": st.sampled_from(["1", "2", "none", "-1", "x"]),
        "na": st.sampled_from([("?", "NA"), ("1",)]),
        "gaps": st.sampled_from(["keep", "fill", "error"]),
        "duplicates": st.sampled_from(["first", "last", "mean", "keep", "error"]),
    },
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my.csv"


def inspect(path: Path) -> None:
    """Look into a table, and show it as `datasets --csv` does."""
    with read_or_refused():
        show_inspection(inspection.inspect_table(path, Data(file=str(path)), max_mb=500), console())


def console() -> Console:
    return Console(file=io.StringIO(), width=100)


@given(content=damaged(CSVS), settings=SETTINGS, name=st.sampled_from(["", "", "", "energy", "bitcoin", "bankex"]))
@fuzz
def test_tables(file: Path, content: bytes, settings: dict[str, Any], name: str) -> None:
    file.write_bytes(content)
    with read_or_refused():
        if not name:
            inspect(file)
        spec = Data(dataset=name) if name else Data(file=str(file), **settings)
        dataset = datasets.load(spec, "my", file if name else None)
        assert all(np.isfinite(series.values).all() for series in dataset.series)
        dataset.fingerprint()
        for series in dataset.series:
            ahead = predict.future_times(series, 3)
            assert len(series.zone.format(ahead) if series.zone else ahead) == 3


ODD: list[Any] = [
    [1.0, 2.0], [1, 2**62], ["1", "x"], [None, None], [[1], [2, 3]], [{"a": 1}, {"a": 2}], [True, False],
    [b"1", b"\xff"],
    pd.to_datetime(["2026-01-01", "2026-01-02"]), pd.to_datetime(["2026-01-01", None]).tz_localize("UTC"),
    np.array(["200000-01-01", "-20000-01-01"], "datetime64[s]"), pd.to_timedelta([1, 2]), pd.Categorical(["a", None]),
    [1e308, -1e308], [float("inf"), float("nan")], pd.period_range("2026-01", periods=2, freq="M"),
    pd.interval_range(0, 2), pd.array([1, None], "Int64"), [1 + 0j, 2], ["\x00", "a" * 100_000],
]  # fmt: skip


@given(
    columns=st.lists(st.sampled_from(range(len(ODD))), min_size=4, max_size=4),
    settings=SETTINGS,
    damage=st.one_of(st.none(), st.tuples(st.floats(0, 1), st.integers(0, 255), st.booleans())),
)
@fuzz
def test_parquet(file: Path, columns: list[int], settings: dict[str, Any], damage: tuple | None) -> None:
    path = file.with_suffix(".parquet")
    try:
        frame = pd.DataFrame(dict(zip(("date", "price", "volume", "id"), (ODD[one] for one in columns), strict=True)))
        frame.to_parquet(path)
    except Exception:
        hypothesis.reject()  # what pandas cannot write
    if damage:
        content = bytearray(path.read_bytes())
        place = int(damage[0] * (len(content) - 1))
        content[place] = damage[1]
        path.write_bytes(content[:place] if damage[2] else content)
    inspect(path)
    with read_or_refused():
        datasets.load(Data(file=str(path), **settings), "my").fingerprint()


@given(
    columns=st.lists(st.sampled_from(range(len(ODD))), min_size=4, max_size=4),
    names=st.permutations(["date", " price ", "volume", "id"]),
    index=st.sampled_from([None, "date", "id", 0]),
    settings=SETTINGS,
)
@fuzz
def test_frames(columns: list[int], names: list[str], index: str | int | None, settings: dict[str, Any]) -> None:
    frame = pd.DataFrame(dict(zip(names, (ODD[one] for one in columns), strict=True)))
    frame.index = pd.Index(pd.date_range("2026-01-01", periods=len(frame)), name=index)
    with read_or_refused():
        tables.read(Data(file="frame", **settings), Path("frame"), frame=frame)


def make_book() -> dict[str, bytes]:
    """The members of an Excel file."""
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in (["date", "price", "volume", "id"], [datetime(2026, 1, 1), 1.5, "1.234,5", "x"], [None, 2, "?", "y"]):
        book.active.append(row)
    book.save(content)
    with zipfile.ZipFile(content) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


BOOK = make_book()


@given(data=st.data(), settings=SETTINGS)
@fuzz
def test_excel(file: Path, data: st.DataObject, settings: dict[str, Any]) -> None:
    path = file.with_suffix(".xlsx")
    name = data.draw(st.sampled_from([*BOOK, *["xl/worksheets/sheet1.xml"] * 5, "xl/sharedStrings.xml"]))
    with zipfile.ZipFile(path, "w") as archive:
        for member, part in BOOK.items():
            content = data.draw(damaged([part])) if member == name else part
            archive.writestr(zipfile.ZipInfo(member), content)  # with the same time in every run
    if data.draw(st.integers(0, 4)) == 0:
        path.write_bytes(data.draw(damaged([path.read_bytes()])))
    inspect(path)
    with read_or_refused():
        datasets.load(Data(file=str(path), **settings), "my").fingerprint()


def preset_texts() -> list[bytes]:
    return [path.read_bytes() for path in sorted(presets.find_folder().glob("*.toml"))]


@given(content=damaged([*preset_texts(), Experiment().to_toml().encode()]))
@fuzz
def test_presets_and_specs(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(content)
    with read_or_refused():
        spec = presets.resolve(str(path), {"model": {"cell": "lstm"}})
        assert Experiment.from_toml(spec.to_toml()) == spec
        assert len(spec.digest) == 64
    with read_or_refused():
        Experiment.from_toml(content.decode("utf-8", "replace"))


@given(tree=st.dictionaries(st.sampled_from(["data", "window", "model", "training", "seed", "x"]), st.one_of(
    st.sampled_from(VALUES),
    st.dictionaries(st.sampled_from([*Data.__dataclass_fields__, "cell", "units", "layers", "dropout", "epochs", "test",
                                     "horizon", "split"]), st.sampled_from(VALUES), max_size=3),
)))  # fmt: skip
@fuzz
def test_specs_from_dictionaries(tree: dict[str, Any]) -> None:
    with read_or_refused():
        Experiment.from_dict(tree)


class Folders:
    """A run of each cell, a second of one, and their comparison, to be damaged a file at a time."""

    def __init__(self, root: Path, trained: dict[str, Run]) -> None:
        self.root = root
        for name, run in trained.items():
            shutil.copytree(run.folder, root / name)
        shutil.copytree(root / "gru", root / "gru1")
        spec = root / "gru1" / "experiment.toml"
        spec.write_text(spec.read_text().replace("seed = 0", "seed = 1", 1))
        changed = json.loads((root / "gru1" / "metrics.json").read_text()) | {"digest": ""}
        (root / "gru1" / "metrics.json").write_text(json.dumps(changed))
        (root / "both").mkdir()
        arms = {"GRU": ("gru", "gru1"), "LSTM": ("lstm",)}
        found = compare_runs({arm: [runs.load(root / name) for name in names] for arm, names in arms.items()})
        (root / "both" / "comparison.json").write_text(export.format_comparison(found, ".json"))
        self.valid = {
            path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
        }

    @contextmanager
    def damage(self, name: str, content: bytes) -> Iterator[None]:
        (self.root / name).write_bytes(content)
        try:
            yield
        finally:
            (self.root / name).write_bytes(self.valid[name])


@pytest.fixture(scope="module")
def folders(trained: dict[str, Run], tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return Folders(tmp_path_factory.mktemp("hostile"), trained)


@st.composite
def damage_of_a_run(draw: st.DrawFn, folders: Folders) -> tuple[str, bytes]:
    others = ["history.csv", "scaling.json", "predictions.csv", "experiment.toml"]
    name = f"gru/{draw(st.sampled_from([*['metrics.json'] * 5, *['environment.json'] * 3, *others]))}"
    valid = folders.valid[name]
    return name, draw(json_or_text(valid) if name.endswith(".json") else damaged([valid]))


@given(data=st.data())
@fuzz
def test_runs(folders: Folders, data: st.DataObject) -> None:
    with folders.damage(*data.draw(damage_of_a_run(folders))):
        assert {run.name for run in runs.list_runs(folders.root)} >= {"lstm"}
        with read_or_refused():
            run = runs.load(folders.root / "gru")
            for read in (run.history, run.scalings, run.predictions):
                with read_or_refused():
                    read()
            terminal.show_run(run, console())
            terminal.show_runs([run], console())


@given(data=st.data())
@fuzz
def test_comparing_runs(folders: Folders, data: st.DataObject) -> None:
    with folders.damage(*data.draw(damage_of_a_run(folders))), read_or_refused():
        found = comparison.from_runs([runs.load(folders.root / name) for name in ("gru", "gru1", "lstm")])
        terminal.show_comparison(found, console())
        for ending in (".json", ".csv", ".md", ".tex"):
            export.format_comparison(found, ending).encode()


@given(data=st.data())
@fuzz
def test_comparisons_and_reports(folders: Folders, data: st.DataObject) -> None:
    name, content = data.draw(
        st.one_of(
            damage_of_a_run(folders),
            st.tuples(st.just("both/comparison.json"), json_or_text(folders.valid["both/comparison.json"])),
        )
    )
    with folders.damage(name, content), read_or_refused():
        found = comparison.load(folders.root / "both")
        html.render(found).encode()


class Zeros:
    """A model of the run's shape."""

    def predict(self, inputs: np.ndarray, verbose: int = 0) -> np.ndarray:
        return np.zeros((len(inputs), 3), np.float32)


NEW = b"activity\n" + b"".join(b"%d\n" % (day % 7) for day in range(40))


@given(data=st.data())
@fuzz
def test_predicting(folders: Folders, data: st.DataObject, file: Path) -> None:
    file.write_bytes(data.draw(damaged([NEW])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "load_model", lambda run, windows: Zeros())
        with folders.damage(*data.draw(damage_of_a_run(folders))), read_or_refused():
            made = predict.predict(folders.root / "gru", file=file, steps=5, series="activity0")
            forecast.show_forecast(made, console())


@st.composite
def archives(draw: st.DrawFn, folders: Folders) -> bytes:
    """A model file with other entries, another configuration, or damaged bytes."""
    valid = folders.valid["gru/model.keras"]
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(damaged([valid]))
    parts = {}
    with zipfile.ZipFile(io.BytesIO(valid)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if kind == 1:
        parts["config.json"] = draw(misshapen(json.loads(parts["config.json"])))
    elif kind == 2:
        name = draw(st.sampled_from([*parts, "x", "../x", "/tmp/x", "assets/x", "model.weights.npz"]))
        parts[name] = draw(st.sampled_from([b"", b"{}", b"[" * 5000, b"\x80\x04."]))
    else:
        name = draw(st.sampled_from([*parts]))
        parts[name] = draw(damaged([parts[name]]))
    content, method = io.BytesIO(), draw(st.sampled_from([zipfile.ZIP_STORED] * 5 + [zipfile.ZIP_DEFLATED]))
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


@given(data=st.data())
@fuzz
def test_model_files(folders: Folders, data: st.DataObject) -> None:
    content = data.draw(archives(folders))
    with folders.damage("gru/model.keras", content), read_or_refused():
        run = runs.load(folders.root / "gru")
        load_model.load_model(
            run, cutting.build(datasets.load(Data(dataset="activities"), "activities"), run.experiment)
        )
