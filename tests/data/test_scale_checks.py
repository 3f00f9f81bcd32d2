"""Values that no scaling can take are refused, by column and row; ordinary ones never."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grubench.data import datasets, windows
from grubench.data.scale_checks import find_far_row
from grubench.errors import DataError
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data, Window

RNG = np.random.default_rng(3)
INDEX = np.round(RNG.uniform(0.1, 0.9, 200), 3)


def cut(folder: Path, values: np.ndarray, window: Window, **data: object) -> windows.Windows:
    """The windows of a table with a day, a load and this column as the last."""
    days = np.arange("2020-01-01", len(values), dtype="datetime64[D]").astype(str)
    lines = (
        f"{day},{load!r},{value!r}" for day, load, value in zip(days, INDEX.tolist(), values.tolist(), strict=True)
    )
    path = folder / "my.csv"
    path.write_text("\n".join(["day,load,last", *lines]) + "\n")
    spec = Experiment(data=Data(file=str(path), **data), window=window)  # type: ignore[arg-type]
    return windows.build(datasets.load(spec.data, "my"), spec)


@pytest.mark.parametrize("scaling", ["minmax", "standard", "none"])
@pytest.mark.parametrize("row", [20, 190], ids=["training", "test"])
@pytest.mark.parametrize("settings", [{"target": ("last",)}, {"target": ("load",), "features": ("last",)}])
@pytest.mark.parametrize("code", [-3.4028235e38, 9.96921e36])
def test_a_code_far_from_the_values_is_refused_by_column_and_row(
    tmp_path: Path, scaling: str, row: int, settings: dict[str, tuple[str, ...]], code: float
) -> None:
    values = INDEX.copy()
    values[row] = code
    with pytest.raises(DataError, match=rf"column 'last', data row {row + 1}\b"):
        cut(tmp_path, values, Window(lookback=5, scaling=scaling), time="day" if row == 20 else "", **settings)


@pytest.mark.parametrize("scaling", ["minmax", "standard"])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.45])
def test_codes_of_many_rows_are_refused_too(tmp_path: Path, scaling: str, share: float) -> None:
    values = INDEX.copy()
    values[10:160][RNG.uniform(size=150) < share] = 1e20
    values[10] = 1e20
    with pytest.raises(DataError, match="could not tell those apart"):
        cut(tmp_path, values, Window(lookback=5, scaling=scaling), target=("last",))


def test_a_meter_that_read_zero_once_is_refused_since_float32_would_see_no_other_value(tmp_path: Path) -> None:
    values = 1.7e9 + np.cumsum(INDEX)
    assert find_far_row(values) is None
    values[7] = 0
    with pytest.raises(DataError, match="data row 8: 0 is so far"):
        cut(tmp_path, values, Window(lookback=5), target=("last",))


@pytest.mark.parametrize(
    "values",
    [
        np.where(np.arange(200) % 50 == 0, 1.0, 0.0),  # a switch
        np.where(np.arange(200) % 50 == 0, 1.0, RNG.normal(0, 1e-17, 200)),  # with zeros from arithmetic
        np.where(RNG.uniform(size=200) < 0.9, 0, RNG.exponential(1e4, 200)),  # demand now and then
        RNG.lognormal(0, 3, 200),
        np.full(200, 14.62),
        np.where(np.arange(200) < 150, 14.62, 15.12),
        1e-9 * INDEX,
        1e12 * INDEX,
        np.concatenate([INDEX[:199], [-9999.0]]),
    ],
)
@pytest.mark.parametrize("scaling", ["minmax", "standard", "none"])
def test_ordinary_columns_are_taken(tmp_path: Path, values: np.ndarray, scaling: str) -> None:
    assert np.isfinite(cut(tmp_path, values, Window(lookback=5, scaling=scaling), target=("last",)).rows).all()


def test_the_row_is_found_among_series_that_share_a_scaling(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    values = [*INDEX[:150].tolist(), 1e30, *INDEX[:49].tolist()]
    path.write_text("id,x\n" + "".join(f"{'ab'[k % 2]},{value!r}\n" for k, value in enumerate(values)))
    data = Data(file=str(path), target=("x",), series_column="id")
    spec = Experiment(data=data, window=Window(lookback=5, scale_per="dataset", scale_fit="all"))
    with pytest.raises(DataError, match="Series 'a', column 'x', data row 151:"):
        windows.build(datasets.load(data, "my"), spec)


@pytest.mark.parametrize(("level", "told"), [(3e7, True), (300.0, False)])
@pytest.mark.parametrize("scaling", ["none", "minmax"])
def test_what_float32_hardly_tells_apart_without_scaling_is_told(
    tmp_path: Path, scaling: str, level: float, told: bool
) -> None:
    notes = cut(tmp_path, level + INDEX, Window(lookback=5, scaling=scaling), target=("last",)).notes
    found = [note for note in notes if "hardly tells apart" in note]
    assert bool(found) is (told and scaling == "none")
    assert all(note.startswith("Column 'last': its values near 3e+07") and "--scaling minmax" in note for note in found)


@pytest.mark.parametrize("factor", [1e-45, 1e-160, 1e-300])
def test_values_that_are_zero_in_float32_are_told_without_scaling(tmp_path: Path, factor: float) -> None:
    notes = cut(tmp_path, factor * INDEX, Window(lookback=5, scaling="none"), target=("last",)).notes
    assert [note for note in notes if note.startswith("Column 'last': its values near") and "--scaling minmax" in note]
