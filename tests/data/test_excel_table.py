"""Excel files: sheets, headers and types as people write them, within the same bounds as other tables."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from grubench.data import datasets
from grubench.data.datasets import excel_table
from grubench.data.series import Series
from grubench.errors import DataError, GrubenchError, UsageError
from grubench.spec.sections import Data

DAYS = [dt.datetime(2026, 1, day) for day in (1, 2, 3)]


def write(folder: Path, rows: list[list], **others: list[list]) -> Path:
    book = openpyxl.Workbook()
    for title, content in {"Data": rows, **others}.items():
        sheet = book.create_sheet(title)
        for row in content:
            sheet.append(row)
    del book[book.sheetnames[0]]
    book.save(folder / "my.xlsx")
    return folder / "my.xlsx"


def read(path: Path, *, max_mb: int = 500, **settings: object) -> Series:
    spec = Data(file=str(path), **({"target": ("price",), "time": "date"} | settings))  # type: ignore[arg-type]
    return datasets.load(spec, "my", max_mb=max_mb).series[0]


PRICES = list(zip(DAYS, (1, 2.5, 3), strict=True))
GERMAN = list(zip(DAYS, ("1,0 €", "2,5 €", "3 €"), strict=True))


@pytest.mark.parametrize(
    "rows",
    [
        [["date", "price"], *([day, price] for day, price in PRICES)],
        [["A report"], [], ["date", " price "], *([day, str(price)] for day, price in PRICES), [None, None]],
        [["date", "price"], [None, "EUR"], *([day, price] for day, price in PRICES)],
        [["date", "price"], [DAYS[0], 1], [DAYS[1], "2,5"], [], [DAYS[2], "3,0"]],
        [["date", "price", None], *([f"{day:%d.%m.%Y}", price, ""] for day, price in GERMAN)],
    ],
)
def test_tables_are_read_as_people_write_them(tmp_path: Path, rows: list[list]) -> None:
    series = read(write(tmp_path, rows))
    assert series.target.tolist() == [1, 2.5, 3]
    assert series.time.astype("datetime64[D]").astype(str).tolist() == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert "sheet 'Data' of an Excel file" in series.notes[0]


def test_the_sheet_is_chosen_by_name_or_number(tmp_path: Path) -> None:
    rows = [["date", "price"], [DAYS[0], 1], [DAYS[1], 2]]
    path = write(tmp_path, [["a remark"]], Prices=rows)
    for sheet in ("Prices", "2"):
        assert read(path, sheet=sheet).target.tolist() == [1, 2]
    with pytest.raises(UsageError, match="has no sheet 'Price'") as caught:
        read(path, sheet="Price")
    assert "It has: Data, Prices" in caught.value.remedy


def test_errors_among_numbers_are_missing_ones_and_shown(tmp_path: Path) -> None:
    path = write(tmp_path, [["date", "price"], [DAYS[0], 1], [DAYS[1], "#N/A"], [DAYS[2], 3.5]])
    series = read(path, missing="drop")
    assert series.target.tolist() == [1, 3.5]
    assert any("#N/A as missing" in note for note in series.notes)


def test_date_and_time_in_two_columns(tmp_path: Path) -> None:
    path = write(tmp_path, [["day", "clock", "price"], [DAYS[0], dt.time(9), 1], [DAYS[0], dt.time(10), 2]])
    assert read(path, time="day,clock").time.astype(str).tolist() == ["2026-01-01T09:00:00", "2026-01-01T10:00:00"]


def test_a_row_with_more_cells_than_the_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data row 2 has 3 cells"):
        read(write(tmp_path, [["date", "price"], [DAYS[0], 1], [DAYS[1], 2, 3]]))


class TestBounds:
    def test_what_unpacks_to_more_is_refused_before_it_is_parsed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(excel_table.importlib, "import_module", lambda name: pytest.fail("openpyxl was called"))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/worksheets/sheet1.xml", b" " * 2_000_000)
        (tmp_path / "my.xlsx").write_bytes(packed.getvalue())
        with pytest.raises(DataError, match="is too large: it has 2,000,000 bytes"):
            read(tmp_path / "my.xlsx", max_mb=1)

    def test_a_cell_far_below_the_others_is_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path, [["date", "price"], [DAYS[0], 1]])
        book = openpyxl.load_workbook(path)
        book.active["A1048576"] = 1
        book.save(path)
        with pytest.raises(DataError, match="is too large"):
            read(path, max_mb=1)

    @pytest.mark.parametrize("content", [b"date,price\n", b"PK\x05\x06" + bytes(18)])
    def test_what_is_no_excel_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "my.xlsx").write_bytes(content)
        with pytest.raises(GrubenchError, match="cannot be read as"):
            read(tmp_path / "my.xlsx")

    def test_other_spreadsheets_are_refused_by_name(self, tmp_path: Path) -> None:
        (tmp_path / "my.xls").write_bytes(b"x")
        with pytest.raises(UsageError, match=r"files that end in \.xls are not read"):
            read(tmp_path / "my.xls")

    def test_without_its_library_the_extra_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path, [["date", "price"], [DAYS[0], 1]])
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(UsageError, match="extra `excel`"):
            read(path)


def test_a_code_that_is_said_is_missing_among_numbers_too(tmp_path: Path) -> None:
    days = [dt.datetime(2026, 1, 1) + dt.timedelta(days=day) for day in range(62)]
    prices = [*range(60), -999, 61.5]
    path = write(tmp_path, [["date", "price"], *map(list, zip(days, prices, strict=True))])
    series = read(path, na=("-999",), missing="drop")
    assert (len(series), series.empty, series.target.min()) == (61, 1, 0)
