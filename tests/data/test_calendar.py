"""The timestamps that a person would write next, and what is told apart: regular, calendar and irregular."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grubench.data import datasets
from grubench.data.calendar import find_calendar
from grubench.data.datasets import timestamps
from grubench.errors import DataError
from grubench.spec.sections import Data


def stamps(values: object) -> np.ndarray:
    return np.asarray(pd.DatetimeIndex(values), "datetime64[us]")  # type: ignore[arg-type]


def follow(time: np.ndarray, number: int) -> list[str]:
    calendar = find_calendar(time)
    assert calendar is not None
    return [str(stamp).removesuffix("T00:00:00.000000") for stamp in calendar.follow(time[-1], number)]


def find_kind(time: np.ndarray) -> str:
    calendar = find_calendar(time)
    assert calendar is not None
    return calendar.kind


# pandas' own rules are the independent reference; each goes on as it began.
FREQUENCIES = {
    "calendar": "MS ME SMS SME BMS BME QS QE QE-NOV BQE 2MS 6MS YS YE YS-APR B",
    "regular": "W W-WED 2W 28D D 2D h 6h 36h 90min 15min 5min min s 10ms",
}


@pytest.mark.parametrize(
    ("kind", "frequency"), [(kind, name) for kind, names in FREQUENCIES.items() for name in names.split()]
)
def test_what_pandas_began_goes_on_as_pandas_would(kind: str, frequency: str) -> None:
    every = stamps(pd.date_range("2019-01-01", periods=72, freq=frequency))
    calendar = find_calendar(every[:60])
    assert calendar is not None
    assert calendar.kind == kind
    assert calendar.follow(every[59], 12).tolist() == every[60:].tolist()


@given(st.integers(1, 28), st.sampled_from([1, 2, 3, 6, 12]), st.integers(2, 40), st.data())
def test_a_fixed_day_of_months_goes_on_where_months_are_missing(
    day: int, every: int, number: int, data: st.DataObject
) -> None:
    months = np.datetime64("2019-03", "M") + every * np.arange(4 * number + 2)
    days = months.astype("datetime64[D]") + day - 1
    missing = data.draw(st.integers(1, 4 * number - 2))
    known = np.delete(days[:-2], missing).astype("datetime64[us]")
    assert follow(known, 2) == [str(each) for each in days[-2:]]


class TestCalendars:
    def test_day_30_is_the_last_of_february(self) -> None:
        months = pd.date_range("2019-01-01", periods=26, freq="MS")
        time = stamps([month + pd.Timedelta(days=min(30, month.days_in_month) - 1) for month in months])
        assert follow(time, 2) == ["2021-03-30", "2021-04-30"]
        assert find_calendar(time).rule == "day 30 of each month"  # type: ignore[union-attr]

    def test_ten_years(self) -> None:
        time = stamps([f"{year}-01-01" for year in range(1900, 2021, 10)])
        assert find_calendar(time).rule == "the first day of every 10 years"  # type: ignore[union-attr]
        assert follow(time, 2) == ["2030-01-01", "2040-01-01"]

    def test_two_ends_of_months_are_enough(self) -> None:
        assert follow(stamps(["2020-01-31", "2020-02-29"]), 2) == ["2020-03-31", "2020-04-30"]

    def test_holidays_are_no_rule_and_no_gap(self) -> None:
        days = pd.bdate_range("2022-01-03", "2023-01-06")
        open_days = stamps(days.delete([10, 90, 91, 200]))
        assert follow(open_days, 2) == ["2023-01-09", "2023-01-10"]
        made = timestamps.arrange("s", open_days, np.ones((len(open_days), 1)), ("x",), Data(gaps="error"))
        assert made.missing == 0

    @pytest.mark.parametrize(
        ("weekdays", "rule", "following"),
        [
            ((0, 1, 2, 3, 4), "business days (Monday to Friday)", ["2019-04-11", "2019-04-12", "2019-04-15"]),
            ((0, 1, 2, 3, 4, 5), "every Monday to Saturday", ["2019-04-11", "2019-04-12", "2019-04-13"]),
            ((0, 2, 4), "every Monday, Wednesday and Friday", ["2019-04-12", "2019-04-15", "2019-04-17"]),
            ((6, 0, 1, 2, 3), "every Sunday to Thursday", ["2019-04-11", "2019-04-14", "2019-04-15"]),
        ],
    )
    def test_days_off_stay_off(self, weekdays: tuple[int, ...], rule: str, following: list[str]) -> None:
        days = pd.date_range("2019-01-01", "2019-04-10")
        time = stamps(days[np.isin(days.day_of_week, weekdays)])
        assert find_calendar(time).rule == rule  # type: ignore[union-attr]
        assert follow(time, 3) == following

    def test_hours_of_business_go_on_in_the_next_morning(self) -> None:
        every = pd.date_range("2019-01-01", "2019-02-01 12:00", freq="h")
        time = stamps(every[(every.hour >= 9) & (every.hour <= 17) & (every.day_of_week < 5)])
        assert find_calendar(time).rule == "every hour from 09:00 to 17:00, Monday to Friday"  # type: ignore[union-attr]
        assert follow(time, 6)[-2:] == ["2019-02-01T17:00:00.000000", "2019-02-04T09:00:00.000000"]

    def test_a_weekend_left_out_of_eight_days_is_one(self) -> None:
        days = np.array(["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08", "2024-03-11"], "M8[D]")
        time = (days[:, None] + np.arange(9 * 60, 15 * 60).astype("m8[m]")).reshape(-1).astype("M8[us]")
        assert find_calendar(time).rule == "every minute from 09:00 to 14:59, Monday to Friday"  # type: ignore[union-attr]

    @pytest.mark.parametrize(("days", "following"), [(3, "2024-03-07T09:30"), (5, "2024-03-11T09:30")])
    def test_the_times_of_few_days_are_a_rule(self, days: int, following: str) -> None:
        """A break at noon, from Monday 4 March on: after the last time comes the next morning, or Monday."""
        minutes = np.concatenate([np.arange(570, 690, 5), np.arange(780, 900, 5)])
        start = np.datetime64("2024-03-04") + np.arange(days)
        time = (start[:, None] + minutes.astype("m8[m]")).reshape(-1).astype("M8[us]")
        assert follow(time, 1) == [f"{following}:00.000000"]
        assert follow(time[:-1], 2) == [f"{str(time[-1])[:16]}:00.000000", f"{following}:00.000000"]

    def test_missing_hours_of_few_days_are_no_rule(self) -> None:
        hours = stamps(pd.date_range("2024-03-04", periods=80, freq="h").delete([3, 10, 30, 55]))
        assert find_kind(hours) == "regular"

    def test_ten_days_of_the_month(self) -> None:
        days = pd.date_range("2019-01-01", "2019-12-31")
        assert follow(stamps(days[np.isin(days.day, [1, 11, 21])]), 2) == ["2020-01-01", "2020-01-11"]

    def test_a_missing_month_is_a_gap_and_a_missing_weekday_may_be_a_holiday(self) -> None:
        months = stamps(pd.date_range("2010-01-31", periods=60, freq="ME").delete([20, 40]))
        days = stamps(pd.date_range("2024-01-01", periods=200, freq="B").delete([20, 40]))
        spec = Data(file="a.csv", target=("v",))
        for time, missing in ((months, 2), (days, 0)):
            values = np.arange(len(time), dtype=float)[:, None]
            assert timestamps.arrange("a", time, values, ("v",), spec).missing == missing
        with pytest.raises(DataError, match="2 missing timestamps"):
            timestamps.arrange("a", months, np.ones((58, 1)), ("v",), replace(spec, gaps="error"))

    def test_a_calendar_is_filled_where_that_is_asked_for(self) -> None:
        months = stamps(["2020-01-31", "2020-02-29", "2020-03-31", "2020-05-31", "2020-06-30"])
        made = timestamps.arrange("s", months, np.arange(5.0)[:, None], ("x",), Data(gaps="fill"))
        assert made.time.astype("datetime64[D]").astype(str).tolist()[2:5] == ["2020-03-31", "2020-04-30", "2020-05-31"]
        assert made.target.tolist() == [0, 1, 2, 2, 3, 4]
        assert made.filled.tolist() == [False, False, False, True, False, False]
        assert made.missing == 1


class TestSteps:
    def test_hours_pass_midnight(self) -> None:
        assert follow(stamps(pd.date_range("2026-01-01", periods=23, freq="h")), 2) == [
            "2026-01-01T23:00:00.000000",
            "2026-01-02",
        ]

    def test_days_with_many_missing_are_still_days(self) -> None:
        days = pd.date_range("2019-01-01", periods=200)
        time = stamps(days[np.random.default_rng(0).random(200) > 0.4])
        assert find_kind(time) == "regular"
        assert timestamps.arrange("s", time, np.ones((len(time), 1)), ("x",), Data()).missing > 60

    def test_a_clock_that_is_milliseconds_off_is_regular(self) -> None:
        offsets = np.random.default_rng(0).normal(0, 5, 100).round().astype("timedelta64[ms]")
        calendar = find_calendar(stamps(pd.date_range("2020", periods=100, freq="min")) + offsets)
        assert calendar is not None
        assert (calendar.kind, calendar.rule, calendar.step) == ("regular", "every minute", np.timedelta64(60, "s"))

    def test_irregular_steps_have_a_typical_one_and_no_gaps(self) -> None:
        seconds = np.random.default_rng(0).normal(60, 5, 500).clip(10)
        time = np.datetime64("2020-01-01", "us") + (1e6 * seconds).cumsum().astype("timedelta64[us]")
        calendar = find_calendar(time)
        assert calendar is not None
        assert calendar.kind == "irregular"
        assert calendar.step / np.timedelta64(1, "s") == pytest.approx(np.median(seconds), abs=0.1)
        assert timestamps.arrange("s", time, np.ones((500, 1)), ("x",), Data(gaps="error")).missing == 0

    def test_events_are_irregular_though_they_come_at_whole_seconds(self) -> None:
        seconds = np.random.default_rng(0).exponential(60, 500).round()
        assert find_kind(np.datetime64("2020-01-01", "us") + seconds.cumsum().astype("timedelta64[s]")) == "irregular"

    def test_irregular_timestamps_are_told(self, tmp_path: Path) -> None:
        seconds = np.random.default_rng(0).integers(40, 80, 500).cumsum()
        time = np.datetime64("2020-01-01", "s") + seconds.astype("timedelta64[s]")
        pd.DataFrame({"time": time, "level": np.sin(seconds)}).to_csv(tmp_path / "sensor.csv", index=False)
        spec = Data(file=str(tmp_path / "sensor.csv"), time="time", target=("level",))
        (note,) = datasets.load(spec, "sensor").notes
        assert note.startswith("The timestamps are irregular, typically 61 s apart: rows are taken as neighbors")

    def test_gaps_of_irregular_timestamps_are_not_filled(self) -> None:
        time = np.datetime64("2020-01-01", "us") + np.cumsum([61, 83, 52, 97, 40, 71, 66, 58]) * np.timedelta64(1, "s")
        with pytest.raises(DataError, match="the timestamps of series s are irregular, typically") as caught:
            timestamps.arrange("s", time, np.ones((8, 1)), ("x",), Data(gaps="fill"))
        assert "--gaps keep" in caught.value.remedy
