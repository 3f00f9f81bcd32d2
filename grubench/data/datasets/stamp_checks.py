"""Dates that can be parsed, and are not meant so: of another century, or with day and month exchanged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from grubench.data.datasets.stamp_formats import parse_texts
from grubench.errors import DataError
from grubench.text import quote

# Neighbors that are farther apart are of two centuries, and so are data of years far ahead.
MAX_JUMP_YEARS, MAX_AHEAD_YEARS = 90, 10


def check_dates(texts: pd.Series[Any], parsed: pd.Series[Any], pattern: str, where: str, *, is_guess: bool) -> None:
    """Refuse dates that are not meant as they are parsed.

    Args:
        texts: The timestamps.
        parsed: What they are parsed to.
        pattern: Their format.
        where: The names of the file and the column, for messages.
        is_guess: Whether the format was found out, and not said.

    Raises:
        DataError: The message names the row.
    """
    if "%y" in pattern:
        _check_century(texts, parsed, where)
    if is_guess:
        _check_exchanged(texts, parsed, pattern, where)


def _check_century(texts: pd.Series[Any], parsed: pd.Series[Any], where: str) -> None:
    """Refuse years of two digits that seem to be of the century before: from 69 on they are taken for 1969."""
    years = parsed.dt.year.to_numpy(np.float64)
    jumps = np.abs(np.diff(years)) > MAX_JUMP_YEARS
    far = np.nanmin(years, initial=np.inf) > pd.Timestamp.now().year + MAX_AHEAD_YEARS
    if jumps.any() or (far and np.isfinite(years).any()):
        row = int(np.nanargmax(years))
        raise DataError(
            f"{where}, data row {texts.index[row] + 1}: {quote(texts.iloc[row])} would be of {years[row]:.0f}.",
            "Write years with four digits.",
        )


def _check_exchanged(texts: pd.Series[Any], parsed: pd.Series[Any], pattern: str, where: str) -> None:
    """Refuse dates that are in order only where day and month change places, as spreadsheets exchange them."""
    if not pattern.startswith(("%d/%m", "%m/%d", "%d-%m", "%m-%d", "%d.%m")) or parsed.is_monotonic_increasing:
        return
    other = pattern[3:5] + pattern[2] + pattern[:2] + pattern[5:]
    mixed = parse_texts(texts, other).fillna(parsed)
    changed = mixed != parsed
    if mixed.is_monotonic_increasing and changed.any():
        row = int(changed.to_numpy().argmax())
        raise DataError(
            f"{where}, data row {texts.index[row] + 1}: {quote(texts.iloc[row])} is in order as {other}, and other "
            f"rows as {pattern}.",
            f"Write all dates in one way; or say that they are, with --time-format {pattern!r}.",
        )
