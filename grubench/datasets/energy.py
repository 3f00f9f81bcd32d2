"""Energy: hourly load of twelve regions, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.datasets import clock, table
from grubench.datasets.catalog import ENERGY
from grubench.datasets.download import fetch
from grubench.errors import DataError
from grubench.settings import quoted

if TYPE_CHECKING:
    from pathlib import Path

    from grubench.experiment import Data
    from grubench.series import Series


def read(spec: Data, file: Path | None = None) -> list[Series]:
    """Twelve series, in the order of their names; or the one of a file of the same form."""
    return [_region(path, spec) for path in ([file] if file else fetch(ENERGY))]


def _region(path: Path, spec: Data) -> Series:
    frame = table.load(path)
    if list(frame.columns[:1]) != ["Datetime"] or len(frame.columns) != 2:
        raise DataError(f"{path.name} is no file of a region.", "It needs the columns Datetime and REGION_MW.")
    load = table.numbers(frame.iloc[:, 1], path.name)
    if np.isnan(load).any():
        raise DataError(f"{path.name} has empty cells in {quoted(frame.columns[1])}.", "Fill or remove the rows.")
    time = table.times(frame["Datetime"], path.name, "%Y-%m-%d %H:%M:%S")
    return clock.arrange(str(frame.columns[1]).removesuffix("_MW"), time, load[:, None], ("load",), spec)
