"""Columns of timestamps: their format is found out from the whole column, and their offsets are kept."""

from __future__ import annotations

import importlib
import importlib.util
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets.columns import LARGEST_EXACT
from grubench.data.datasets.epochs import EXCEL, UNITS, find_number_format, parse_epoch
from grubench.data.datasets.stamp_checks import check_dates
from grubench.data.datasets.stamp_formats import ISO, PERIODS, SAMPLE, find_formats, parse_texts, start_day
from grubench.data.zones import OFFSET_LETTERS, Zone, parse_offsets
from grubench.errors import DataError, UsageError
from grubench.text import list_names, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The years that Python and Matplotlib can show; Parquet's go further.
FIRST, LAST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59:59.999999", "us")
# A year has no more months: fewer rows can be equally far apart in two ways to read them.
MIN_REGULAR_ROWS = 13


@dataclass(frozen=True, kw_only=True, eq=False)
class Stamps:
    """Timestamps.

    Attributes:
        time: `(row,)`, datetime64[us]: in UTC where there is a zone, else as they stand.
        zone: Their zone, where they have offsets or a flag says it.
        notes: What was guessed, a sentence each.
        in_utc: Whether they are in UTC, with or without a zone.
        index: `(row,)`, the row of the file that each is in, from 0.
    """

    time: NDArray[np.datetime64]
    zone: Zone | None = None
    notes: tuple[str, ...] = ()
    in_utc: bool = False
    index: pd.Index[Any] = field(default_factory=lambda: pd.RangeIndex(0))

    def select(self, rows: pd.Index[Any]) -> NDArray[np.datetime64]:
        """The timestamps in some rows of the file."""
        return self.time if rows.equals(self.index) else self.time[self.index.get_indexer(rows)]


def parse_stamps(column: pd.Series[Any], where: str, format: str = "", zone: str = "") -> Stamps:
    """A column as timestamps.

    Args:
        column: The column; its index has the row numbers of the file, from 0.
        where: The file's name, for messages.
        format: The format, as `strptime` takes it; s, ms, us or ns for numbers since 1970, excel for its days, quarter
            or week. Found out if it is empty.
        zone: The zone of timestamps without offsets, and the one in which those with offsets are shown.

    Raises:
        DataError: A value is not a timestamp, or the format cannot be told; the message names the row or the flag.
        UsageError: The format or the zone is not valid.
    """
    shown = Zone.from_name(zone) if zone else None
    try:
        stamps = replace(_parse(column, where, format), index=column.index)
    except (ValueError, TypeError, OverflowError, re.error) as error:
        if not format:
            raise DataError(
                f"{where}, column {quote(column.name)}: {list_names([error])}.", "Write ISO dates."
            ) from error
        message = f"data.time_format: {quote(format)} is not a valid date format: {list_names([error])}."
        raise UsageError(message, "Write one such as %d-%m-%y.") from error
    bad = np.isnat(stamps.time) | (stamps.time < FIRST) | (stamps.time > LAST)
    if bad.any():
        raise _no_timestamp(column, where, int(bad.argmax()), format)
    if shown is None:
        return stamps
    time = stamps.time if stamps.in_utc else _localize(stamps.time, column, where, shown)
    return replace(stamps, time=time, zone=shown)


