"""Columns of timestamps: formats are found out from the whole column, and offsets from UTC are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grubench.data import datasets
from grubench.data.datasets.stamps import parse_stamps
from grubench.data.series import Series
from grubench.data.zones import Zone, parse_offsets
from grubench.errors import DataError, UsageError
from grubench.spec.sections import Data
from grubench.training.predict import future_times


def parse(cells: list, **settings: str) -> list[str]:
    stamps = parse_stamps(pd.Series(cells, name="date"), "my.csv", **settings)
    return stamps.zone.format(stamps.time) if stamps.zone else stamps.time.astype("datetime64[m]").astype(str).tolist()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["31.12.2025", "01.01.2026"], ["2025-12-31T00:00", "2026-01-01T00:00"]),
        (["1/1/2026", "1/13/2026"], ["2026-01-01T00:00", "2026-01-13T00:00"]),
        (["1/1/2026", "13/1/2026"], ["2026-01-01T00:00", "2026-01-13T00:00"]),
        (["12/31/25 11:30 PM", "1/1/26 12:00 AM"], ["2025-12-31T23:30", "2026-01-01T00:00"]),
        (["2026-01-01 01:30:00 PM"], ["2026-01-01T13:30"]),
        (["31-Dec-2025", "01-Jan-2026"], ["2025-12-31T00:00", "2026-01-01T00:00"]),
        (["Dec 31, 2025", "Jan 1, 2026"], ["2025-12-31T00:00", "2026-01-01T00:00"]),
        (["2026/01/31 10:15"], ["2026-01-31T10:15"]),
        (["Dec-98", "Jan-02"], ["1998-12-01T00:00", "2002-01-01T00:00"]),
        (["2026-01-31 ", "2026-02-01 "], ["2026-01-31T00:00", "2026-02-01T00:00"]),
        (
            ["2026-01-01 23:00", "2026-01-01 24:00", "2026-01-02 24:00:00"],
            ["2026-01-01T23:00", "2026-01-02T00:00", "2026-01-03T00:00"],
        ),
        (["01.01.2026 24:00", "31.01.2026 01:00"], ["2026-01-02T00:00", "2026-01-31T01:00"]),
        ([2024, 2025], ["2024-01-01T00:00", "2025-01-01T00:00"]),
        (["2024", "2025"], ["2024-01-01T00:00", "2025-01-01T00:00"]),
        ([20251231, 20260101], ["2025-12-31T00:00", "2026-01-01T00:00"]),
        ([2025123123, 2026010100], ["2025-12-31T23:00", "2026-01-01T00:00"]),
        ([202512312359, 202601010000], ["2025-12-31T23:59", "2026-01-01T00:00"]),
        ([1704067200, 1704070800], ["2024-01-01T00:00", "2024-01-01T01:00"]),
        ([1704067200.0, 1704070800.5], ["2024-01-01T00:00", "2024-01-01T01:00"]),
        ([1704067200000], ["2024-01-01T00:00"]),
        ([1704067200000000], ["2024-01-01T00:00"]),
        (["1704067200.25"], ["2024-01-01T00:00"]),
        (["2026Q1", "2026-Q2", "Q3 2026"], ["2026-01-01T00:00", "2026-04-01T00:00", "2026-07-01T00:00"]),
        (["2025-W52", "2026W01"], ["2025-12-22T00:00", "2025-12-29T00:00"]),
        (["2026M01", "2026M12"], ["2026-01-01T00:00", "2026-12-01T00:00"]),
        (["Jan-26", "Feb-26"], ["2026-01-01T00:00", "2026-02-01T00:00"]),
        (["01JAN2026", "13JAN2026"], ["2026-01-01T00:00", "2026-01-13T00:00"]),
        (["Thu, 01 Jan 2026 10:15:00 +0000"], ["2026-01-01T10:15+00:00"]),
        (["Thu Jan  1 10:15:00 2026"], ["2026-01-01T10:15"]),
        (["2026-01-01 10:15PM"], ["2026-01-01T22:15"]),
        (["2026-01-01 10:15:00,250"], ["2026-01-01T10:15"]),
        (["01.01.2026, 10.15"], ["2026-01-01T10:15"]),
        (["2026-01-01 23", "2026-01-01 24"], ["2026-01-01T23:00", "2026-01-02T00:00"]),
        (["2026 1 1 0", "2026 1 1 13"], ["2026-01-01T00:00", "2026-01-01T13:00"]),
    ],
)
def test_formats_are_found_out(cells: list, expected: list[str]) -> None:
    assert parse(cells) == expected


@pytest.mark.parametrize(
    ("cells", "format", "expected"),
    [
        ([202512, 202601], "%Y%m", ["2025-12-01T00:00", "2026-01-01T00:00"]),
        ([0, 60], "s", ["1970-01-01T00:00", "1970-01-01T00:01"]),
        (["0", "60000"], "ms", ["1970-01-01T00:00", "1970-01-01T00:01"]),
        (["02/01/2026"], "%m/%d/%Y", ["2026-02-01T00:00"]),
        ([46023, 46023.0416666667], "excel", ["2026-01-01T00:00", "2026-01-01T01:00"]),
        (["2026Q2"], "quarter", ["2026-04-01T00:00"]),
        ([2024.0, 2025.0], "%Y", ["2024-01-01T00:00", "2025-01-01T00:00"]),
    ],
)
def test_formats_can_be_said(cells: list, format: str, expected: list[str]) -> None:
    assert parse(cells, format=format) == expected


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["01/02/2026", "02/02/2026"], "can be read as %d/%m/%Y and as %m/%d/%Y"),
        ([202512, 202601], "holds numbers, not timestamps"),
        ([1, 2], "holds numbers, not timestamps"),
        ([1704067200, 5], "holds numbers, not timestamps"),
        (["2026-01-01T00:00+01:00", "2026-01-01T01:00"], "data row 2: '2026-01-01T01:00' has no offset"),
        (["2026-01-01T00:00", "2026-01-01T01:00+01:00"], "data row 1: '2026-01-01T00:00' has no offset"),
        (["2026-01-01T00:00+01:00", "2026-01-02"], "data row 2: '2026-01-02' has no offset"),
        (["01/11/2026", "01/12/2026", "13/01/2026", "14/01/2026"], "row 1: '01/11/2026' is in order as %m/%d/%Y"),
        (["2026-01-01", ""], "data row 2: '' is not"),
        (["Dec-68", "Jan-69"], "row 1: 'Dec-68' would be of 2068"),
        (["01.01.60", "01.02.60"], "would be of 2060"),
        (["31/12/2025", "1/32/2026"], "data row 2: '1/32/2026' is not"),
        (["2026-01-01 24:30"], "is not"),
    ],
)
def test_what_cannot_be_told_is_refused(cells: list, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        parse(cells)
    assert "--time-format" in caught.value.remedy or "would be of" in said


def test_of_two_readings_the_one_with_equal_steps_is_taken() -> None:
    hours = pd.date_range("2026-01-01", periods=30, freq="h")
    assert parse(hours.strftime("%m/%d/%Y %H:%M").tolist())[-1] == "2026-01-02T05:00"
    assert parse(hours.strftime("%d/%m/%Y %H:%M").tolist())[-1] == "2026-01-02T05:00"


class TestZones:
    def test_offsets_are_kept(self) -> None:
        cells = ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"]
        assert parse(cells) == cells
        assert parse(["2026-01-01 10:00Z"]) == ["2026-01-01T10:00+00:00"]
        assert parse(["2026-01-01 10:00 UTC"]) == ["2026-01-01T10:00+00:00"]
        assert parse(["2026-01-01 10:00-0530", "2026-01-01 10:00-0330"])[0] == "2026-01-01T10:00-05:30"

    def test_a_zone_is_set_for_times_without_offsets(self) -> None:
        cells = ["2026-03-29 01:00", "2026-03-29 03:00", "2026-10-25 02:00", "2026-10-25 02:00"]
        assert parse(cells, zone="Europe/Berlin") == [
            "2026-03-29T01:00+01:00",
            "2026-03-29T03:00+02:00",
            "2026-10-25T02:00+02:00",
            "2026-10-25T02:00+01:00",
        ]

    def test_times_that_clocks_skip_are_refused(self) -> None:
        with pytest.raises(DataError, match="data row 2: '2026-03-29 02:30' does not exist in Europe/Berlin"):
            parse(["2026-03-29 01:30", "2026-03-29 02:30"], zone="Europe/Berlin")

    def test_instants_are_shown_in_a_zone(self) -> None:
        assert parse([1704067200], zone="Europe/Berlin") == ["2024-01-01T01:00+01:00"]
        assert parse(["2026-07-01T00:00+00:00"], zone="Asia/Kolkata") == ["2026-07-01T05:30+05:30"]

    @pytest.mark.parametrize("name", ["Mars/Base", "../../etc/passwd", "\x00", "a" * 1000])
    def test_unknown_zones_are_named(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"data\.zone: there is no time zone"):
            parse(["2026-01-01"], zone=name)

    def test_parquet_keeps_its_zone(self, tmp_path: Path) -> None:
        time = pd.date_range("2026-03-28", periods=48, freq="h", tz="Europe/Berlin")
        pd.DataFrame({"date": time, "price": range(48)}).to_parquet(tmp_path / "my.parquet")
        series = read(tmp_path / "my.parquet", time="date", time_features=("hour",))
        assert series.values[:, 1].tolist() == time.hour.tolist()
        assert series.zone is not None
        assert series.zone.format(series.time[-1:]) == ["2026-03-30T00:00+02:00"]

    def test_back_and_forth(self) -> None:
        zone = Zone.from_name("Europe/Berlin")
        time = np.datetime64("2026-01-01", "us") + np.arange(400) * np.timedelta64(1, "D")
        np.testing.assert_array_equal(zone.to_utc(zone.to_local(time)), time)

    def test_offsets_of_texts(self) -> None:
        minutes = parse_offsets(["10:00Z", "10:00+01:00", "10:00-0530", "T10+02", "2026-01-02"]).astype(
            "timedelta64[m]"
        )
        assert [str(minute) for minute in minutes] == ["0 minutes", "60 minutes", "-330 minutes", "120 minutes", "NaT"]


def read(path: Path, **settings: object) -> Series:
    return datasets.load(Data(file=str(path), **({"target": ("price",)} | settings)), "my").series[0]  # type: ignore[arg-type]


def test_a_year_of_hours_over_two_changes_of_clocks(tmp_path: Path) -> None:
    time = pd.date_range("2026-01-01", "2026-12-31 23:00", freq="h", tz="Europe/Berlin")
    rows = "".join(f"{moment.isoformat()},{100 + 50 * (moment.hour == 18)}\n" for moment in time)
    (tmp_path / "my.csv").write_text(f"date,price\n{rows}")
    series = read(tmp_path / "my.csv", time="date", time_features=("hour",), gaps="error", duplicates="error")
    assert set(series.values[series.target == 150, 1]) == {18}
    assert series.zone is not None
    assert series.zone.format(future_times(series, 2)) == ["2027-01-01T00:00+01:00", "2027-01-01T01:00+01:00"]
    assert "forecasts keep the last, +01:00" in " ".join(series.notes)


@pytest.mark.parametrize("hours", [(6, 14, 22), (3, 9, 15, 21)])
def test_shifts_go_by_the_local_clock(tmp_path: Path, hours: tuple[int, ...]) -> None:
    """The file ends the evening before clocks go forward, and has the change of October in it."""
    days = pd.date_range("2019-06-03", "2020-03-28")
    local = [day + pd.Timedelta(hours=hour) for day in days for hour in hours]
    frame = pd.DataFrame({"date": local, "price": np.arange(float(len(local)))})
    frame.to_csv(tmp_path / "my.csv", index=False)
    series = read(tmp_path / "my.csv", time="date", zone="Europe/Berlin", gaps="error")
    assert series.zone is not None
    ahead = series.zone.format(future_times(series, len(hours)))
    assert ahead == [f"2020-03-29T{hour:02}:00+02:00" for hour in hours]


def test_days_go_by_the_local_calendar(tmp_path: Path) -> None:
    time = pd.date_range("2026-01-01", "2026-10-24", freq="D", tz="Europe/Berlin")
    (tmp_path / "my.csv").write_text("date,price\n" + "".join(f"{moment.isoformat()},1\n" for moment in time))
    series = read(tmp_path / "my.csv", time="date", zone="Europe/Berlin")
    assert series.missing == 0
    assert series.zone is not None
    ahead = series.zone.format(future_times(series, 2))
    assert ahead == ["2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"]


def test_date_and_time_in_two_columns(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("Date;Time;price\n16/12/2006;17:24:00;1\n16/12/2006;24:00:00;2\n")
    series = read(tmp_path / "my.csv", time="Date,Time")
    assert series.time.astype(str).tolist() == ["2006-12-16T17:24:00", "2006-12-17T00:00:00"]
    (tmp_path / "my.csv").write_text("Date,Time,price\n20061216,0905,1\n20061216,0910,2\n")
    series = read(tmp_path / "my.csv", time="Date,Time", time_format="%Y%m%d %H%M")
    assert series.time.astype(str).tolist() == ["2006-12-16T09:05:00", "2006-12-16T09:10:00"]
    with pytest.raises(UsageError, match=r"data\.time: my\.csv has no column 'Clock'"):
        read(tmp_path / "my.csv", time="Date,Clock")
