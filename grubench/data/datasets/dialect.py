"""The dialect of a text file with a table: found out from its first part, unless flags say it."""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grubench.data.datasets.number_format import NumberFormat, is_number, judge
from grubench.data.datasets.text_rows import SAMPLE_ROWS, Row, find_header, split_rows
from grubench.errors import DataError, UsageError
from grubench.text import list_names, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from grubench.spec.sections import Data

# The first part of a file, from which its dialect is found out.
SAMPLE_BYTES = 2**18
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "blank": " ", "bar": "|"}
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
TITLES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "cp1252": "Windows-1252", "latin-1": "Latin-1"}
# `sep=;` in the first line, which Excel takes for the separator.
EXCEL_LINE = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)
# A number that is not written as a whole number is.
CODE = re.compile(r"[+-]?0\d+|[+-]?\d*[.,]\d*|\+\d+")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a text file writes its table.

    Attributes:
        encoding: The encoding, as Python calls it; empty where the columns have types.
        sheet: The sheet of an Excel file, which has neither encoding nor separator.
        separator: What stands between columns; a blank for any run of blanks.
        header: The line of the header, from 1; 0 where there is none.
        skipped: Lines before the first row of data.
        columns: The names of the columns, without surrounding blanks; `column1` for the first one if it has no name.
        width: The most cells of a row in the first part of the file.
        numbers: How numbers are written.
        codes: Columns of numbers that are not written as whole numbers are, such as 007: as numbers they would be lost.
    """

    encoding: str = "utf-8"
    sheet: str = ""
    separator: str = ","
    header: int = 1
    skipped: int = 1
    columns: tuple[str, ...] = ()
    width: int = 1
    numbers: NumberFormat = field(default_factory=NumberFormat)
    codes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is that of most files: UTF-8, commas, decimal points, and the header in the first line."""
        plain_text = not self.encoding or (TITLES.get(self.encoding) == "UTF-8" and self.separator == ",")
        first = self.header == self.skipped == 1
        return plain_text and not self.sheet and first and not self.numbers.describe()

    def describe(self) -> str:
        """The dialect in a sentence."""
        header = (
            f"header in line {self.header}" if self.header else f"no header: columns {list_names(self.columns[:3])}"
        )
        header += f", data from line {self.skipped + 1}" if self.header and self.skipped > self.header else ""
        separator = SEPARATORS.get(self.separator, quote(self.separator))
        if not self.encoding:
            return f"Read as {', '.join(['columns with types', *self.numbers.describe()])}."
        parts = [TITLES.get(self.encoding, self.encoding.upper()), f"separated by {separator}"]
        parts = [f"sheet {quote(self.sheet)} of an Excel file"] if self.sheet else parts
        return f"Read as {', '.join([*parts, *self.numbers.describe(), header])}."


def find_dialect(head: bytes, spec: Data, *, whole: bool, where: str) -> Dialect:
    """The dialect of a file.

    Args:
        head: Its first bytes.
        spec: The flags that say some of it.
        whole: Whether the file has no more bytes.
        where: The file's name, for messages.

    Raises:
        UsageError: A flag is wrong.
        DataError: The separator or the header cannot be told.
        ValueError: It is no text.
    """
    encoding = _find_encoding(head, spec, whole=whole)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head, final=whole)
    if "\0" in text:
        raise ValueError("it holds NUL characters, and is no text")
    lines = io.StringIO(text, newline="").readlines()
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    marked = EXCEL_LINE.fullmatch(lines[0]) if lines else None
    offset = 1 if marked else 0
    separator = WORDS.get(spec.separator, spec.separator) or (marked[1] if marked else "")
    if len(separator) > 1:
        raise UsageError(f"data.separator: {quote(separator)} is not one character.", "Give one, or tab or space.")
    separator = separator or _find_separator(lines, where)
    rows = split_rows(lines, separator, offset)
    header, first = find_header(rows, spec, where)
    sample = rows[first:]
    names = rows[header].cells if header is not None else [""] * max((len(row.cells) for row in rows), default=1)
    if header is not None and not spec.header:  # where the header is not sure, its empty cells name no columns
        names = names[: rows[header].width]
    columns = tuple(name or f"column{place}" for place, name in enumerate(names, 1))
    cells = {name: [row.cells[k] for row in sample if k < len(row.cells)] for k, name in enumerate(columns)}
    end = rows[first].line - 1 if first < len(rows) else len(lines)
    return Dialect(
        encoding=encoding,
        separator=separator,
        header=0 if header is None else rows[header].line,
        skipped=end,
        columns=columns,
        width=max([len(columns), *(len(row.cells) for row in sample)]),
        numbers=judge(cells, spec, separator),
        codes=tuple(name for name, own in cells.items() if any(map(CODE.fullmatch, own[:200]))),
    )


