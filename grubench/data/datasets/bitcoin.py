"""Bitcoin: one row a day; the target is the close, other columns can be inputs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from grubench.data.datasets import tables
from grubench.data.datasets.catalog import BITCOIN
from grubench.data.datasets.download import fetch
from grubench.errors import DataError
from grubench.text import list_names

if TYPE_CHECKING:
    from pathlib import Path

    from grubench.data.series import Series
    from grubench.spec.sections import Data

# The file writes 31-12-20; a newer one may write ISO dates.
DATES, DAY_FIRST = "%d-%m-%y", re.compile(r"\d\d-\d\d-\d\d$")


def read(spec: Data, file: Path | None = None) -> list[Series]:
    """One series of 2,984 days for each target column."""
    path = file or fetch(BITCOIN)[0]
    frame = tables.load(path)
    if "Date" not in frame.columns:
        raise DataError(f"{path.name} has no column 'Date'.", f"It has: {list_names(frame.columns)}.")
    frame["Date"] = tables.times(
        frame["Date"], path.name, DATES if DAY_FIRST.match(str(frame["Date"].iloc[0])) else None
    )
    return tables.split(frame, replace(spec, time="Date", series_column=""), path.name, "bitcoin")
