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

    @pytest.mark.parametrize("name", ["my.csv", "my.parquet"])
    @pytest.mark.parametrize("shops", [[101, 102, 103], [1.0, 2.0], ["north", "south"]])
    @pytest.mark.parametrize("is_stacked", [True, False])
    def test_names_may_be_numbers(self, tmp_path: Path, shops: list[object], name: str, *, is_stacked: bool) -> None:
        frame = make_shops(shops)
        frame = frame.sort_values(["shop", "day"]) if is_stacked else frame
        with pytest.raises(UsageError, match="values of 'shop'") as caught:
            read(write(tmp_path, frame, name))
        assert "--time day --series-column shop" in caught.value.remedy

    def test_a_pair_of_columns_without_a_column_of_times(self, tmp_path: Path) -> None:
        frame = pd.concat([make_shops([1, 2, 3]).assign(item=item) for item in ("ink", "pen")])
        with pytest.raises(UsageError, match="each pair of values of 'item' and 'shop'"):
            read(write(tmp_path, frame))

    @pytest.mark.parametrize(("name", "hours"), [("hour", 12), ("x", 24), ("x", 48), ("Period", 5)])
    def test_a_number_of_the_hour_is_no_name_of_a_series(self, tmp_path: Path, name: str, hours: int) -> None:
        path = write(tmp_path, make_shops(list(range(1, hours + 1))).rename(columns={"shop": name}))
        assert read(path).notes == ()

    def test_parts_of_a_date_are_no_names_of_series(self, tmp_path: Path) -> None:
        days = pd.date_range("2019-01-01", periods=800)
        columns = {"year": days.year, "month": days.month, "day": days.day, "sold": np.arange(800.0)}
        assert read(write(tmp_path, pd.DataFrame(columns))).notes == ()

    def test_amounts_of_trades_are_no_names_of_series(self, tmp_path: Path) -> None:
        days = np.repeat(DAYS, 5)
        amounts = np.random.default_rng(0).permutation(np.repeat(np.arange(75), 4))
        path = write(tmp_path, pd.DataFrame({"day": days, "amount": amounts, "sold": np.arange(300.0)}))
        assert read(path).notes == ()

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
        "format",
        [
            *("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%m/%d/%Y", "%m/%d/%y", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%Y %H:%M"),
            *("%b %d, %Y", "%d %B %Y", "%a %b %d %Y", "%Y%m%d", "%s", "%GW%V"),
        ],
    )
    def test_the_newest_row_first_is_a_warning_whose_flag_is_enough(self, tmp_path: Path, format: str) -> None:
        days = DAYS if format != "%GW%V" else pd.date_range("2020-01-06", periods=60, freq="7D")
        texts = [f"{day.timestamp():.0f}" if format == "%s" else day.strftime(format) for day in days[::-1]]
        path = write(tmp_path, pd.DataFrame({"sold": np.arange(60.0), "day": texts}))
        (note,) = [note for note in read(path).notes if "newest row first" in note]
        assert note.startswith("my.csv seems to have the newest row first, by its column 'day'")
        assert note.endswith("--time day.")
        made = read(path, time="day").series[0]
        assert made.target.tolist() == np.arange(60.0)[::-1].tolist()
        assert made.time.astype("datetime64[s]").tolist() == days.to_numpy("datetime64[s]").tolist()

    def test_years_and_months_are_dates_and_numbers_of_another_name_are_none(self, tmp_path: Path) -> None:
        years = pd.DataFrame({"sold": np.arange(60.0), "year": np.arange(2020, 1960, -1)})
        assert "by its column 'year'" in read(write(tmp_path, years)).notes[0]
        assert read(write(tmp_path, years.rename(columns={"year": "altitude"}))).notes == ()
        months = pd.date_range("2020-01-01", periods=60, freq="MS")[::-1].strftime("%b %Y")
        assert "newest row first" in read(write(tmp_path, years.assign(year=months))).notes[0]

    def test_dates_that_can_be_read_in_two_ways_have_an_order_too(self, tmp_path: Path) -> None:
        months = pd.date_range("2020-01-01", periods=60, freq="MS")[::-1].strftime("%d/%m/%Y")
        frame = pd.DataFrame({"sold": np.arange(60.0), "day": months})
        assert "by its column 'day'" in "".join(read(write(tmp_path, frame)).notes)

    def test_text_of_a_dataframe(self) -> None:
        frame = pd.DataFrame({"sold": np.arange(60.0), "day": DAYS[::-1].strftime("%d.%m.%Y"), "list": [[1]] * 60})
        made = datasets.load(Data(file="frame", target=("sold",)), "my", frame=frame)
        assert "by its column 'day'" in made.notes[0]

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
