"""Energy: hourly load of twelve regions, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.data.datasets import tables, timestamps
from grubench.data.datasets.catalog import ENERGY
from grubench.data.datasets.download import fetch
from grubench.errors import DataError
from grubench.text import quote

if TYPE_CHECKING:
    from pathlib import Path

    from grubench.data.series import Series
    from grubench.spec.sections import Data


def read(spec: Data, file: Path | None = None) -> list[Series]:
    """Twelve series, in the order of their names; or the one of a file of the same form."""
    return [_region(path, spec) for path in ([file] if file else fetch(ENERGY))]


def _region(path: Path, spec: Data) -> Series:
    frame = tables.load(path)
    if list(frame.columns[:1]) != ["Datetime"] or len(frame.columns) != 2:
        raise DataError(f"{path.name} is no file of a region.", "It needs the columns Datetime and REGION_MW.")
    load = tables.numbers(frame.iloc[:, 1], path.name)
    if np.isnan(load).any():
        raise DataError(f"{path.name} has empty cells in {quote(frame.columns[1])}.", "Fill or remove the rows.")
    time = tables.times(frame["Datetime"], path.name, "%Y-%m-%d %H:%M:%S")
    return timestamps.arrange(str(frame.columns[1]).removesuffix("_MW"), time, load[:, None], ("load",), spec)
