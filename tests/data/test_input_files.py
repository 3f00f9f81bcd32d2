"""Files that a user names: of which kind, how large when unpacked, and refused before a parser sees them."""

from __future__ import annotations

import gzip
import io
import os
import socket
import zipfile
from pathlib import Path

import pytest

from grubench import presets
from grubench.data import datasets
from grubench.data.datasets import catalog, csv_table, download
from grubench.data.input_files import MAX_COLUMNS
from grubench.data.series import Dataset
from grubench.errors import DataError, GrubenchError, UsageError
from grubench.spec.sections import Data

ROWS = b"price\n" + b"1\n" * 2**20  # 2 MB, and 8 MB as numbers


def read(path: Path, *, max_mb: int = 500, **settings: object) -> Dataset:
    spec = Data(file=str(path), **({"target": ("price",)} | settings))  # type: ignore[arg-type]
    return datasets.load(spec, path.stem, max_mb=max_mb)


def pack_zip(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reaches pandas fails the test."""

    def parse(*_: object, **__: object) -> None:
        pytest.fail("pandas was called")

    monkeypatch.setattr(csv_table.pd, "read_csv", parse)


@pytest.fixture(params=["a pipe", "a socket", "a folder", "a device"])
def special(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A path that leads to something other than a file; whoever opened the pipe would wait for ever."""
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most some hundred bytes
    path = Path("special.toml")
    if request.param == "a pipe":
        os.mkfifo(path)
    elif request.param == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif request.param == "a folder":
        path.mkdir()
    else:
        path.symlink_to(os.devnull)
    return path, request.param


class TestKinds:
    def test_what_is_no_file_is_refused_by_its_kind(self, special: tuple[Path, str]) -> None:
        path, kind = special
        for job in (
            lambda: read(path),
            lambda: presets.resolve(str(path)),
            lambda: datasets.load(Data(dataset="bankex"), "x", path),
        ):
            with pytest.raises(UsageError, match=f"{path} is {kind}, not a file") as caught:
                job()
            assert "Write the data to a file" in caught.value.remedy

    def test_parquet_too(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "my.parquet")
        with pytest.raises(UsageError, match="is a pipe"):
            read(tmp_path / "my.parquet")

    def test_files_of_datasets_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(download.VARIABLE, str(tmp_path))
        (tmp_path / "bankex").mkdir()
        path = tmp_path / "bankex" / "BANKEX.csv"
        os.mkfifo(path)
        with pytest.raises(UsageError, match="is a pipe"):
            download.fetch(catalog.find("bankex"))
        path.unlink()
        with path.open("wb") as file:
            file.truncate(100 * 2**30)
        with pytest.raises(DataError, match="it is another file"):
            download.fetch(catalog.find("bankex"))

    def test_a_file_of_the_system_says_that_it_is_empty(self) -> None:
        if not Path("/proc/self/maps").exists():
            pytest.skip("needs /proc")
        with pytest.raises(DataError, match="is empty"):
            read(Path("/proc/self/maps"))

    @pytest.mark.parametrize("name", [b"a\nb.csv", b"a\tb.csv", b"a\x1bb.csv", b"a\xffb.csv"])
    def test_names_that_cannot_be_recorded_are_refused_before_anything_is_read(
        self, tmp_path: Path, name: bytes
    ) -> None:
        path = tmp_path / os.fsdecode(name)
        path.write_text("price\n1\n")
        with pytest.raises(UsageError, match=r"control characters|not UTF-8"):
            read(path)
        with pytest.raises(UsageError, match="has control characters, or bytes that are not UTF-8"):
            datasets.load(Data(file="x.csv", target=("price",)), "x", path)

    def test_names_too_long_for_records_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "my.csv").write_text(f"n,price\n{'N' * 300},1\n")
        with pytest.raises(DataError, match="has 300 letters, and at most 255 are recorded"):
            read(tmp_path / "my.csv", series_column="n")

    def test_more_series_than_a_run_can_record_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("grubench.data.datasets.tables.MAX_SERIES", 9)
        (tmp_path / "my.csv").write_text("n,price\n" + "".join(f"{number},1\n" for number in range(10)))
        with pytest.raises(DataError, match="names 10 series, and at most 9 are read"):
            read(tmp_path / "my.csv", series_column="n")


