"""Several series in one table, and rows that are not in order of time, are told before anything is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grubench.data import datasets
from grubench.data.series import Dataset
from grubench.errors import UsageError
from grubench.spec.sections import Data

DAYS = pd.date_range("2026-01-01", periods=60)


def write(folder: Path, frame: pd.DataFrame, name: str = "my.csv") -> Path:
    path = folder / name
    frame.to_parquet(path, index=False) if name.endswith(".parquet") else frame.to_csv(path, index=False)
    return path


def read(path: Path, **settings: object) -> Dataset:
    return datasets.load(Data(file=str(path), target=("sold",), **settings), "my")  # type: ignore[arg-type]


def make_shops(shops: list[object], **columns: object) -> pd.DataFrame:
    """A table of shops, day after day; `sold` and `price` are different in every row."""
    frame = pd.DataFrame([(day, shop) for day in DAYS for shop in shops], columns=["day", "shop"])
    return frame.assign(sold=np.arange(len(frame)) + 0.5, price=np.sin(np.arange(len(frame))), **columns)


class TestSeveralSeries:
    @pytest.mark.parametrize("shops", [["north", "south"], [1, 2, 3], list("abcdefgh")])
    @pytest.mark.parametrize("name", ["my.csv", "my.parquet"])
    def test_the_likely_column_is_named(self, tmp_path: Path, shops: list[object], name: str) -> None:
        path = write(tmp_path, make_shops(shops), name)
        repeated = 60 * (len(shops) - 1)
        said = f"{repeated} of {60 * len(shops)} rows of {name} repeat a time of 'day'.*values of 'shop'"
        with pytest.raises(UsageError, match=said) as caught:
            read(path, time="day")
        assert "--series-column shop" in caught.value.remedy
        assert len(read(path, time="day", series_column="shop").series) == len(shops)

    def test_they_are_found_without_a_column_of_times_too(self, tmp_path: Path) -> None:
        path = write(tmp_path, make_shops(["north", "south"]))
        with pytest.raises(UsageError, match="values of 'shop'") as caught:
            read(path)
        assert "--time day --series-column shop" in caught.value.remedy

    def test_two_columns_that_tell_them_apart_together(self, tmp_path: Path) -> None:
        pairs = [(shop, item) for shop in "ab" for item in ("ink", "pen", "cap")]
        frame = pd.concat([make_shops([shop], item=item) for shop, item in pairs])
        path = write(tmp_path, frame)
        for settings in ({}, {"series_column": "shop"}):
            with pytest.raises(UsageError, match="each pair of values of 'shop' and 'item'"):
                read(path, time="day", **settings)

    def test_the_time_of_the_day_is_no_name_of_a_series(self, tmp_path: Path) -> None:
        hours = pd.date_range("2026-01-01", periods=240, freq="h")
        frame = pd.DataFrame({"day": hours.date, "clock": hours.strftime("%H:%M"), "sold": np.arange(240.0)})
        path = write(tmp_path, frame)
        with pytest.raises(UsageError, match="the time of the day is in 'clock'"):
            read(path, time="day")
        assert read(path).notes == ()

    @pytest.mark.parametrize("rule", ["last", "mean", "keep"])
    def test_a_rule_for_rows_of_one_time_is_an_answer(self, tmp_path: Path, rule: str) -> None:
        path = write(tmp_path, make_shops(["north", "south"]))
        assert read(path, time="day", duplicates=rule).series[0].duplicated == 60

    @pytest.mark.parametrize(("repeated", "is_refused"), [(6, False), (8, True)])
    def test_up_to_a_tenth_may_repeat(self, tmp_path: Path, repeated: int, *, is_refused: bool) -> None:
        frame = pd.DataFrame({"day": [*DAYS, *DAYS[:repeated]], "sold": np.arange(60.0 + repeated)})
        path = write(tmp_path, frame)
        if is_refused:
            with pytest.raises(UsageError, match="no other column tells them apart"):
                read(path, time="day")
        else:
            assert read(path, time="day").series[0].duplicated == repeated


class TestOrder:
    @pytest.mark.parametrize(
        ("format", "flags"),
        [
            ("%Y-%m-%d", "--time day."),
            ("%Y-%m-%dT%H:%M", "--time day."),
            ("%m/%d/%Y", "--time day --time-format %m/%d/%Y."),
            ("%d.%m.%Y", "--time day --time-format %d.%m.%Y."),
            ("%b %d, %Y", "--time day --time-format '%b %d, %Y'."),
        ],
    )
    def test_the_newest_row_first_is_a_warning_that_names_the_column(
        self, tmp_path: Path, format: str, flags: str
    ) -> None:
        frame = pd.DataFrame({"sold": np.arange(60.0), "day": DAYS[::-1].strftime(format)})
        (note,) = [note for note in read(write(tmp_path, frame)).notes if "newest row first" in note]
        assert note.startswith("my.csv seems to have the newest row first, by its column 'day'")
        assert note.endswith(flags)

    def test_dates_of_a_parquet_file(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"sold": np.arange(60.0), "day": DAYS[::-1]})
        assert "newest row first" in read(write(tmp_path, frame, "my.parquet")).notes[0]

    def test_rows_in_no_order(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"sold": np.arange(60.0), "day": DAYS}).sample(frac=1, random_state=0)
        assert "no order" in "".join(read(write(tmp_path, frame)).notes).replace("its rows in ", "")

    @pytest.mark.parametrize("settings", [{}, {"time": "day"}])
    def test_rows_in_order_are_no_warning(self, tmp_path: Path, settings: dict[str, object]) -> None:
        frame = pd.DataFrame({"sold": np.arange(60.0), "day": DAYS, "code": ["1.2.3", "x"] * 30})
        assert read(write(tmp_path, frame), **settings).notes == ()

    def test_a_named_column_of_times_sorts_the_rows(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"sold": np.arange(60.0), "day": DAYS[::-1]})
        made = read(write(tmp_path, frame), time="day")
        assert (made.notes, made.series[0].target.tolist()) == ((), np.arange(60.0)[::-1].tolist())
