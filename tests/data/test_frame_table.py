"""DataFrames: names, indexes and columns of several types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grubench.data.datasets import tables
from grubench.data.series import Series
from grubench.errors import DataError
from grubench.spec.sections import Data

DAYS = pd.date_range("2026-01-01", periods=3)


def read(frame: pd.DataFrame, **settings: object) -> Series:
    spec = Data(file="frame", **({"target": ("price",)} | settings))  # type: ignore[arg-type]
    return tables.read(spec, Path("frame"), frame=frame)[0]


def test_names_are_stripped_and_levels_joined() -> None:
    frame = pd.DataFrame({"price ": [1.5, 2, 3]}, index=DAYS.rename(" date "))
    assert read(frame, time="date").target.tolist() == [1.5, 2, 3]
    frame.columns = pd.MultiIndex.from_tuples([("Close", "A")])
    assert read(frame, time="date", target=("Close A",)).target.tolist() == [1.5, 2, 3]


def test_an_index_with_the_name_of_a_column_is_refused() -> None:
    frame = pd.DataFrame({"date": DAYS, "price": [1, 2, 3]}, index=DAYS.rename("date"))
    with pytest.raises(DataError, match="more than one column 'date'"):
        read(frame, time="date")


def test_numbers_and_texts_in_one_column() -> None:
    frame = pd.DataFrame({"date": DAYS, "price": [1.5, "1.234,5", "?"]})
    assert read(frame, time="date", missing="drop").target.tolist() == [1.5, 1234.5]


@pytest.mark.parametrize("cells", [[[1], [2], [3]], [b"1", b"2", 3], [{}, {}, {}]])
def test_cells_that_are_no_values_are_refused(cells: list) -> None:
    frame = pd.DataFrame({"date": DAYS, "price": [1, 2, 3], "other": cells})
    with pytest.raises(DataError, match="column 'other' holds no numbers, but"):
        read(frame, time="date", features=("other",))


@pytest.mark.parametrize("code", ["-999", "-999.5", "12345678.9"])
@pytest.mark.parametrize("kind", [float, "float32", "Float64", object])
def test_a_code_that_is_said_is_missing_among_numbers_too(code: str, kind: object) -> None:
    values = np.arange(60.0)
    values[[5, 50]] = float(code)
    frame = pd.DataFrame({"price": pd.Series(values).astype(kind)})  # type: ignore[call-overload]
    series = read(frame, na=(code,), missing="drop")
    assert (len(series), series.empty) == (58, 2)
    assert series.target.max() == 59
