"""predictions.csv: what is written is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grubench.errors import RunError
from grubench.runs.predictions import ForecastRows, format_csv, read_csv


def make_rows(time: np.ndarray) -> ForecastRows:
    values = np.array([1.5, -2.0, 1e-7, 123456.75])
    return ForecastRows(
        origin=np.repeat(time[:2], 2), step=np.array([1, 2, 1, 2]), time=time, actual=values, predicted=values[::-1]
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


def test_a_forecast_that_breaks_off_is_refused(tmp_path: Path) -> None:
    text = format_csv({"a": make_rows(np.arange(4))})
    (tmp_path / "predictions.csv").write_text(text.rstrip("\n").rpartition("\n")[0] + "\n")
    with pytest.raises(RunError, match="no complete forecasts"):
        read_csv(tmp_path / "predictions.csv", 3)