def _parse(column: pd.Series[Any], where: str, format: str) -> Stamps:
    if column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        return _split_zone(column)
    if column.dtype.kind in "mbc":
        raise TypeError(f"it holds {column.dtype}")
    texts = column if column.dtype.kind in "iuf" and not format else _write_texts(column)
    pattern = format or _find_format(texts, column, where)
    notes = () if format or pattern == ISO else (_explain(column, pattern),)
    if pattern in UNITS:
        return Stamps(time=parse_epoch(texts, pattern), notes=notes, in_utc=pattern != EXCEL)
    texts = _write_texts(texts)
    cast = _cast(texts) if pattern == ISO else None
    if cast is not None:
        return Stamps(time=cast, notes=notes)
    parsed = parse_texts(texts, pattern)
    check_dates(texts, parsed, pattern, f"{where}, column {quote(column.name)}", is_guess=not format)
    if parsed.dt.tz is None:
        return Stamps(time=parsed.to_numpy("datetime64[us]"), notes=notes)
    time = parsed.dt.tz_localize(None).to_numpy("datetime64[us]")
    offsets = parse_offsets(texts.fillna("").tolist())
    bare = np.isnat(offsets) & ~np.isnat(time)
    if bare.any():
        row = int(bare.argmax())
        raise DataError(
            f"{where}, column {quote(column.name)}, data row {column.index[row] + 1}: {quote(column.iloc[row])} has no "
            "offset from UTC, and others have one.",
            "Write it with its offset, or say a --time-format.",
        )
    zone = _find_zone(time, offsets)
    return Stamps(time=time, zone=zone, notes=(*notes, *_explain_offsets(column, zone)), in_utc=True)


def _explain_offsets(column: pd.Series[Any], zone: Zone | None) -> tuple[str, ...]:
    """A note on offsets that change, of which nobody knows when they change next."""
    if zone is None or len(np.unique(zone.offsets)) < 2:
        return ()
    last = zone.format(zone.starts[-1:])[0][-OFFSET_LETTERS:]
    return (
        f"Column {column.name} has several offsets from UTC; forecasts keep the last, {last}, unless --zone is set.",
    )


def _find_zone(time: NDArray[np.datetime64], offsets: NDArray[np.timedelta64]) -> Zone | None:
    valid = ~np.isnat(time)
    return Zone.from_offsets(time[valid], offsets[valid]) if valid.any() else None


def _write_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """The column as text; whole numbers without a decimal point, names of UTC as its offset."""
    if column.dtype.kind == "f":
        numbers = column.dropna()
        is_whole = bool((numbers % 1 == 0).all() and (numbers.abs() <= LARGEST_EXACT).all())
        column = column.astype("Int64") if is_whole else column
    texts = column.astype("str") if column.notna().all() else column.map(str, na_action="ignore")
    if len(texts) and re.search(r" ?(?:UTC|GMT)$", str(texts.iloc[0])):
        texts = texts.str.replace(r" ?(?:UTC|GMT)$", "+00:00", regex=True)
    if any(isinstance(text, str) and text != text.strip() for text in texts.head(SAMPLE).tolist()):
        texts = texts.str.strip()
    return texts


def _explain(column: pd.Series[Any], pattern: str) -> str:
    """A note on a format that no flag said."""
    since = {EXCEL: " since 1900"} if pattern == EXCEL else dict.fromkeys(UNITS, " since 1970, UTC")
    names = {**UNITS, **PERIODS}
    meaning = names[pattern] + since.get(pattern, "") if pattern in names else f"timestamps in the format {pattern}"
    return f"Column {column.name} is read as {meaning}."


def _split_zone(column: pd.Series[Any]) -> Stamps:
    """Timestamps of a table with types, and their zone."""
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        return Stamps(time=column.to_numpy("datetime64[us]"))
    time = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
    local = column.dt.tz_localize(None).to_numpy("datetime64[us]")
    try:
        return Stamps(time=time, zone=Zone.from_name(str(column.dtype.tz)), in_utc=True)
    except UsageError:
        return Stamps(time=time, zone=_find_zone(time, (local - time).astype("timedelta64[s]")), in_utc=True)


def _cast(texts: pd.Series[Any]) -> NDArray[np.datetime64] | None:
    """ISO timestamps without offsets by pyarrow, several times as fast as pandas; None where that takes not all."""
    if not importlib.util.find_spec("pyarrow"):
        return None
    arrow: Any = importlib.import_module("pyarrow")
    try:
        values = arrow.array(texts, from_pandas=True).cast(arrow.timestamp("us")).to_numpy(zero_copy_only=False)
    except (arrow.ArrowException, TypeError):
        return None
    return np.asarray(values, "datetime64[us]")


