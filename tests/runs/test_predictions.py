"""predictions.csv: what is written is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grubench.data.zones import Zone
from grubench.errors import RunError
from grubench.runs.predictions import ForecastRows, format_csv, read_csv


def make_rows(time: np.ndarray) -> ForecastRows:
    values = np.array([1.5, -2.0, 1e-7, 123456.75])
    return ForecastRows(
        origin=np.repeat(time[:2], 2),
        step=np.array([1, 2, 1, 2]),
        time=time,
        actual=values,
        predicted=values[::-1].copy(),
    )


@pytest.mark.parametrize("time", [np.arange(4), np.arange("2026-03-29T00", "2026-03-29T04", dtype="datetime64[h]")])
def test_rows_are_read_back_by_series(tmp_path: Path, time: np.ndarray) -> None:
    written = {"a": make_rows(time), "b": make_rows(time[::-1].copy())}
    (tmp_path / "predictions.csv").write_text(format_csv(written))
    read = read_csv(tmp_path / "predictions.csv", 8)
    assert list(read) == ["a", "b"]
    for name, rows in read.items():
        assert rows.has_timestamps == (time.dtype.kind == "M")
        for key, values in vars(written[name]).items():
            np.testing.assert_array_equal(getattr(rows, key), values)


def test_local_times_keep_their_offsets(tmp_path: Path) -> None:
    time = np.arange("2026-03-29T00", "2026-03-29T04", dtype="datetime64[h]").astype("datetime64[us]")
    zone = Zone.from_name("Europe/Berlin")
    text = format_csv({"a": replace(make_rows(time), zone=zone)})
    assert text.splitlines()[1].startswith("a,2026-03-29T01:00+01:00,1,2026-03-29T01:00+01:00,")
    assert text.splitlines()[4].startswith("a,2026-03-29T03:00+02:00,2,2026-03-29T05:00+02:00,")
    (tmp_path / "predictions.csv").write_text(text)
    rows = read_csv(tmp_path / "predictions.csv", 4)["a"]
    np.testing.assert_array_equal(rows.time, time)
    assert rows.labels() == zone.format(time)
    assert rows.local_time.astype("datetime64[h]").astype(str).tolist()[-1] == "2026-03-29T05"
    (tmp_path / "predictions.csv").write_text(text.replace("+02:00", ""))
    with pytest.raises(RunError, match="some times have an offset from UTC"):
        read_csv(tmp_path / "predictions.csv", 4)


def test_a_forecast_that_breaks_off_is_refused(tmp_path: Path) -> None:
    text = format_csv({"a": make_rows(np.arange(4))})
    (tmp_path / "predictions.csv").write_text(text.rstrip("\n").rpartition("\n")[0] + "\n")
    with pytest.raises(RunError, match="no complete forecasts"):
        read_csv(tmp_path / "predictions.csv", 3)


def test_an_actual_value_that_is_not_known_is_an_empty_cell(tmp_path: Path) -> None:
    rows = make_rows(np.arange(4))
    rows.actual[1] = np.nan
    text = format_csv({"a": rows})
    assert text.splitlines()[2].startswith("a,0,2,1,,")
    (tmp_path / "predictions.csv").write_text(text)
    np.testing.assert_array_equal(read_csv(tmp_path / "predictions.csv", 4)["a"].actual, rows.actual)


@pytest.mark.parametrize("column", ["predicted", "actual"])
def test_other_empty_or_infinite_values_are_refused(tmp_path: Path, column: str) -> None:
    rows = make_rows(np.arange(4))
    getattr(rows, column)[1] = np.inf
    (tmp_path / "predictions.csv").write_text(format_csv({"a": rows}))
    with pytest.raises(RunError, match="no complete forecasts"):
        read_csv(tmp_path / "predictions.csv", 4)
    rows.predicted[1] = np.nan
    (tmp_path / "predictions.csv").write_text(format_csv({"a": rows}))
    with pytest.raises(RunError):
        read_csv(tmp_path / "predictions.csv", 4)