@pytest.mark.usefixtures("no_parser")
class TestSizes:
    @pytest.mark.parametrize("name", ["my.csv", "my.parquet"])
    def test_a_sparse_file_counts_with_its_apparent_size(self, tmp_path: Path, name: str) -> None:
        with (tmp_path / name).open("wb") as file:
            file.truncate(100 * 2**30)
        with pytest.raises(DataError, match="it has 107,374,182,400 bytes") as caught:
            read(tmp_path / name)
        assert "--max-table" in caught.value.remedy

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("my.csv", ROWS),
            ("my.csv.gz", gzip.compress(ROWS)),
            ("my.csv.gz", gzip.compress(ROWS) + gzip.compress(b"1\n")),  # the size at its end is that of the last part
            ("my.zip", pack_zip({"my.csv": ROWS})),
        ],
    )
    def test_what_unpacks_to_more_than_the_bound_is_refused(self, tmp_path: Path, name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="is too large") as caught:
            read(tmp_path / name, max_mb=1)
        assert "--max-table" in caught.value.remedy

    def test_a_zip_file_that_lies_about_its_size_is_cut_there(self, tmp_path: Path) -> None:
        content = bytearray(pack_zip({"my.csv": ROWS}))
        entry = content.rfind(b"PK\x01\x02")
        content[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
        (tmp_path / "my.zip").write_bytes(content)
        with pytest.raises(DataError, match="Bad CRC-32"):
            read(tmp_path / "my.zip", max_mb=1)

    def test_the_cells_count_too(self, tmp_path: Path) -> None:
        (tmp_path / "my.csv").write_bytes(b"price,x\n" + b"1,\n" * 100_000)
        with pytest.raises(DataError, match="1,600,032 bytes in 200,004 cells of 8"):
            read(tmp_path / "my.csv", max_mb=1)

    @pytest.mark.parametrize("start", [b"", b"\n\n", b'"a\nb",', b"\r\n", b"  \n", b"v\n", b"v\n1\n", b'a"b,"\n"'])
    @pytest.mark.parametrize("packed", [False, True])
    def test_columns_are_counted_in_what_is_unpacked(self, tmp_path: Path, start: bytes, packed: bool) -> None:
        content = start + b"," * 3_000_000 + b"\n1\n"
        path = tmp_path / ("my.csv.gz" if packed else "my.csv")
        path.write_bytes(gzip.compress(content) if packed else content)
        with pytest.raises(DataError, match=f"more columns than {MAX_COLUMNS:,}"):
            read(path)

    def test_a_row_over_many_lines_is_too_wide_too(self, tmp_path: Path) -> None:
        (tmp_path / "my.csv").write_bytes(b'price,"' + b'\n",' + b'1,"\n",' * 20_000 + b"\n1,2\n")
        with pytest.raises(DataError, match="more columns than"):
            read(tmp_path / "my.csv")

    def test_a_row_without_end_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "my.csv.gz").write_bytes(gzip.compress(b"price\n1\n" + b"1" * 2**25))
        with pytest.raises(DataError, match="a row has more than 16,777,216 bytes"):
            read(tmp_path / "my.csv.gz")

    @pytest.mark.parametrize("ending", ["bz2", "xz", "zst", "tar", "tgz"])
    def test_other_ways_of_packing_are_refused_by_name(self, tmp_path: Path, ending: str) -> None:
        (tmp_path / f"my.{ending}").write_bytes(b"x")
        with pytest.raises(DataError, match=rf"files that end in \.{ending} are not unpacked"):
            read(tmp_path / f"my.{ending}")

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ({}, "it holds 0 files"),
            ({"a.csv": ROWS, "b.csv": ROWS}, "it holds 2 files"),
            ({str(number): b"" for number in range(3000)}, "it holds many files"),
        ],
    )
    def test_a_zip_file_holds_one_table(self, tmp_path: Path, members: dict[str, bytes], said: str) -> None:
        (tmp_path / "my.zip").write_bytes(pack_zip(members))
        with pytest.raises(DataError, match=said):
            read(tmp_path / "my.zip")

    @pytest.mark.parametrize("name", ["my.gz", "my.zip"])
    def test_what_is_not_packed_as_it_says_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(ROWS)
        with pytest.raises(GrubenchError, match="cannot be read as"):
            read(tmp_path / name)


def test_a_header_longer_than_the_first_part_is_read_whole(tmp_path: Path) -> None:
    names = ["price", *(f"{'x' * 60}{number}" for number in range(8000))]
    row = ",".join(["1"] * len(names))
    (tmp_path / "my.csv").write_text("\n".join([",".join(names), row, row]))
    assert read(tmp_path / "my.csv").series[0].target.tolist() == [1, 1]


def test_packed_tables_are_read_as_others_are(tmp_path: Path) -> None:
    text = b"date,price\n2026-01-01,1\n2026-01-02,2\n"
    (tmp_path / "my.csv").write_bytes(text)
    (tmp_path / "my.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "my.zip").write_bytes(pack_zip({"folder/": b"", "folder/my.csv": text, "__MACOSX/my.csv": b"x"}))
    values = [
        read(tmp_path / name, time="date").series[0].values.tolist() for name in ("my.csv", "my.csv.gz", "my.zip")
    ]
    assert values == [[[1], [2]]] * 3


def test_another_bound_lets_the_same_table_in(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_bytes(b"price\n" + b"1\n" * 200_000)
    with pytest.raises(DataError, match="at most 1 MB"):
        read(tmp_path / "my.csv", max_mb=1)
    assert len(read(tmp_path / "my.csv", max_mb=2).series[0]) == 200_000


@pytest.mark.parametrize("command", ["train", "compare"])
def test_the_bound_is_a_flag(call, command: str) -> None:
    Path("my.csv").write_bytes(b"price\n" + b"1\n" * 200_000)
    words = (command, "--csv", "my.csv", "--target", "prize", "--in-process", "--max-table")
    assert "my.csv is too large" in call(*words, 1).output
    assert "my.csv has no column 'prize'" in call(*words, 2).output
    assert call(*words, 0).exit_code == 2
