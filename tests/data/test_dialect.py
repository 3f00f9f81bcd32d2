"""How text files write their tables: what is found out, what is refused, and what flags say."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from grubench.data import datasets
from grubench.data.datasets import tables
from grubench.data.series import Dataset
from grubench.errors import DataError, UsageError
from grubench.spec.sections import Data

VALUES = [1.5, 2.25, 1234.75, -3.0]


def write(folder: Path, content: str | bytes, name: str = "my.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **settings: object) -> Dataset:
    return datasets.load(Data(file=str(path), **({"target": ("price",)} | settings)), "my")  # type: ignore[arg-type]


def values(path: Path, **settings: object) -> list[float]:
    return read(path, **settings).series[0].target.tolist()


def describe(path: Path) -> str:
    return tables.open_table(path).dialect.describe()


PLAIN = "day,price\na,1.5\nb,2.25\nc,1234.75\nd,-3\n"
EURO = "day;price\na;1,5\nb;2,25\nc;1.234,75\nd;-3\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN, "UTF-8, separated by commas, header in line 1"),
        (PLAIN.replace(",", "\t"), "UTF-8, separated by tabs, header in line 1"),
        (PLAIN.replace(",", "|"), "separated by bars"),
        (PLAIN.replace(",", "   "), "separated by blanks"),
        (EURO, "separated by semicolons, decimal comma, point between thousands"),
        (EURO.replace("1.234,75", "1 234,75"), "decimal comma, blank between thousands"),
        (EURO.replace("1.234,75", "1\u202f234,75"), "decimal comma, blank between thousands"),
        (EURO.replace("1.234,75", "1\u2009234,75"), "decimal comma, blank between thousands"),
        (EURO.replace("1.234,75", "1'234,75"), "decimal comma, apostrophe between thousands"),
        (PLAIN.replace("1234.75", '"1,234.75"'), "comma between thousands"),
        (PLAIN.replace("1234.75", '"$1,234.75"'), "comma between thousands, $ left out"),
        (PLAIN.replace("-3", "(3.00)"), "UTF-8"),
        ("\ufeff" + PLAIN, "Read as UTF-8"),
        (PLAIN.replace("day", "Größe").encode("utf-16"), "Read as UTF-16"),
        (PLAIN.replace("day", "Größe").encode("utf-16-le"), "Read as UTF-16-LE"),
        (PLAIN.replace("day", "Größe €").encode("cp1252"), "Read as Windows-1252"),
        (
            "sep=;\r\n" + EURO.replace("\n", "\r\n"),
            "semicolons, decimal comma, point between thousands, header in line 2",
        ),
        ("Report of 2026\nStation: Berlin, Mitte\n\n" + PLAIN, "header in line 4"),
        ("# made by a logger\n" + PLAIN, "header in line 2"),
        (PLAIN.replace("price\n", "price\n,kW\n"), "header in line 1, data from line 3"),
        (PLAIN.replace("price\n", "price\n[d],[kW]\n\n"), "header in line 1, data from line 4"),
        (
            '"TOA5","CR1000","CR1000"\n"day","price"\n"TS","kW"\n"","Avg"\n' + PLAIN.split("\n", 1)[1],
            "header in line 2, data from line 5",
        ),
        ("Shop,Shop\n" + PLAIN, "header in line 2"),
        (PLAIN.replace("\n", ",,\n"), "header in line 1"),
        (PLAIN.replace("\n", ",,\n").replace("price,,", "price"), "header in line 1"),
        (PLAIN + ",\n,\n\n", "header in line 1"),
        (PLAIN.replace("day,price", " day , price "), "header in line 1"),
    ],
)
def test_what_is_found_out_is_shown_and_read(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = write(tmp_path, content)
    assert said in describe(path)
    assert values(path) == VALUES


def test_packed_files_are_no_different(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(EURO.encode("utf-16")), "my.csv.gz")
    assert values(path) == VALUES


def test_percent_and_currency_signs_are_no_part_of_numbers(tmp_path: Path) -> None:
    assert values(write(tmp_path, "day,price\na,5 %\nb,12.5%\n")) == [5, 12.5]
    assert values(write(tmp_path, "day;price\na;1,50 €\nb;€ 2,25\n")) == [1.5, 2.25]
    assert values(write(tmp_path, "day,price\na,-$1.50\nb,$-2.25\n")) == [-1.5, -2.25]


@pytest.mark.parametrize("cells", [("$1.5", "€2.5"), ("5%", "2.5")])
def test_mixed_units_are_refused(tmp_path: Path, cells: tuple[str, str]) -> None:
    with pytest.raises(DataError, match="column 'price' mixes"):
        read(write(tmp_path, "day,price\na,{}\nb,{}\n".format(*cells)))


def test_empty_rows_between_others_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "date;clock;price\n01.05.2026;10:00;1,5\n;;\n01.05.2026;11:00;2,5\n;;\n01.05.2026;12:00;x\n")
    with pytest.raises(DataError, match="data row 5: 'x' is not a number"):
        read(path, time="date,clock")
    path.write_text(path.read_text().replace("x", "3,5"))
    series = read(path, time="date,clock").series[0]
    assert series.target.tolist() == [1.5, 2.5, 3.5]
    assert series.source_row.tolist() == [1, 3, 5]
    assert "2 rows without a time or a value: left out." in series.notes


def test_blanks_before_cells_are_seen_wherever_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "day,price\n" + "a,1\n" * 80_000 + 'b, "2"\n')
    assert values(path)[-1] == 2


def test_a_later_number_of_another_form_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"a;1.234,{number % 100:02d}\n" for number in range(2000))
    with pytest.raises(DataError, match=r"data row 2001: '1\.5' is not a number"):
        read(write(tmp_path, f"day;price\n{rows}b;1.5\n"))


def test_whole_numbers_with_blanks_between_thousands(tmp_path: Path) -> None:
    assert values(write(tmp_path, "day;price\na;1 517 000\nb;2 000\nc;3\n")) == [1_517_000, 2000, 3]


class TestDoubts:
    def test_a_point_that_is_first_seen_late_may_stand_between_thousands(self, tmp_path: Path) -> None:
        path = write(tmp_path, "day;price\n" + "a;5\n" * 1000 + "b;1.200\n")
        with pytest.raises(DataError, match=r"'1.200' can be read as 1200 and as 1.200") as caught:
            read(path)
        assert "--decimal" in caught.value.remedy
        assert values(path, decimal=",", thousands=".")[-1] == 1200
        assert values(path, decimal=".")[-1] == 1.2
        assert values(write(tmp_path, "day;price\n" + "a;5\n" * 1000 + "b;1.2005\n"))[-1] == 1.2005

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('day,price\na,"1,234"\nb,"2,345"\n', "'1,234' can be read as 1234 and as 1.234"),
            ("day;price\na;1.234\nb;2.345\n", r"'1\.234' can be read as 1234 and as 1\.234"),
            ("price;other\n1,5;1.5\n2,5;2.5\n", "other numbers of the file"),
            ("price;other\n1,5;1.5\n2,5;2.5\n1.5;2,5\n", "other numbers of the file"),
        ],
    )
    def test_numbers_that_can_be_read_in_two_ways_are_refused(self, tmp_path: Path, content: str, said: str) -> None:
        with pytest.raises(DataError, match=said) as caught:
            read(write(tmp_path, content), target=("price", "other") if "other" in content else ("price",))
        assert "--decimal" in caught.value.remedy

    def test_the_flags_tell(self, tmp_path: Path) -> None:
        path = write(tmp_path, 'day,price\na,"1,234"\nb,"2,345"\n')
        assert values(path, decimal=",") == [1.234, 2.345]
        assert values(path, thousands=",") == [1234, 2345]

    def test_columns_that_are_not_needed_may_be_in_doubt(self, tmp_path: Path) -> None:
        assert values(write(tmp_path, 'price,other\n1.5,"1,5"\n2.5,"2,5"\n')) == [1.5, 2.5]

    def test_three_decimals_between_commas_are_decimals(self, tmp_path: Path) -> None:
        assert values(write(tmp_path, "day,price\na,1.234\nb,2.345\n")) == [1.234, 2.345]

    def test_a_first_row_of_counted_numbers_may_be_a_header(self, tmp_path: Path) -> None:
        path = write(tmp_path, "0,1\n5,1.5\n6,2.5\n")
        with pytest.raises(DataError, match="line 1 can be a header or the first row of data") as caught:
            read(path)
        assert "--header" in caught.value.remedy
        assert values(path, header="1", target=("1",)) == [1.5, 2.5]
        assert values(path, header="none", target=("column2",)) == [1, 1.5, 2.5]

    def test_two_separators_that_fit_are_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a;b,c\nx;y,z\nx;y,z\n")
        with pytest.raises(DataError, match=r"commas or by semicolons|semicolons or by commas") as caught:
            read(path)
        assert "--separator" in caught.value.remedy


class TestRowsWithTooManyCells:
    @pytest.mark.parametrize(
        "content", ['"day" "price"\n"1" "a" 1.5\n"2" "b" 2.5\n', "day price\n2026-01-01 00:00 1\n2026-01-01 01:00 2\n"]
    )
    def test_a_header_with_a_name_less_between_blanks(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(DataError, match=r"data row 1 has 3 cells .* and the header in line 1 names 2: day, price"):
            read(write(tmp_path, content))

    @pytest.mark.parametrize(
        ("content", "row"),
        [
            ("day,price\n2026-01-01,100,04\n2026-01-02,100,46\n", 1),  # decimal commas without quotes
            ("day,price\n2026-01-01,100\n2026-01-02,100,46\n2026-01-03,5\n", 2),
            ('"day","price"\n"1","2026-01-01",5\n"2","2026-01-02",6\n', 1),  # row names, as R writes them
            ("price\n1,5\n2,5\n", 1),
            ("day,price\n" + "2026-01-01,1\n" * 3000 + "2026-01-01,1,,7\n", 3001),
            ("day,price,\n2026-01-01,100,04\n2026-01-02,100,46\n", 1),
            ("day,price\n2026-01-01,1\n2026-01-01,1,\n2026-01-01,1,2\n", 3),
        ],
    )
    def test_they_are_refused(self, tmp_path: Path, content: str, row: int) -> None:
        with pytest.raises(DataError, match=rf"my\.csv, data row {row} has \d cells"):
            read(write(tmp_path, content))

    def test_empty_ones_are_let_pass_wherever_they_are(self, tmp_path: Path) -> None:
        path = write(tmp_path, "day,price\n" + "a,1\n" * 3000 + "a,2,,,\n")
        assert values(path)[-1] == 2


class TestFlags:
    def test_no_header(self, tmp_path: Path) -> None:
        path = write(tmp_path, "2026-01-01,1.5\n2026-01-02,2.5\n")
        assert "no header: columns column1, column2" in describe(path)
        assert values(path, target=("column2",), time="column1") == [1.5, 2.5]

    def test_a_column_without_a_name_is_called_by_its_place(self, tmp_path: Path) -> None:
        assert values(write(tmp_path, '"",price\n1,5\n2,6\n'), features=("column1",)) == [5, 6]

    def test_of_two_rows_that_can_be_the_header_one_has_to_be_said(self, tmp_path: Path) -> None:
        path = write(tmp_path, "Station;Berlin\nUnit;cm\nday;price\na;1,5\nb;2,5\n")
        with pytest.raises(DataError, match="line 1 or 2 or 3 can be the header") as caught:
            read(path)
        assert "--header" in caught.value.remedy
        assert values(path, header="3") == [1.5, 2.5]

    def test_the_header_by_its_line(self, tmp_path: Path) -> None:
        path = write(tmp_path, "all,prices\nday,price\n1,5\n2,6\n")
        with pytest.raises(DataError, match="line 1 or 2 can be the header"):
            read(path)
        assert values(path, header="2") == [5, 6]
        path = write(tmp_path, "Price,Close\nTicker,A\nDate,\n2026-01-01,5\n2026-01-02,6\n")
        assert values(path, header="3", time="Date", target=("column2",)) == [5, 6]

    def test_texts_for_missing_numbers(self, tmp_path: Path) -> None:
        path = write(tmp_path, "day,price\na,1\nb,?\nc,3\nd,4\n")
        assert "? as missing" in describe(path)
        assert values(path, missing="drop") == [1, 3, 4]
        with pytest.raises(DataError, match="data row 2 is empty"):
            read(path)
        with pytest.raises(DataError, match=r"'\?' is not a number") as caught:
            read(path, na=("x",), missing="drop")
        assert "--na" in caught.value.remedy

    def test_a_text_that_is_first_seen_late_is_not_taken_for_missing(self, tmp_path: Path) -> None:
        path = write(tmp_path, "day,price\n" + "a,1\n" * 3000 + "a,NA\n")
        with pytest.raises(DataError, match="data row 3001: 'NA' is not a number"):
            read(path, missing="drop")
        assert len(values(path, missing="drop", na=("NA",))) == 3000

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"separator": "ab"}, "data.separator: 'ab' is not one character"),
            ({"encoding": "klingon"}, "data.encoding: there is no encoding 'klingon'"),
            ({"header": "99"}, "data.header: my.csv has no header in line 99"),
        ],
    )
    def test_wrong_ones_are_named(self, tmp_path: Path, settings: dict[str, str], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            read(write(tmp_path, PLAIN), **settings)

    def test_they_go_before_what_seems_right(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a,b;price\nc,d;1\ne,f;2\n")
        assert values(path, separator=";") == [1, 2]
        path = write(tmp_path, "day\tprice\na\t1\n")
        assert values(path, separator="tab") == [1]


def test_names_with_commas_and_blanks_can_be_given_as_flags(call, tmp_path: Path) -> None:
    path = write(tmp_path, '"load, MW" ,price \n' + "1,2\n" * 9)
    output = call("train", "--csv", str(path), "--target", '"load, MW",prize').output
    assert "my.csv has no column 'prize'" in output
    assert "It has: load, MW, price." in output