def _find_format(texts: pd.Series[Any], column: pd.Series[Any], where: str) -> str:
    """The one format that all values have, or the unit of numbers since 1970.

    Raises:
        DataError: There is none, or several that give different dates.
    """
    there = texts.head(SAMPLE).dropna()
    there = there if len(there) else texts.dropna()
    first = str(there.iloc[0]).strip() if len(there) else ""
    if re.fullmatch(r"-?\d+(?:\.\d*)?", first):
        return find_number_format(texts, column.name, where)
    probe = pd.Series([start_day(first)])
    if pd.to_datetime(probe, format=ISO, errors="coerce", utc=True).notna().all():
        return ISO
    patterns = find_formats(first)
    if not patterns:
        return ISO
    valid = {pattern: int(parse_texts(texts.head(SAMPLE), pattern).notna().sum()) for pattern in patterns}
    patterns = [pattern for pattern in patterns if valid[pattern] == max(valid.values())]
    if len(patterns) == 1:
        return patterns[0]
    parsed = {pattern: parse_texts(texts, pattern) for pattern in patterns}
    whole = [pattern for pattern in patterns if parsed[pattern].notna().all()] or patterns
    if not all(parsed[pattern].equals(parsed[whole[0]]) for pattern in whole):
        regular = [pattern for pattern in whole if parsed[pattern].diff().nunique() == 1]
        if len(regular) == 1 and len(texts) >= MIN_REGULAR_ROWS:
            return regular[0]
        raise DataError(
            f"{where}, column {quote(column.name)}: {quote(first)} and all others can be read as "
            f"{' and as '.join(whole)}.",
            f"Say which, with --time-format '{whole[0]}' or --time-format '{whole[1]}'.",
        )
    return whole[0]


def _localize(time: NDArray[np.datetime64], column: pd.Series[Any], where: str, zone: Zone) -> NDArray[np.datetime64]:
    """Local times as instants; of an hour that clocks repeat, the second time comes second in the file."""
    index = pd.DatetimeIndex(time)
    first = index.tz_localize(zone.name, ambiguous=np.ones(len(index), bool), nonexistent="NaT")
    missing = first.isna()
    if missing.any():
        row = int(missing.argmax())
        raise DataError(
            f"{where}, column {quote(column.name)}, data row {column.index[row] + 1}: "
            f"{quote(column.iloc[row])} does not exist in {zone.name}, where clocks skip it.",
            "Give the zone of the file's clock with --zone, or leave --zone out.",
        )
    try:
        inferred = index.tz_localize(zone.name, ambiguous="infer", nonexistent="NaT")
    except ValueError:  # no second time, or several series below each other
        inferred = first
    return np.asarray(inferred.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[us]"))


def _no_timestamp(column: pd.Series[Any], where: str, row: int, format: str) -> DataError:
    expected = f"in the format {format}" if format else "an ISO timestamp, such as 2026-01-31 or 2026-01-31T10:15"
    return DataError(
        f"{where}, column {quote(column.name)}, data row {column.index[row] + 1}: "
        f"{quote(column.iloc[row])} is not {expected}.",
        "Fix the row, or give another format with --time-format, such as %d/%m/%Y.",
    )


def join_columns(columns: Sequence[pd.Series[Any]], name: str) -> pd.Series[Any]:
    """Columns of dates and of times as one of text, with a blank between."""
    texts = [_write_texts(column.dt.strftime("%Y-%m-%d") if column.dtype.kind == "M" else column) for column in columns]
    joined = texts[0].astype("string")  # a column without values has another type
    for text in texts[1:]:
        joined = joined.str.cat(text.astype("string"), sep=" ")
    return joined.rename(name)