def judge_frame(frame: pd.DataFrame, text_columns: Sequence[str], spec: Data) -> Dialect:
    """The dialect of a table whose columns have types: how the numbers are written in those of text.

    Args:
        frame: The table.
        text_columns: The columns that hold no numbers.
        spec: The flags that say some of it.
    """
    cells = {
        str(name): [_write_cell(cell) for cell in frame[name].head(SAMPLE_ROWS).dropna()]
        for name in frame.columns
        if name not in text_columns and frame[name].dtype.kind == "O"
    }
    numbers = judge(cells, spec, "")
    return Dialect(encoding="", columns=tuple(map(str, frame.columns)), numbers=numbers)


def _write_cell(cell: object) -> str:
    """A cell as one of text; a number says nothing of how others are written."""
    return cell.strip() if isinstance(cell, str) else "0"


def _find_encoding(head: bytes, spec: Data, *, whole: bool) -> str:
    if spec.encoding:
        try:
            return codecs.lookup(spec.encoding).name.replace("iso8859-1", "latin-1")
        except (LookupError, ValueError) as error:
            raise UsageError(
                f"data.encoding: there is no encoding {quote(spec.encoding)}.", "Give one such as utf-8 or cp1252."
            ) from error
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    zeros = [head[start:4096:2].count(0) for start in (0, 1)]
    if max(zeros) > len(head[:4096]) // 5:  # every second byte of Western text
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return "latin-1" if any(byte in head for byte in b"\x81\x8d\x8f\x90\x9d") else "cp1252"
    return "utf-8-sig"


def _find_separator(lines: Sequence[str], where: str) -> str:
    scores = {
        mark: _score(split_rows(lines[:200], mark), mark)
        for mark in ",;\t|"
        if any(mark in line for line in lines[:200])
    }
    best = max(scores, key=lambda mark: scores[mark], default=",")
    if not scores.get(best):
        return " " if _has_blanks_between(lines) else best if best in scores else ","
    close = [mark for mark, score in scores.items() if mark != best and score > 0.9 * scores[best]]
    if close:
        raise DataError(
            f"{where}: its columns can be separated by {SEPARATORS[best]} or by {SEPARATORS[close[0]]}.",
            f"Say which, with --separator {best!r} or --separator {close[0]!r}.",
        )
    return best


def _score(rows: Sequence[Row], separator: str) -> float:
    """How well a separator fits: the share of rows of one width, and of cells without another separator."""
    widths = Counter(len(row.cells) for row in rows)
    width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(1, 0))
    if width < 2:
        return 0.0
    others = re.compile("[" + re.escape("".join(set(",;\t|") - {separator})) + "]")
    cells = [cell for row in rows if len(row.cells) == width for cell in row.cells]
    good = sum(not others.search(cell) or is_number(cell) for cell in cells)
    return count / len(rows) * good / len(cells)


def _has_blanks_between(lines: Sequence[str]) -> bool:
    """Whether runs of blanks separate columns, the last of which holds numbers; a header may have a name less."""
    first, *rows = [row.cells for row in split_rows(lines[:200], " ")] or [[]]
    widths = {len(cells) for cells in rows}
    return (
        len(widths) == 1
        and len(first) > 1
        and len(first) in {max(widths), max(widths) - 1}
        and all(is_number(cells[-1]) for cells in rows)
    )
