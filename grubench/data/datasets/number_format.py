"""How a table writes its numbers: decimal and thousands separators, currency and percent signs, texts for no value."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.errors import DataError
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from grubench.spec.sections import Data

# Texts that files have where a number is missing; each is taken for one only where it is shown or asked for.
MISSING_TEXTS = frozenset(
    ("?", "-", "--", ".", "*", "NA", "N/A", "n/a", "na", "#N/A", "<NA>", "NaN", "nan", "NAN", "null", "NULL", "Null")
) | {"None", "none", "NONE", "missing", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "\\N"}
# Also those of typesetters: blanks that do not break a line, a minus, an apostrophe.
BLANKS, MINUS, APOSTROPHES = " \u00a0\u2007\u2009\u202f", "\u2212", "'\u2019"
CURRENCY = r"(?:[A-Z]{1,2}\$|[$€£¥₹₽₩₺₴฿]|USD|EUR|GBP|CHF|JPY|INR|CNY|PLN|SEK|NOK|DKK|CZK|BRL|kr\.?|zł|Kč|Fr\.)"
SIGNS = re.compile(rf"{CURRENCY}|%")
PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
PLAIN_COLUMN = re.compile(r"(?:-?\d+(?:\.\d+)?(?:\n|$))*")
# Files with these often have decimal commas.
DOUBTFUL_SEPARATORS = ";\t"
# Cells by which it is told early that a column has no numbers.
FIRST_CELLS = 50
BODY = re.compile(rf"[+\-{MINUS}]?\(?(?:\d+(?:[.,{APOSTROPHES}{BLANKS}]\d+)*[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?\)?")
MARKS = re.compile(rf"[.,{APOSTROPHES}{BLANKS}]")
NAMES = {".": "point", ",": "comma", " ": "blank", "'": "apostrophe"}


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """How numbers are written.

    Attributes:
        decimal: The decimal separator.
        thousands: The separator of thousands; empty where there is none.
        na: Texts that stand for a missing number, beside empty cells.
        signs: Currency and percent signs that were seen, and are no part of a number.
        doubts: For each column whose numbers can be read in two ways, why.
        is_guess: Whether points in later numbers can stand between thousands: the first ones do not tell.
    """

    decimal: str = "."
    thousands: str = ""
    na: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    doubts: tuple[tuple[str, str], ...] = ()
    is_guess: bool = False

    @property
    def codes(self) -> tuple[float, ...]:
        """The texts for missing numbers that are numbers themselves, such as -999; as float32 has them too."""
        texts = (text.replace(self.decimal, ".") for text in self.na)
        codes = [float(text) for text in texts if PLAIN.fullmatch(text)]
        with np.errstate(over="ignore"):
            return (*codes, *(float(np.float32(code)) for code in codes))

    def check(self, names: Iterable[str], where: str) -> None:
        """Refuse columns whose numbers can be read in two ways.

        Raises:
            DataError: The message names the column, an example, and the flags that tell.
        """
        doubts = dict(self.doubts)
        for name in names:
            if name in doubts:
                raise DataError(
                    f"{where}, column {quote(name)}: {doubts[name]}.",
                    "Say how numbers are written: --decimal , or --decimal . , and --thousands with none or a sign.",
                )

    def describe(self) -> list[str]:
        """What differs from plain numbers, in words."""
        parts = [f"decimal {NAMES[self.decimal]}"] if self.decimal != "." else []
        parts += [f"{NAMES[self.thousands]} between thousands"] if self.thousands else []
        parts += [f"{' '.join(self.signs)} left out"] if self.signs else []
        return parts + ([f"{', '.join(self.na)} as missing"] if self.na else [])


def is_number(cell: str) -> bool:
    """Whether a cell is a number in any of the ways to write one."""
    if PLAIN.fullmatch(cell):
        return True
    return bool(BODY.fullmatch(_strip_signs(cell))) and _weigh(cell) is not None


def judge(columns: Mapping[str, Sequence[str]], spec: Data, separator: str) -> NumberFormat:
    """How the numbers in the first cells of some columns are written.

    Args:
        columns: The first cells of each column, by name.
        spec: The flags that say it.
        separator: The separator of columns: files with semicolons or tabs often have decimal commas.
    """
    evidence: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    missing: set[str] = set()
    signs: set[str] = set()
    for name, cells in columns.items():
        filled = dict.fromkeys(cell for cell in cells if cell)
        numbers = _choose_telling(filled) if PLAIN_COLUMN.fullmatch("\n".join(filled)) else _find_numbers(filled)
        if not numbers:
            continue
        missing |= filled.keys() & MISSING_TEXTS
        signs |= {sign for cell in numbers for sign in SIGNS.findall(cell)}
        for cell in numbers:
            for fact in _weigh(cell) or []:
                evidence[fact].setdefault(name, cell)
    na = spec.na or tuple(sorted(missing))
    decimal = spec.decimal or _choose_decimal(evidence)
    thousands = {"none": ""}.get(spec.thousands, spec.thousands) or _choose_thousands(evidence, decimal)
    thousands = "" if spec.thousands == "none" or thousands == decimal else thousands
    doubts = {} if spec.decimal else _find_doubts(evidence, decimal, spec.thousands, separator)
    return NumberFormat(
        decimal=decimal,
        thousands=thousands,
        na=na,
        signs=tuple(sorted(signs)),
        doubts=tuple(doubts.items()),
        is_guess=not spec.decimal and separator in DOUBTFUL_SEPARATORS and not _is_sure(evidence),
    )


def _choose_telling(cells: Iterable[str]) -> list[str]:
    """Of plain numbers the first that has another number of decimals than three: its point is a decimal one."""
    with_point = [cell for cell in cells if "." in cell]
    return [cell for cell in with_point if cell[-4:-3] != "."][:1] or with_point[:1]


def _find_numbers(cells: Iterable[str]) -> list[str]:
    """The numbers of a column; none where most of its cells are something else."""
    filled = [cell for cell in cells if cell not in MISSING_TEXTS]
    if not any(map(is_number, filled[:FIRST_CELLS])):
        return []
    numbers = [cell for cell in filled if is_number(cell)]
    return numbers if 2 * len(numbers) >= len(filled) else []


def parse(column: pd.Series[Any], style: NumberFormat, where: str) -> NDArray[np.float64]:
    """Cells of text as numbers, `(row,)`; NaN where a cell is no number.

    Raises:
        DataError: Currencies differ, or only some cells are in percent.
    """
    texts = column.astype("str").str.strip(f"{BLANKS}\t")
    blank = f"[{BLANKS}]"
    thousands = {"": "", " ": blank, "'": f"[{APOSTROPHES}]"}.get(style.thousands, re.escape(style.thousands))
    digits = rf"[0-9]{{1,3}}(?:{thousands}[0-9]{{2,3}})*{thousands}[0-9]{{3}}|[0-9]+" if thousands else "[0-9]+"
    decimal = re.escape(style.decimal)
    number = rf"(?:(?:{digits})(?:{decimal}[0-9]*)?|{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    sign = rf"[+\-{MINUS}]?{blank}*"
    form = rf"\(?{sign}(?:{CURRENCY})?{blank}*{sign}(?:{number}){blank}*(?:{CURRENCY}|%)?\)?"
    valid = texts.str.fullmatch(form).fillna(value=False).astype(bool)
    texts = texts.where(valid)
    _check_signs(texts, column, where)
    texts = texts.str.replace(SIGNS.pattern, "", regex=True)
    negative = texts.str.startswith("(").fillna(value=False).to_numpy(bool)
    texts = texts.str.replace(MINUS, "-", regex=False)
    texts = texts.str.replace(rf"[(){APOSTROPHES}{BLANKS}]", "", regex=True)
    if style.thousands in {".", ","}:
        texts = texts.str.replace(style.thousands, "", regex=False)
    if style.decimal != ".":
        texts = texts.str.replace(style.decimal, ".", regex=False)
    values = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(negative, -values, values)


def _check_signs(texts: pd.Series[Any], column: pd.Series[Any], where: str) -> None:
    """Refuse a column with several currencies, or with percent signs at some numbers only."""
    signs = texts.str.extract(f"({SIGNS.pattern})", expand=False)[texts.notna()]
    different = {str(sign) for sign in signs.dropna().unique()}
    mixed = len(different) > 1 or ("%" in different and bool(signs.isna().any()))
    if mixed:
        raise DataError(
            f"{where}, column {quote(column.name)} mixes {', '.join(sorted(different))} and other numbers.",
            "Write all its numbers in one unit.",
        )


def _strip_signs(cell: str) -> str:
    return SIGNS.sub("", cell).strip(BLANKS)


def _weigh(cell: str) -> list[tuple[str, str]] | None:
    """What a number says of the signs in it; None where they are those of no number.

    Returns:
        The kind of each sign (`decimal`, `thousands`, or `either` where it could be both) and the sign.
    """
    body = _strip_signs(cell).strip(f"+-{MINUS}()").replace("\u2019", "'")
    body = re.split("[eE]", re.sub(f"[{BLANKS}]", " ", body))[0]
    marks, groups = MARKS.findall(body), MARKS.split(body)
    if not marks:
        return []
    *first, last = marks
    if len(set(marks)) == 1:
        grouped = _is_grouped(groups)
        if first or last not in ".,":
            return [("thousands", last)] if grouped else None
        return [("either" if grouped else "decimal", last)]
    valid = last in ".," and len(set(first)) == 1 and first[0] != last and _is_grouped(groups[:-1])
    return [("decimal", last), ("thousands", first[0])] if valid else None


def _is_grouped(groups: Sequence[str]) -> bool:
    """Whether digits stand in groups of three; in India all but the last have two."""
    first, *others = groups
    sizes = [len(group) for group in others]
    return 1 <= len(first) <= 3 and first[0] != "0" and sizes[-1] == 3 and len(set(sizes[:-1]) | {3}) <= 2


Evidence = dict[tuple[str, str], dict[str, str]]


def _choose_decimal(evidence: Evidence) -> str:
    """The decimal separator of most columns; where no number tells, the one that is not between thousands."""
    votes = {mark: len(evidence.get(("decimal", mark), ())) for mark in ".,"}
    if any(votes.values()):
        return "," if votes[","] > votes["."] else "."
    return "," if evidence.get(("thousands", ".")) else "."


def _choose_thousands(evidence: Evidence, decimal: str) -> str:
    marks = [mark for kind, mark in evidence if kind in {"thousands", "either"} and mark != decimal]
    return max(marks, key=lambda mark: len(evidence.get(("thousands", mark), ())), default="")


def _is_sure(evidence: Evidence) -> bool:
    """Whether a number tells which sign is the decimal one."""
    return any(kind == "decimal" or (kind == "thousands" and mark in ".,") for kind, mark in evidence)


def _find_doubts(evidence: Evidence, decimal: str, thousands: str, separator: str) -> dict[str, str]:
    """Columns that contradict what was chosen, or that nothing decides."""
    other = "," if decimal == "." else "."
    doubts = {
        name: f"{quote(cell)} has a decimal {NAMES[other]}, and other numbers of the file a decimal {NAMES[decimal]}"
        for name, cell in evidence.get(("decimal", other), {}).items()
    }
    contradicted = evidence.get(("thousands", decimal), {})
    doubts |= {
        name: f"{quote(cell)} has {NAMES[decimal]}s between thousands, and other numbers of the file decimal ones"
        for name, cell in contradicted.items()
    }
    if not _is_sure(evidence) and not thousands:
        marks = ".," if separator in DOUBTFUL_SEPARATORS else ","
        for mark in marks:
            doubts |= {
                name: f"{quote(cell)} can be read as {cell.replace(mark, '')} and as {cell.replace(mark, '.')}"
                for name, cell in evidence.get(("either", mark), {}).items()
            }
    return doubts
