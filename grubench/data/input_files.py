"""Files that a user names: refused by their kind, and unpacked within a bound, before anything parses them."""

from __future__ import annotations

import io
import re
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TypeVar, cast

from grubench.errors import DataError, GrubenchError, UsageError
from grubench.text import escape_name, is_recordable

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

# The largest table that is read, unpacked; `--max-table` sets another bound, in these units.
MEGABYTE = 10**6
MAX_TABLE_MB = 500
# What a number takes in memory, and about what a piece of text does.
CELL_BYTES, TEXT_BYTES = 8, 64
# pandas takes seconds over the columns of a wider table.
MAX_COLUMNS = 10_000
# A row of so many columns with long values has fewer bytes.
MAX_ROW_BYTES = 16 * 2**20
PIECE_BYTES = 2**14
# Lines that end in every block have fewer columns than the bound.
BLOCK_BYTES = 2**12
# The directory of a zip file with one table in it.
MAX_DIRECTORY_BYTES = 2**16
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
UNREAD_ENDINGS = (".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z", ".rar")


def measure_file(path: Path, key: str) -> int:
    """The bytes of a file that a user names.

    Files of the system that are made when they are read (/proc) say that they have 0, and some have no end.

    Args:
        path: The file.
        key: The flag or setting that names it, for messages.

    Raises:
        UsageError: There is no such file, it is no regular file, or its name cannot be recorded.
        DataError: It is empty, or its folder cannot be read.
    """
    if not is_recordable(str(path)):
        raise UsageError(
            f"{key}: the name {escape_name(path)} has control characters, or bytes that are not UTF-8.",
            "Rename the file.",
        )
    try:
        status = path.stat()
    except PermissionError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Fix its permissions.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{key}: there is no file {path}.", "Check the path.") from error
    kind = KINDS.get(stat.S_IFMT(status.st_mode))
    if kind:
        raise UsageError(
            f"{key}: {path} is {kind}, not a file.", "Write the data to a file, and give the path of that file."
        )
    if not status.st_size:
        raise DataError(f"{path} is empty: it has 0 bytes.", "Check the file.")
    return status.st_size


def check_file(path: Path, key: str, max_mb: int) -> None:
    """Refuse a file of the wrong kind, and one that says itself that it is too large; it is not unpacked for that.

    Raises:
        UsageError: There is no such file, it is no regular file, or its name cannot be recorded.
        DataError: It is empty, too large, or not packed as its ending says.
    """
    measure_file(path, key)
    check_size(path, explain_failure(path, "a packed file", lambda: _read_promised_size(path)), max_mb)


def check_size(path: Path, size: int, max_mb: int, what: str = "bytes") -> None:
    """Refuse a table that is larger than the bound.

    Raises:
        DataError: It is; the message names the flag that sets another.
    """
    if size > max_mb * MEGABYTE:
        raise DataError(
            f"{path} is too large: it has {size:,} {what}, and at most {max_mb:,} MB are read.",
            "Leave out rows or columns, or set another bound with --max-table MB if this machine has the memory.",
        )


