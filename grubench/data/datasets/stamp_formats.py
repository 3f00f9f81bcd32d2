"""How people write dates and times: the formats that are tried, and quarters and weeks, which have no format."""

from __future__ import annotations

import re
import warnings
from datetime import datetime
from functools import cache
from itertools import product
from typing import Any

import pandas as pd

ISO = "ISO8601"
# Values by which formats are ruled out before the whole column is parsed.
SAMPLE = 1000
# Days come first in dates with points; of those with other signs the whole column tells.
DATES = (
    *("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y"),
    *("%m-%d-%y", "%y-%m-%d", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d", "%Y%m%d"),
    *("%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d/%b/%y", "%d%b%Y", "%d%b%y", "%Y-%b-%d", "%d %b %Y", "%d %b %y"),
    *("%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
    *("%a, %d %b %Y", "%a %d %b %Y", "%a %b %d %Y", "%A, %d %B %Y", "%A, %B %d, %Y", "%a %d/%m/%Y", "%a %m/%d/%Y"),
    *("%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y %b", "%Y-%b", "%m/%Y", "%m-%Y", "%Y %m", "%YM%m", "%Y:%m"),
)
CLOCKS = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H.%M", "%H.%M.%S", "%Hh%M", "%H-%M-%S", "%H%M", "%H%M%S"),
    *("%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I:%M:%S%p", "%I %p", "%I%p", "%H:%M %z", "%H:%M:%S %z"),
    *("%H:%M:%S.%f %z", "%H"),
)
TIMES = ("", *(joint + clock for joint, clock in product((" ", ", ", "T", ":"), CLOCKS)))
CTIME = "%a %b %d %H:%M:%S %Y"
# What each part of a format may be, before strptime says it exactly.
PARTS = {
    **dict.fromkeys("dmHIMS", r"\d{1,2}"),
    **dict.fromkeys("bBaA", r"[^\W\d_]+"),
    "y": r"\d\d",
    "Y": r"\d{4}",
    "f": r"\d{1,9}",
    "p": "[AaPp][Mm]",
    "z": r"(?:[+-]\d\d:?\d\d|[Zz]|UTC|GMT)",
}
# What `--time-format` calls periods, and how one of them is written.
PERIODS = {"quarter": "quarters, each by its first day", "week": "ISO weeks, each by its Monday"}
QUARTER = re.compile(r"(\d{4})[ :/-]?Q([1-4])|(?:Q([1-4])|([1-4])Q)[ :/-]?(\d{4})", re.IGNORECASE)
WEEK = re.compile(r"(\d{4})-?W(\d{1,2})(?:-?([1-7]))?", re.IGNORECASE)
MIDNIGHT = re.compile(r"(.*[ T])24((?::?00){0,2}(?:\.0+)?(?: ?(?:[Zz]|[+-]\d\d:?\d\d))?)")


def find_formats(text: str) -> list[str]:
    """The formats that a timestamp may have, `quarter` and `week` among them."""
    if QUARTER.fullmatch(text):
        return ["quarter"]
    if WEEK.fullmatch(text):
        return ["week"]
    text = start_day(text)
    found = [CTIME] if _compile(CTIME).fullmatch(text) else []
    for date in DATES:
        match = _compile(date).match(text)
        if match:
            found += [date + clock for clock in TIMES if _compile(clock).fullmatch(text, match.end())]
    return [pattern for pattern in found if _fits(text, pattern)]


def start_day(text: str) -> str:
    """A timestamp with 00 in place of hour 24."""
    return MIDNIGHT.sub(r"\g<1>00\2", text) if MIDNIGHT.fullmatch(text) else text


def parse_texts(texts: pd.Series[Any], pattern: str) -> pd.Series[Any]:
    """Texts as timestamps, NaT where they are none; 24:00 is the next day's start."""
    if pattern in PERIODS:
        texts, pattern = _write_periods(texts, pattern)
    zoned = bool(texts.head(SAMPLE).map(_has_zone).any()) if pattern == ISO else "%z" in pattern
    try:
        parsed: pd.Series[Any] = pd.to_datetime(texts, errors="coerce", format=pattern, utc=zoned)
    except ValueError:  # some of the later ones have offsets
        zoned = True
        parsed = pd.to_datetime(texts, errors="coerce", format=pattern, utc=True)
    bad = parsed.isna()
    if bad.any():
        late = texts[bad].map(lambda text: isinstance(text, str) and bool(MIDNIGHT.fullmatch(text))).astype(bool)
        if late.any():
            starts = texts[bad][late].map(start_day)
            days = pd.to_datetime(starts, errors="coerce", format=pattern, utc=zoned) + pd.Timedelta(days=1)
            parsed.loc[starts.index] = days
    return parsed


def _has_zone(cell: object) -> bool:
    """Whether a timestamp has an offset from UTC."""
    text = str(cell)
    return text.endswith(("Z", "z")) or "+" in text[10:] or "-" in text[10:]


def _write_periods(texts: pd.Series[Any], period: str) -> tuple[pd.Series[Any], str]:
    """Quarters as months, or weeks as days, and their format; what is no such period is left as it is."""
    write, pattern = (_write_quarter, "%Y-%m") if period == "quarter" else (_write_week, "%G-%V-%u")
    return texts.map({text: write(text) for text in texts.dropna().unique()}), pattern


def _write_quarter(text: str) -> str:
    match = QUARTER.fullmatch(text.strip())
    return f"{match[1] or match[5]}-{3 * int(match[2] or match[3] or match[4]) - 2:02}" if match else text


def _write_week(text: str) -> str:
    match = WEEK.fullmatch(text.strip())
    return f"{match[1]}-{int(match[2]):02}-{match[3] or 1}" if match else text


@cache
def _compile(format: str) -> re.Pattern[str]:
    """What a format looks like."""
    parts = re.split(r"%(\w)", format)
    literals = [re.escape(part).replace(r"\ ", r"\s+") for part in parts[::2]]
    shapes = [PARTS[part] for part in parts[1::2]] + [""]
    return re.compile("".join(literal + shape for literal, shape in zip(literals, shapes, strict=True)))


def _fits(text: str, format: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):  # Python's, of formats without a year
            datetime.strptime(text, format)
    except ValueError:
        return False
    return True
