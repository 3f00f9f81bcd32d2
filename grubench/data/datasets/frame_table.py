"""A table in memory: a pandas DataFrame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets.dialect import Dialect, judge_frame
from grubench.errors import DataError
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.spec.sections import Data

# What a run records as the file of a DataFrame; its values are in the fingerprint.
FRAME = "frame"
# What cells of a DataFrame may be, and no column of a file is.
UNREAD = (bytes, list, tuple, dict, set, np.ndarray)


class FrameTable:
    """The columns of a DataFrame, and its index where that has a name or holds times.

    Args:
        frame: The DataFrame, which is left as it is.
        spec: The flags that say how numbers are written where they are text.
    """

    title = "a DataFrame"

    def __init__(self, frame: pd.DataFrame, spec: Data) -> None:
        has_index = any(frame.index.names) or isinstance(frame.index, pd.DatetimeIndex)
        self._frame, self._spec = frame.reset_index(drop=not has_index, allow_duplicates=True), spec
        self._frame.columns = pd.Index(list(map(_join_name, self._frame.columns)))
        self.path, self.dialect = Path(FRAME), Dialect()
        self.columns = list(self._frame.columns)

    def dated_columns(self, needed: Sequence[str]) -> list[str]:
        """The columns that may hold dates, and those that are needed: all whose cells are text or numbers."""
        may = [name for name in self.columns if not _find_unread(self._frame[name])]
        return list(dict.fromkeys([*needed, *may]))

    def load(self, columns: Sequence[str], text_columns: Sequence[str] = ()) -> pd.DataFrame:
        """Some of the columns."""
        frame = self._frame[list(columns)]
        for name in columns:
            _check_cells(frame[name])
        self.dialect = judge_frame(frame, text_columns, self._spec)
        return frame.copy()


def _check_cells(column: pd.Series[Any]) -> None:
    """Refuse a column of lists, bytes and the like.

    Raises:
        DataError: A cell is neither text nor a number, a date nor a time.
    """
    wrong = _find_unread(column)
    if wrong:
        raise DataError(f"{FRAME}, column {quote(column.name)} holds no numbers, but {wrong}.", "Name another column.")


def _find_unread(column: pd.Series[Any]) -> str:
    """The name of a type of its cells that is not read; empty where there is none."""
    kinds = set(map(type, column)) if column.dtype == object else set()
    return next((kind.__name__ for kind in kinds if issubclass(kind, UNREAD)), "")


def _join_name(name: object) -> str:
    """A column's name without surrounding blanks; one of several levels is joined by blanks."""
    levels = name if isinstance(name, tuple) else (name,)
    return " ".join(filter(None, (str(level).strip() for level in levels)))
