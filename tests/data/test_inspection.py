"""`grubench datasets --csv`: what a table seems to hold, and the command that compares on it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

from grubench import api
from grubench.data import datasets
from grubench.data.datasets.inspection import Inspection, inspect_table
from grubench.errors import UsageError
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data

DAYS = pd.date_range("2024-01-01", periods=300, freq="D").strftime("%Y-%m-%d")
VALUES = np.random.default_rng(0).normal(50, 5, 300).round(2)


def write(folder: Path, file: str = "shop.csv", **columns: object) -> Path:
    path = folder / file
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def look(path: Path) -> Inspection:
    return inspect_table(path, Data(file=str(path)), max_mb=500)


def test_times_targets_and_the_command(tmp_path: Path) -> None:
    path = write(tmp_path, date=DAYS, weather=["rain", "sun", "fog"] * 100, sales=VALUES)
    seen = look(path)
    assert [column.kind for column in seen.columns] == ["time", "text", "number"]
    assert (seen.time, seen.series_column, seen.target) == ("date", "", "sales")
    assert seen.findings[0] == "Times: date, every day."
    assert seen.findings[1].startswith("No season: ")
    assert not seen.warnings
    assert shlex.split(seen.command())[2:] == ["--csv", str(path), "--time", "date", "--target", "sales"]


@pytest.mark.parametrize("names", [["A", "B", "C"], [7, 8, 9]])
def test_series_in_one_table_are_named_by_their_column(tmp_path: Path, names: list[object]) -> None:
    path = write(tmp_path, day=np.repeat(DAYS[:100], 3), open=[1, 1, 0] * 100, shop=names * 100, sales=VALUES)
    seen = look(path)
    assert seen.series_column == "shop"
    assert seen.target == "sales"
    assert "3 series in one table, named by shop" in seen.findings[0]
    assert "100 rows each" in seen.findings[0]


def test_what_looks_wrong_is_said(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[[3, 9, 27]] = -9999
    values[[30, 40]] = np.nan
    path = write(tmp_path, date=DAYS, price=VALUES, tomorrow=np.r_[VALUES[1:], 0], sensor=values, level=7.5)
    warnings = look(path).warnings
    assert any(text.startswith("tomorrow is price of 1 step later") for text in warnings)
    assert any(text.startswith("sensor is -9999 in 3 rows") for text in warnings)
    assert "level is constant." in warnings
    seen = look(write(tmp_path, "sensor.csv", date=DAYS, sensor=values))
    assert "2 cells are empty in sensor: see --missing." in seen.warnings
    assert seen.command().endswith("--missing fill")


def test_dates_and_times_in_columns_of_their_own_go_together(tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=300, freq="h")
    path = write(tmp_path, Date=hours.strftime("%d/%m/%Y"), Time=hours.strftime("%H:%M:%S"), power=VALUES)
    seen = look(path)
    assert seen.time == "Date,Time"
    assert seen.findings[0] == "Times: Date,Time, every hour."


def test_a_season_is_found_and_times_are_local(tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=300, freq="h")
    wave = VALUES + 40 * np.sin(2 * np.pi * np.arange(300) / 24)
    seen = look(write(tmp_path, at=[f"{hour.isoformat()}+02:00" for hour in hours], load=wave))
    assert str(seen.columns[0].lowest).startswith("2024-01-01T00:00:00")
    assert any(text.startswith("Season of 24 steps: a day") for text in seen.findings)


def test_newest_row_first(tmp_path: Path) -> None:
    seen = look(write(tmp_path, date=DAYS[::-1], v=VALUES, yesterday=np.r_[VALUES[1:], 0]))
    assert not seen.warnings  # the row below is the day before
    assert any("newest row comes first" in text for text in seen.findings)


def test_no_times_and_nothing_but_text(tmp_path: Path) -> None:
    seen = look(write(tmp_path, name=["a", "b", "c"], empty=[None] * 3))
    assert seen.findings == ("No column holds times: rows are taken in their order.",)
    assert [column.kind for column in seen.columns] == ["text", "empty"]
    assert seen.command().endswith("--target COLUMN")


def test_the_command_line_shows_it(call: Callable[..., Result], tmp_path: Path) -> None:
    path = write(tmp_path, date=DAYS, sales=VALUES)
    shown = call("datasets", "--csv", str(path))
    assert "shop.csv: 300 rows of 2 columns" in shown.output
    assert f"grubench compare --csv {path} --time date --target sales" in shown.output
    for command in ("compare", "train"):
        refused = call(command, str(path))
        assert refused.exit_code == 2
        assert "is a table, not a preset" in refused.output
        assert f"--csv {path} --time date --target sales" in refused.output


def test_what_looks_wrong_stands_above_a_comparison(call: Callable[..., Result], tmp_path: Path) -> None:
    path = write(tmp_path, v=VALUES, future=np.r_[VALUES[2:], 0, 0])
    words = ("--csv", str(path), "--target", "v", "--features", "future", "--epochs", "1", "--units", "2")
    shown = call("compare", *words, "--lookback", "4", "--stride", "40", "--seeds", "1", "--in-process")
    assert "future is v of 2 steps later" in shown.output


def test_flags_that_say_how_the_file_is_written(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("day;price\n" + "".join(f"{day:02}/01/2026;1,{day**2:03}\n" for day in range(1, 12)))
    flags = ["--decimal", ",", "--time-format", "%d/%m/%Y"]
    shown = call("datasets", "--csv", str(path), *flags).stdout
    assert "--decimal , --time-format %d/%m/%Y --time day --target price" in " ".join(shown.split())
    assert call("datasets", "--decimal", ",").exit_code == 2


@pytest.mark.parametrize(
    ("header", "row", "time"),
    [
        ("date,hour,kW", "2026-01-{day:02},{hour},{hour}.5", "date,hour"),
        ("Date,Time,kW", "1/{day}/2026,{hour:02}:30 AM,{hour}.5", "Date,Time"),
        ("year,month,day,hour,kW", "2026,1,{day},{hour},{hour}.5", "year,month,day,hour"),
    ],
)
def test_parts_of_a_time_go_together(tmp_path: Path, header: str, row: str, time: str) -> None:
    path = tmp_path / "my.csv"
    rows = [row.format(day=day, hour=hour) for day in range(11, 19) for hour in range(1, 12)]
    path.write_text("\n".join([header, *rows]))
    found = look(path)
    assert (found.time, found.target) == (time, "kW")


def test_the_numbers_of_rows_are_no_target(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("".join(f"{row},{row % 7}.5\n" for row in range(1, 40)))
    assert look(path).target == "column2"


def test_a_cell_that_keeps_a_column_from_being_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    rows = [f"{year}-01-01,{year}" for year in range(1950, 2010)]
    path.write_text("\n".join(["date,price", *rows, "2026-01-32,30", "2026-02-01,3x"]))
    warnings = " ".join(look(path).warnings)
    assert "column 'date', data row 61: '2026-01-32' is not" in warnings
    assert "column 'price', data row 62: '3x' is not a number" in warnings


def test_points_that_may_stand_between_thousands_are_told(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("day;price\n" + "".join(f"a;{row}\n" for row in range(1000)) + "b;1.200\n")
    assert "price: '1.200' can be read as 1200 and as 1.200" in " ".join(look(path).warnings)


def test_the_command_quotes_a_name_with_a_comma(
    call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Experiment] = []

    def compare(spec: Experiment, **_: object) -> None:
        asked.append(spec)
        raise UsageError("read")

    monkeypatch.setattr(api, "compare", compare)
    path = tmp_path / "my.csv"
    path.write_text('day,"load, MW"\n' + "".join(f"a,{row % 7}\n" for row in range(60)))
    command = look(path).command()
    assert command.endswith("""--target '"load, MW"'""")
    assert "read" in call(*shlex.split(command)[1:], "--lookback", 6).output
    (spec,) = asked
    assert spec.data.target == ("load, MW",)
    assert datasets.load(spec.data, "my").series[0].target.tolist() == [row % 7 for row in range(60)]


def test_the_command_names_codes_of_the_target_as_missing(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[[3, 9, 27]] = -9999
    path = write(tmp_path, date=DAYS, sensor=values)
    seen = look(path)
    assert seen.codes == ("-9999",)
    assert shlex.split(seen.command())[-4:] == ["--na", "-9999", "--missing", "fill"]
    assert inspect_table(path, Data(file=str(path), na=("-9999",)), max_mb=500).command().count("--na ") == 1


CLOCK = np.arange(300) * 0.5
CLOCKS = [
    CLOCK,
    np.arange(1, 301),
    np.linspace(0, 1, 300).round(6),
    (np.arange(300) / 3).round(2),
    CLOCK + np.random.default_rng(0).normal(0, 1e-3, 300).round(4),
    np.where(CLOCK > 70, CLOCK + 9, CLOCK),
]


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("name", ["seconds", "value"])
def test_a_clock_is_no_target(tmp_path: Path, clock: np.ndarray, name: str) -> None:
    seen = look(write(tmp_path, **{name: clock, "temperature": VALUES}))
    assert seen.target == "temperature"
    assert any(text.startswith(f"{name} rises in equal steps") for text in seen.findings)
    assert any(f"--time {name} --time-format s" in text for text in seen.findings)
    assert look(write(tmp_path, **{name: clock})).command().endswith("--target COLUMN")


def test_what_rises_in_unequal_steps_is_a_target(tmp_path: Path) -> None:
    assert look(write(tmp_path, meter=VALUES.cumsum(), temperature=VALUES)).target == "meter"


@pytest.mark.parametrize("file", ["shop.csv", "shop.xlsx"])
@pytest.mark.parametrize("words", [["Total"], ["Grand total", "Average"]])
def test_a_row_of_totals_is_named_and_hides_nothing(tmp_path: Path, file: str, words: list[str]) -> None:
    day = [*np.repeat(DAYS[:100], 3), *words]
    columns = {
        "Day": day,
        "shop": [*["A", "B", "C"] * 100, *[None] * len(words)],
        "sales": [*VALUES, *[9e4] * len(words)],
    }
    path = tmp_path / file
    frame = pd.DataFrame(columns)
    frame.to_csv(path, index=False) if file.endswith("csv") else frame.to_excel(path, index=False)
    seen = look(path)
    assert (seen.time, seen.series_column, seen.target, seen.is_settled) == ("Day", "shop", "sales", False)
    for row, word in enumerate(words, 301):
        assert any(f"data row {row}: '{word}' is no time, and looks like" in text for text in seen.warnings)


def test_a_row_of_totals_below_years(tmp_path: Path) -> None:
    seen = look(write(tmp_path, year=[*range(1990, 2020), "Total"], sales=[*VALUES[:30], VALUES[:30].sum()]))
    assert (seen.time, seen.is_settled) == ("year", False)


def test_names_in_a_column_of_text_are_no_totals(tmp_path: Path) -> None:
    seen = look(write(tmp_path, date=DAYS, shop=[*["A1"] * 299, "Total"], sales=VALUES))
    assert seen.is_settled
    assert not seen.warnings


def test_a_decimal_sign_to_be_decided_is_left_open_in_the_command(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("day,price\n" + "".join(f'{day},"{10 + row % 7},{row % 9}00"\n' for row, day in enumerate(DAYS)))
    seen = look(path)
    assert not seen.is_settled
    words = shlex.split(seen.command())
    assert words[words.index("--decimal") + 1] == "SIGN"
    refused = call(*words[1:])
    assert refused.exit_code == 2
    assert "decimal" in refused.output
    assert "SIGN" not in inspect_table(path, Data(file=str(path), decimal=","), max_mb=500).command()


@pytest.mark.parametrize("shops", [1, 3])
def test_a_date_format_to_be_decided_is_left_open_in_the_command(tmp_path: Path, shops: int) -> None:
    days = [f"{day:02}/{month:02}/{year}" for year in (2023, 2024) for month in range(1, 13) for day in range(1, 13)]
    names = [f"shop{shop}" for shop in range(shops)] * len(days)
    path = write(tmp_path, day=np.repeat(days, shops), shop=names, sales=np.resize(VALUES, len(names)))
    seen = look(path)
    assert (seen.time, seen.series_column, seen.is_settled) == ("day", "shop" if shops > 1 else "", False)
    assert "--time-format FORMAT --time day" in seen.command()
    said = inspect_table(path, Data(file=str(path), time_format="%d/%m/%Y"), max_mb=500)
    assert said.is_settled
    assert "FORMAT" not in said.command()


def test_a_date_format_to_be_decided_beside_times_of_the_day(tmp_path: Path) -> None:
    rows = [(f"{day:02}/{month:02}/2024", f"{hour:02}:00") for month in (1, 2) for day in (1, 2) for hour in range(24)]
    path = write(tmp_path, date=[date for date, _ in rows], clock=[time for _, time in rows], load=VALUES[: len(rows)])
    seen = look(path)
    assert (seen.time, seen.series_column) == ("date,clock", "")


def test_a_table_of_which_nothing_is_left_open_is_settled(tmp_path: Path) -> None:
    seen = look(write(tmp_path, date=DAYS, sales=VALUES))
    assert seen.is_settled
    assert not seen.undecided


def test_numbers_but_for_a_text_are_the_target_and_the_flag_that_takes_it_for_missing_is_named(tmp_path: Path) -> None:
    cells = [str(value) for value in VALUES]
    cells[5], cells[200] = "n/a", "error"
    seen = look(write(tmp_path, date=DAYS, load=cells, flag=[0, 1, 0] * 100))
    assert seen.target == "load"
    assert not seen.is_settled
    (warning,) = [text for text in seen.warnings if "load" in text]
    assert "data row 201: 'error' is not a number" in warning
    assert "say --na n/a,error if" in warning
    mended = inspect_table(seen.path, Data(file=str(seen.path), na=("n/a", "error")), max_mb=500)
    assert (mended.target, mended.is_settled) == ("load", True)
