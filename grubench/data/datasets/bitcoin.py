"""Bitcoin: one row a day; the target is the close, other columns can be inputs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from grubench.data.datasets.catalog import Source, register
from grubench.errors import DataError
from grubench.text import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from grubench.data.series import Series
    from grubench.spec.sections import Data

# The file writes 31-12-20; a newer one may write ISO dates.
DATES, DAY_FIRST = "%d-%m-%y", re.compile(r"\d\d-\d\d-\d\d$")


def read(spec: Data, files: Sequence[Path]) -> list[Series]:
    """One series of 2,984 days for each target column."""
    from grubench.data.datasets import stamps, tables

    path = files[0]
    frame = tables.read_table(path)
    if "Date" not in frame.columns:
        raise DataError(f"{path.name} has no column 'Date'.", f"It has: {list_names(frame.columns)}.")
    day_first = DAY_FIRST.match(str(frame["Date"].iloc[0]))
    frame["Date"] = stamps.parse_stamps(frame["Date"], path.name, DATES if day_first else "").time
    return tables.split_table(frame, replace(spec, time="Date", series_column=""), path.name, "bitcoin")


register(
    Source(
        name="bitcoin",
        read=read,
        summary="Daily price of Bitcoin, 2013 to 2021",
        has_timestamps=True,
        has_columns=True,
        size="1 series x 2,984 days",
        origin="Kaggle, Cryptocurrency Historical Prices (CC0)",
        url="https://raw.githubusercontent.com/VishalDave07/coin_Bitcoin/a100cd33cf60265cb18eff065f9db0f28dd884d3/",
        files={"coin_Bitcoin.csv": "210a29c8fe48054889395ab1c2ffab01a171c8f13f3f027f1bace7d3e3e7e63d"},
        defaults={"data": {"target": ["Close"], "unit": "USD", "period": 7}},
    )
)
