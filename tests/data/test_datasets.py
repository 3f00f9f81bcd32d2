"""Datasets: generated ones by their recipe, files by their faults, downloads by their checksums."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grubench.data import datasets
from grubench.data.datasets import catalog, download, timestamps
from grubench.data.series import Dataset
from grubench.errors import DataError, SpecError, UsageError
from grubench.spec.sections import TIME_FEATURES, Data


def read(path: Path, **settings: object) -> Dataset:
    return datasets.load(Data(file=str(path), **({"target": ("price",)} | settings)), path.stem)  # type: ignore[arg-type]


def write(folder: Path, text: str, name: str = "my.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


class TestGenerated:
    def test_activities_follow_the_recipe(self) -> None:
        made = datasets.load(Data(dataset="activities"), "activities").series
        assert [len(series) for series in made] == [3584] * 10
        first = made[0].target
        busy = np.tile([True] * 5 + [False] * 2, 512)
        assert first[busy].min() >= 1
        assert first[~busy].max() <= 0.04 + 1e-12
        np.testing.assert_array_equal(np.unique(np.round(first % 1 * 100)), [0, 1, 2, 3, 4])
        # Series 5 has no noise of its own: the first, rolled by ten days, with the trend, times five.
        trend = np.arange(1, 3585) * 0.0001
        np.testing.assert_allclose(made[5].target, (np.roll(first, 10) + trend) * 5)
        for number, most in {1: 0.08, 2: 0.14, 3: 0.49, 4: 0.19, 6: 0.04, 8: 0.39}.items():
            noise = made[number].target / number - trend - np.roll(first, 2 * number)
            assert noise.max() == pytest.approx(most)
            assert noise.min() == pytest.approx(0)

    def test_activities_are_like_the_studys_file(self, real_data: Path) -> None:
        theirs = np.loadtxt(real_data / "activities" / "activities.csv", delimiter=",")
        ours = np.array([series.target for series in datasets.load(Data(dataset="activities"), "a").series])
        np.testing.assert_allclose(ours.mean(axis=1), theirs.mean(axis=1), rtol=0.01)
        np.testing.assert_allclose(ours.std(axis=1), theirs.std(axis=1), rtol=0.01)

    def test_waves_follow_the_recipe(self) -> None:
        made = datasets.load(Data(dataset="waves"), "waves").series
        assert len(made) == 50
        assert {len(series) for series in made} == {20_001}
        values = np.array([series.target for series in made])
        assert values.mean() == pytest.approx(100, abs=0.01)
        # |cos| and |sin| have a mean square of 1/2 each, a sine wave too: variance 1/4 + 1/4 + 0.01.
        assert values.var() == pytest.approx(0.51, rel=0.05)

    @pytest.mark.parametrize("name", ["activities", "waves"])
    def test_the_generator_seed_decides(self, name: str) -> None:
        one, same, other = (datasets.load(Data(dataset=name, generator_seed=seed), name) for seed in (1, 1, 2))
        assert one.fingerprint() == same.fingerprint() != other.fingerprint()


class TestClock:
    @given(st.lists(st.integers(-(10**9), 4 * 10**9), min_size=1, max_size=30))
    def test_features_are_pandas(self, seconds: list[int]) -> None:
        stamps = np.array(seconds, "datetime64[s]")
        index = pd.DatetimeIndex(stamps)
        theirs = np.column_stack([index.hour, index.day_of_week, index.month, index.day_of_year])
        np.testing.assert_array_equal(timestamps.compute_time_features(stamps, TIME_FEATURES), theirs)

    def arranged(self, hours: list[int], **rules: str):
        stamps = np.array(hours, "datetime64[h]")
        return timestamps.arrange("s", stamps, np.array(hours, float)[:, None] * 10, ("x",), Data(**rules))

    def test_rows_are_sorted(self) -> None:
        assert self.arranged([3, 1, 2]).target.tolist() == [10, 20, 30]

    def test_duplicates_and_gaps_are_counted_and_kept_by_default(self) -> None:
        made = self.arranged([0, 1, 1, 2, 5, 6])
        assert (made.duplicated, made.missing) == (1, 2)
        assert made.target.tolist() == [0, 10, 20, 50, 60]

    @pytest.mark.parametrize("hours", [[5], [5, 5]])
    def test_a_single_time_has_no_gap(self, hours: list[int]) -> None:
        assert self.arranged(hours, gaps="error").missing == 0

    @pytest.mark.parametrize(
        ("rule", "values"), [("first", [1, 2, 4]), ("last", [1, 3, 4]), ("mean", [1, 2.5, 4]), ("keep", [1, 2, 3, 4])]
    )
    def test_the_rule_for_duplicates(self, rule: str, values: list[float]) -> None:
        stamps = np.array([0, 1, 1, 2], "datetime64[h]")
        made = timestamps.arrange("s", stamps, np.array([[1.0], [2], [3], [4]]), ("x",), Data(duplicates=rule))
        assert made.target.tolist() == values

    def test_a_gap_is_filled_with_the_value_before(self) -> None:
        made = self.arranged([0, 1, 2, 5], gaps="fill")
        assert made.target.tolist() == [0, 10, 20, 20, 20, 50]
        assert made.time.tolist() == np.arange(6).astype("datetime64[h]").astype("datetime64[s]").tolist()

    def test_kept_duplicates_stay_when_gaps_are_filled(self) -> None:
        stamps = np.array([0, 1, 1, 3], "datetime64[h]")
        rules = Data(duplicates="keep", gaps="fill")
        made = timestamps.arrange("s", stamps, np.array([[1.0], [2], [3], [4]]), ("x",), rules)
        assert made.target.tolist() == [1, 2, 3, 3, 4]

    def test_tenths_of_a_second_are_no_duplicates(self) -> None:
        stamps = np.datetime64("2026-01-01T00:00:00") + np.array([0, 100, 200, 500]) * np.timedelta64(1, "ms")
        made = timestamps.arrange("s", stamps, np.arange(4.0)[:, None], ("x",), Data(gaps="fill"))
        assert (made.duplicated, made.missing) == (0, 2)
        assert made.target.tolist() == [0, 1, 2, 2, 2, 3]
        assert np.diff(made.time).tolist() == [np.timedelta64(100_000, "us").item()] * 5

    def test_rows_know_where_they_come_from_and_which_were_filled(self) -> None:
        made = self.arranged([3, 0, 1], gaps="fill")
        assert made.filled.tolist() == [False, False, True, False]
        assert made.source_row.tolist() == [2, 3, 3, 1]

    @pytest.mark.parametrize(
        ("rule", "filled"),
        [("first", [False, True]), ("last", [True, True]), ("mean", [True, True]), ("keep", [False, True, True])],
    )
    def test_a_duplicate_is_filled_where_its_value_is(self, rule: str, filled: list[bool]) -> None:
        stamps, values = np.array([0, 0, 1], "datetime64[h]"), np.array([[1.0], [1], [1]])
        copies = np.array([False, True, True])
        made = timestamps.arrange("s", stamps, values, ("x",), Data(duplicates=rule), filled=copies)
        assert made.filled.tolist() == filled

    @pytest.mark.parametrize("rules", [{"duplicates": "error"}, {"gaps": "error"}])
    def test_they_can_be_refused(self, rules: dict[str, str]) -> None:
        with pytest.raises(DataError, match=f"data.{next(iter(rules))}: series s"):
            self.arranged([0, 1, 1, 2, 5], **rules)


class TestTable:
    def test_columns_become_inputs(self, tmp_path: Path) -> None:
        path = write(tmp_path, "date,price,volume\n2026-01-02,2,20\n2026-01-01,1,10\n2026-01-03,3,30\n")
        made = read(path, time="date", features=("volume",), time_features=("weekday",)).series[0]
        assert made.columns == ("price", "volume", "weekday")
        assert made.values.tolist() == [[1, 10, 3], [2, 20, 4], [3, 30, 5]]
        assert made.name == "my"

    def test_a_long_file_of_few_columns_is_not_taken_for_a_wide_one(self, tmp_path: Path) -> None:
        path = write(tmp_path, "price,volume\n" + "1,2\n" * 100_001)
        assert len(read(path).series[0]) == 100_001

    def test_several_targets_are_series(self, tmp_path: Path) -> None:
        made = read(write(tmp_path, "a,b\n1,2\n3,4\n"), target=("a", "b"))
        assert [(series.name, series.target.tolist()) for series in made.series] == [("a", [1, 3]), ("b", [2, 4])]

    def test_a_long_file_is_split_by_name(self, tmp_path: Path) -> None:
        made = read(write(tmp_path, "id,price\nx,1\ny,2\nx,3\n"), series_column="id")
        assert [(series.name, series.target.tolist()) for series in made.series] == [("x", [1, 3]), ("y", [2])]

    def test_a_series_may_be_called_na(self, tmp_path: Path) -> None:
        made = read(write(tmp_path, "id,price\nNA,1\nnull,2\nNA,3\n"), series_column="id")
        assert [(series.name, series.target.tolist()) for series in made.series] == [("NA", [1, 3]), ("null", [2])]

    def test_a_comma_at_the_end_of_each_row_shifts_nothing(self, tmp_path: Path) -> None:
        path = write(tmp_path, "price,volume\n1,10,\n2,20,\n")
        assert read(path).series[0].target.tolist() == [1, 2]

    def test_parquet_with_its_stamps_as_the_index(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"price": [1.0, 2]}, index=pd.date_range("2026-01-01", periods=2, name="date"))
        frame.to_parquet(tmp_path / "my.parquet")
        assert read(tmp_path / "my.parquet", time="date").series[0].target.tolist() == [1, 2]

    def test_the_form_of_time_stamps_can_be_said(self, tmp_path: Path) -> None:
        path = write(tmp_path, "date,price\n02-01-13,2\n01-01-13,1\n")
        made = read(path, time="date", time_format="%d-%m-%y").series[0]
        assert made.time.astype(str).tolist() == ["2013-01-01T00:00:00", "2013-01-02T00:00:00"]
        assert made.target.tolist() == [1, 2]

    def test_parquet_is_read_as_csv_is(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"date": pd.date_range("2026-01-01", periods=3), "price": [1.0, 2, 3]})
        frame.to_parquet(tmp_path / "my.parquet")
        frame.to_csv(tmp_path / "my.csv", index=False)
        one, other = (read(tmp_path / f"my.{kind}", time="date") for kind in ("parquet", "csv"))
        assert one.fingerprint() == other.fingerprint()

    def test_a_byte_order_mark_is_no_part_of_a_name(self, tmp_path: Path) -> None:
        assert read(write(tmp_path, "\ufeffprice\n1\n2\n")).series[0].target.tolist() == [1, 2]

    def test_offsets_from_utc_are_put_on_one_clock(self, tmp_path: Path) -> None:
        path = write(tmp_path, "date,price\n2026-10-25T02:30+02:00,1\n2026-10-25T02:30+01:00,2\n")
        assert read(path, time="date").series[0].time.astype(str).tolist() == [
            "2026-10-25T00:30:00",
            "2026-10-25T01:30:00",
        ]

    @pytest.mark.parametrize("time", ["", "date"])
    @pytest.mark.parametrize(
        ("rule", "filled", "rows", "dropped"),
        [("drop", [False, False], [1, 4], 2), ("fill", [False, True, False, False], [1, 2, 3, 4], 0)],
    )
    def test_empty_cells_are_counted_and_filled_targets_marked(
        self, tmp_path: Path, time: str, rule: str, filled: list[bool], rows: list[int], dropped: int
    ) -> None:
        days = "2026-01-01,1,1 2026-01-02,,2 2026-01-03,3, 2026-01-04,4,4".replace(" ", "\n")
        path = write(tmp_path, f"date,price,volume\n{days}\n")
        made = read(path, time=time, features=("volume",), missing=rule).series[0]
        assert made.filled.tolist() == filled
        assert made.source_row.tolist() == rows
        assert (made.empty, made.dropped) == (2, dropped)

    @pytest.mark.parametrize(
        ("rule", "values"), [("drop", [[1, 1], [4, 4]]), ("fill", [[1, 1], [1, 2], [3, 2], [4, 4]])]
    )
    def test_the_rule_for_empty_cells(self, tmp_path: Path, rule: str, values: list) -> None:
        path = write(tmp_path, "price,volume\n1,1\n,2\n3,\n4,4\n")
        assert read(path, features=("volume",), missing=rule).series[0].values.tolist() == values

    def test_an_empty_cell_at_the_start_has_nothing_to_be_filled_with(self, tmp_path: Path) -> None:
        assert read(write(tmp_path, "i,price\n0,\n1,2\n2,\n"), missing="fill").series[0].target.tolist() == [2, 2]

    @pytest.mark.parametrize(
        ("text", "settings", "error", "named"),
        [
            ("id,price\nx,1\n,2\n", {"series_column": "id"}, DataError, "data row 2 names no series"),
            ("price\n1\n", {"target": ("prize",)}, UsageError, "data.target: my.csv has no column 'prize'"),
            ("price\n1\n", {"features": ("volume",)}, UsageError, "data.features: my.csv has no column 'volume'"),
            ("price\n1\n", {"time": "date"}, UsageError, "data.time: my.csv has no column 'date'"),
            ("price\n1\n", {"series_column": "id"}, UsageError, "data.series_column"),
            ("price\n1\ntwo\n", {}, DataError, "my.csv, column 'price', data row 2: 'two' is not a number"),
            ("price\n1\ninf\n", {}, DataError, "data row 2: inf is infinite"),
            (f"price\n{2**53}\n{2**53 + 1}\n", {}, DataError, "'price' has whole numbers beyond 2^53"),
            ("price\n1\n1e999\n", {}, DataError, "data row 2: inf is infinite"),
            ("i,price\n0,1\n1,\n", {}, DataError, "data row 2 is empty (NaN); 1 empty cell in all"),
            ("i,price\n0,\n1,\n", {"missing": "drop"}, DataError, "column 'price' is empty"),
            ("price\n", {}, DataError, "holds no rows"),
            ("", {}, DataError, "is empty"),
            ('a,price\n"x,1\n', {}, DataError, "cannot be read as CSV"),
            ("date,price\nsoon,1\n", {"time": "date"}, DataError, "'soon' is not an ISO timestamp"),
            ("date,price\n13-05-14,1\n", {"time": "date"}, DataError, "'13-05-14' and all others can be read as"),
            ("date,price\n01-05-13,1\n", {"time": "date"}, DataError, "'01-05-13' and all others can be read as"),
            (
                "date,price\n2026-01-01,1\n99,1\n",
                {"time": "date"},
                DataError,
                "data row 2: '99' is not an ISO timestamp",
            ),
            ("date,price\n1,1\n", {"time": "date"}, DataError, "holds numbers, not timestamps"),
            ("price\n1\n", {"time_features": ("hour",)}, SpecError, "data.time_features: my.csv has no timestamps"),
            ("id,a,b\n1,1,1\n", {"target": ("a", "b"), "series_column": "id"}, SpecError, "data.target"),
        ],
    )
    def test_faults_are_named_by_place(
        self, tmp_path: Path, text: str, settings: dict, error: type[Exception], named: str
    ) -> None:
        with pytest.raises(error) as caught:
            read(write(tmp_path, text), **settings)
        assert named in str(caught.value)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"there is no file .*absent\.csv"):
            read(tmp_path / "absent.csv")

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "my.csv"
        path.write_bytes(b"price\n\xff\xfe\x00\n")
        with pytest.raises(DataError, match="cannot be read as CSV"):
            read(path)

    def test_text_is_no_parquet(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="cannot be read as Parquet"):
            read(write(tmp_path, "price\n1\n", "my.parquet"))

    def test_parquet_without_its_library_names_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(UsageError, match="extra `parquet`"):
            read(write(tmp_path, "PAR1", "my.parquet"))


class TestDownload:
    @pytest.fixture
    def source(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> catalog.Source:
        """A source whose publisher refuses every connection, and an empty cache."""
        monkeypatch.delenv(download.VARIABLE, raising=False)
        monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
        digest = "109d122f7b485555c609eecdec2cd5a03172e0a08acd358d863acc93eb452585"
        return replace(catalog.CATALOG["energy"], url="https://127.0.0.1:9/data/", files={"AEP_hourly.csv": digest})

    def test_without_a_network_the_error_says_what_to_do(self, source: catalog.Source, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            download.fetch(source)
        said = str(caught.value)
        for part in ("AEP_hourly.csv", source.url, str(tmp_path / "cache" / "energy"), download.VARIABLE):
            assert part in said
        assert not list((tmp_path / "cache").rglob("*.csv"))

    def test_a_damaged_file_names_both_checksums(
        self, source: catalog.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(download.VARIABLE, str(tmp_path))
        (tmp_path / "energy").mkdir()
        (tmp_path / "energy" / "AEP_hourly.csv").write_text("damaged")
        with pytest.raises(DataError) as caught:
            download.fetch(source)
        assert source.files["AEP_hourly.csv"] in caught.value.message
        assert "its SHA-256 is " in caught.value.message

    def test_every_download_is_over_https_and_checked(self) -> None:
        for source in catalog.CATALOG.values():
            assert source.is_generated or source.url.startswith("https://")
            assert all(len(digest) == 64 for digest in source.files.values())


def test_real_files_hold_what_the_articles_say(real_data: Path) -> None:
    energy = datasets.load(Data(dataset="energy", duplicates="keep", time_features=TIME_FEATURES), "energy")
    assert sum(len(series) for series in energy.series) == 1_090_167
    assert max(series.duplicated for series in energy.series) == 4
    assert max(series.missing for series in energy.series) == 30
    bitcoin = datasets.load(Data(dataset="bitcoin", target=("Close",)), "bitcoin").series[0]
    assert (len(bitcoin), str(bitcoin.time[0]), str(bitcoin.time[-1])) == (
        2984,
        "2013-05-01T00:00:00",
        "2021-07-01T00:00:00",
    )
    bankex = datasets.load(Data(dataset="bankex"), "bankex")
    assert [len(series) for series in bankex.series] == [3032] * 10
