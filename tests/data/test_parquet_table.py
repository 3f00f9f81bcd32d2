"""Tables in Parquet files: judged by their header, and only the needed columns are read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grubench.data import datasets, input_files
from grubench.data.datasets import parquet_table
from grubench.data.datasets.parquet_table import ParquetTable
from grubench.data.series import Dataset
from grubench.errors import DataError
from grubench.spec.sections import Data

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def read(path: Path, *, max_mb: int = 500, **settings: object) -> Dataset:
    spec = Data(file=str(path), **({"target": ("price",)} | settings))  # type: ignore[arg-type]
    return datasets.load(spec, path.stem, max_mb=max_mb)


def write(folder: Path, columns: dict[str, Any], **how: Any) -> Path:
    parquet.write_table(pa.table(columns), folder / "my.parquet", **how)
    return folder / "my.parquet"


def test_rows_are_counted_before_they_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, {"price": np.ones(200_000)})
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="1,600,000 bytes in 200,000 cells of the needed columns"):
        read(path, max_mb=1)
    assert len(read(path, max_mb=2).series[0]) == 200_000


def test_columns_are_counted_as_they_unpack(tmp_path: Path) -> None:
    text = pa.array(["x" * 1000 + str(number) for number in range(2000)])
    path = write(tmp_path, {"price": np.ones(2000), "name": text}, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="bytes in the needed columns when they are unpacked"):
        read(path, max_mb=1, series_column="name")


def test_text_that_many_rows_share_is_counted_in_every_row(tmp_path: Path) -> None:
    names = pa.DictionaryArray.from_arrays(np.zeros(2000, np.int32), ["x" * 1000])
    path = write(tmp_path, {"price": np.ones(2000), "name": names})
    with pytest.raises(DataError, match="2,000,000 bytes of text in memory"):
        read(path, max_mb=1, series_column="name")
    plain = write(tmp_path, {"price": np.ones(2000), "name": ["x" * 1000] * 2000})
    with pytest.raises(DataError, match="2,000,000 bytes of text in memory"):
        read(plain, max_mb=1, series_column="name")


def test_columns_that_are_not_needed_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, {"price": np.ones(4), "lists": [[0.0] * 1_000_000] * 4, "other": ["x"] * 4})
    assert read(path, max_mb=1).series[0].target.tolist() == [1] * 4
    assert list(ParquetTable(path, 1, Data()).load(["price"]).columns) == ["price"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1.0], [2.0]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([b"x" * 1000, b"x" * 1000], pa.binary(1000)),
        pa.array([b"1", b"2"]),
    ],
)
def test_columns_whose_size_is_not_known_are_refused(tmp_path: Path, column: Any) -> None:
    with pytest.raises(DataError, match="column 'price' holds no numbers"):
        read(write(tmp_path, {"price": column}))


def test_names_and_stamps_are_read_as_from_csv(tmp_path: Path) -> None:
    columns = {"date": ["2026-01-02", "2026-01-01", "2026-01-01"], "price": [2.0, 1, 3], "id.x": ["a", "a", "NA"]}
    path = write(tmp_path, columns)
    frame = pd.DataFrame(columns)
    frame.to_csv(tmp_path / "my.csv", index=False)
    one, other = (read(file, time="date", series_column="id.x") for file in (path, tmp_path / "my.csv"))
    assert [series.name for series in one.series] == ["a", "NA"]
    assert one.fingerprint() == other.fingerprint()
    frame.astype({"id.x": "category"}).to_parquet(path)
    assert read(path, time="date", series_column="id.x").fingerprint() == other.fingerprint()


def test_dates_without_a_time_and_an_index_without_a_name_are_read(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=2)
    pd.DataFrame({"price": [1.0, 2]}, index=days).to_parquet(tmp_path / "my.parquet")
    assert read(tmp_path / "my.parquet", time="index").series[0].target.tolist() == [1, 2]
    path = write(tmp_path, {"price": [1.0, 2], "day": pa.array(days.date)})
    assert read(path, time="day").series[0].time.astype(str).tolist() == ["2026-01-01T00:00:00", "2026-01-02T00:00:00"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("MAX_HEADER_BYTES", "its header says"), ("MAX_COLUMNS", "more columns than 1"), ("MAX_PARTS", "row groups")],
)
def test_headers_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    path = write(tmp_path, {"price": np.ones(10), "x": np.ones(10)}, row_group_size=1)
    monkeypatch.setattr(input_files if name == "MAX_COLUMNS" else parquet_table, name, 1)
    with pytest.raises(DataError, match=said):
        read(path)


def test_names_are_stripped_and_empty_rows_left_out(tmp_path: Path) -> None:
    days = [dt.datetime(2026, 1, 1), None, dt.datetime(2026, 1, 3)]
    path = write(tmp_path, {" date": days, "price ": [1.5, None, 2.5]})
    series = read(path, time="date").series[0]
    assert series.target.tolist() == [1.5, 2.5]
    assert "1 row without a time or a value: left out." in series.notes
    with pytest.raises(DataError, match="more than one column 'price'"):
        read(write(tmp_path, {"price ": [1.5], "price": [2.5]}))


def test_truth_values_with_empty_cells_are_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, {"price": [1.5, 2.5, 3.5], "open": [True, None, False]})
    assert read(path, features=("open",), missing="fill").series[0].values[:, 1].tolist() == [1, 1, 0]


@pytest.mark.parametrize(("code", "kind"), [("-999", "int64"), ("-999.0", "int64"), ("-999.5", "float32")])
def test_a_code_that_is_said_is_missing_among_numbers_too(tmp_path: Path, code: str, kind: str) -> None:
    values = np.arange(60.0)
    values[[5, 50]] = float(code)
    (series,) = read(write(tmp_path, {"price": values.astype(kind)}), na=(code,), missing="drop").series
    assert (len(series), series.empty, series.target.min()) == (58, 2, 0)
