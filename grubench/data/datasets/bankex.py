"""Bankex: closing prices of ten Indian banks; the file has a series a row, no header and no dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from grubench.data.datasets import timestamps
from grubench.data.datasets.catalog import BANKEX
from grubench.data.datasets.download import fetch
from grubench.data.series import Series
from grubench.errors import DataError
from grubench.text import LARGEST_VALUE, list_names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from grubench.spec.sections import Data

BANKS = (
    "AXISBANK",
    "BANKBARODA",
    "FEDERALBNK",
    "HDFCBANK",
    "ICICIBANK",
    "INDUSINDBK",
    "KOTAKBANK",
    "PNB",
    "SBIN",
    "YESBANK",
)


def read(spec: Data, file: Path | None = None) -> list[Series]:
    """Ten series of 3,032 trading days; or those of a file with a series a row, in the same order."""
    timestamps.need_clock(spec, "bankex")
    path = file or fetch(BANKEX)[0]
    prices = _matrix(path)
    days = np.arange(prices.shape[1])
    return [
        Series(name=name, values=price[:, None], columns=("close",), time=days, unit=spec.unit)
        for name, price in zip(BANKS, prices, strict=True)
    ]


def _matrix(path: Path) -> NDArray[np.float64]:
    try:
        prices = pd.read_csv(path, header=None).to_numpy(np.float64)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{path} is not a table of numbers: {list_names([error])}.", "Give a row of prices for each bank."
        ) from error
    if len(prices) != len(BANKS) or not (np.abs(prices) <= LARGEST_VALUE).all():
        raise DataError(
            f"{path} has {len(prices)} rows, or cells that are empty or too large.",
            f"Give a row of prices for each of: {', '.join(BANKS)}.",
        )
    return prices