def explain_failure(path: Path, title: str, job: Callable[[], T]) -> T:
    """What a job gives that reads a file.

    Args:
        path: The file.
        title: What it is read as.
        job: Reads it.

    Raises:
        DataError: It cannot be read; the message says why.
    """
    try:
        return job()
    except GrubenchError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in pandas and pyarrow
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{path} cannot be read as {title}: {reason}.", "Check the file.") from error


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file; that of a `.gz`, or of the one file in a `.zip`, is unpacked as it is read.

    Raises:
        ValueError: It is packed in another way, or is no zip file with one file in it.
    """
    ending = path.suffix.lower()
    if ending in UNREAD_ENDINGS:
        raise ValueError(f"files that end in {ending} are not unpacked; unpack it, or pack it as .gz or .zip")
    with path.open("rb") as packed:
        if ending == ".gz":
            import gzip

            with gzip.open(packed) as file:
                yield cast("IO[bytes]", file)
        elif ending == ".zip":
            with _open_archive(packed) as archive, archive.open(_find_member(archive)) as file:
                yield file
        else:
            yield packed


def measure_text(path: Path, max_mb: int, separators: bytes = b",") -> int:
    """Count the bytes of a text file, unpacked, and refuse one that cannot be parsed in seconds.

    Args:
        path: The file.
        max_mb: The bound, in MB.
        separators: What may separate columns.

    Returns:
        Its bytes; it has no more cells than that.

    Raises:
        DataError: It is larger than the bound.
        ValueError: A line of it has too many columns or bytes, or it cannot be unpacked.
    """
    bytes_read, line_bytes, marks = 0, 0, b""
    others = bytes(set(range(256)) - set(separators))
    with open_unpacked(path) as file:
        while piece := file.read(PIECE_BYTES):
            bytes_read += len(piece)
            check_size(path, bytes_read, max_mb, "bytes or more when it is unpacked")
            if line_bytes >= BLOCK_BYTES or not _has_short_lines(piece):
                _check_lines(marks + piece, separators)
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
            line_bytes = (0 if end else line_bytes) + len(piece) - end
            if line_bytes > MAX_ROW_BYTES:
                raise ValueError(f"a row has more than {MAX_ROW_BYTES:,} bytes")
            marks = (b"" if end else marks) + piece[end:].translate(None, others)
    return bytes_read


def count_lines(path: Path) -> int:
    """The lines of a text file, unpacked."""
    line_feeds, returns = 0, 0
    with open_unpacked(path) as file:
        while piece := file.read(PIECE_BYTES):
            line_feeds, returns = line_feeds + piece.count(b"\n"), returns + piece.count(b"\r")
    return max(line_feeds, returns) + 1


def _has_short_lines(piece: bytes) -> bool:
    """Whether a line ends in each of its blocks."""
    for start in range(0, len(piece), BLOCK_BYTES):
        end = start + BLOCK_BYTES
        if piece.find(b"\n", start, end) < 0 and piece.find(b"\r", start, end) < 0:
            return False
    return True


def _check_lines(text: bytes, separators: bytes) -> None:
    """Refuse lines with too many columns. Quotes are not looked at: what they mean depends on all that is before."""
    if any(text.count(mark) >= MAX_COLUMNS for mark in separators):  # seldom: then line by line
        for line in re.split(rb"[\r\n]", text):
            check_columns(max(line.count(mark) for mark in separators) + 1)


def check_columns(columns: int) -> None:
    """Refuse a table that is too wide.

    Raises:
        ValueError: It is.
    """
    if columns > MAX_COLUMNS:
        raise ValueError(f"it has more columns than {MAX_COLUMNS:,}, the most that are read")


def _read_promised_size(path: Path) -> int:
    """The bytes that a packed file says that it has when unpacked, at least; `measure_text` counts what there is."""
    ending, size = path.suffix.lower(), path.stat().st_size
    with path.open("rb") as file:
        if ending == ".gz" and file.read(2) == b"\x1f\x8b":
            file.seek(-4, io.SEEK_END)
            return max(size, int.from_bytes(file.read(4), "little"))
        if ending == ".zip":
            with _open_archive(file) as archive:
                return max(size, _find_member(archive).file_size)
        if ending in {".xlsx", ".xlsm"}:
            with _open_archive(file) as archive:
                return max(size, sum(member.file_size for member in archive.infolist()))
    return size


def _open_archive(packed: IO[bytes]) -> zipfile.ZipFile:
    """A zip file, unless it has so many members that listing them takes long."""
    import zipfile

    size = packed.seek(0, io.SEEK_END)
    packed.seek(max(0, size - MAX_DIRECTORY_BYTES))
    tail = packed.read()
    packed.seek(0)
    start = tail.rfind(b"PK\x05\x06")
    if start >= 0 and int.from_bytes(tail[start + 12 : start + 16], "little") > MAX_DIRECTORY_BYTES:
        raise ValueError("it holds many files; pack one table alone")
    return zipfile.ZipFile(packed)


def _find_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one file in a zip file; what macOS adds beside each file does not count."""
    import zipfile

    members = [member for member in archive.infolist() if not member.is_dir()]
    members = [member for member in members if not member.filename.startswith("__MACOSX/")]
    if len(members) != 1:
        raise ValueError(f"it holds {len(members)} files; pack one table alone")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is packed by a method other than deflate; pack it again")
    return members[0]
