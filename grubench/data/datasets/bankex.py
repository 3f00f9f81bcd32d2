"""Bankex: closing prices of ten Indian banks; the file has a series a row, no header and no dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.data.datasets.catalog import Source, register
from grubench.data.input_files import MAX_TABLE_MB, explain_failure, measure_text, open_unpacked
from grubench.errors import DataError
from grubench.text import LARGEST_VALUE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from grubench.data.series import Series
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


def read(spec: Data, files: Sequence[Path]) -> list[Series]:
    """Ten series of 3,032 trading days; or those of a file with a series a row, in the same order."""
    import numpy as np

    from grubench.data.series import Series

    prices = _read_prices(files[0])
    days = np.arange(prices.shape[1])
    return [
        Series(name=name, values=price[:, None], columns=("close",), time=days, unit=spec.unit)
        for name, price in zip(BANKS, prices, strict=True)
    ]


def _read_prices(path: Path) -> NDArray[np.float64]:
    """The closing prices, `(bank, day)`."""
    import numpy as np

    prices = explain_failure(path, "a table of numbers", lambda: _parse_rows(path))
    if len(prices) != len(BANKS) or not (np.abs(prices) <= LARGEST_VALUE).all():
        raise DataError(
            f"{path} has {len(prices)} rows, or cells that are empty or too large.",
            f"Give a row of prices for each of: {', '.join(BANKS)}.",
        )
    return prices


def _parse_rows(path: Path) -> NDArray[np.float64]:
    import numpy as np
    import pandas as pd

    measure_text(path, MAX_TABLE_MB)
    with open_unpacked(path) as file:
        return pd.read_csv(file, header=None).to_numpy(np.float64)


register(
    Source(
        name="bankex",
        read=read,
        summary="Closing prices of ten Indian banks, 2005 to 2017",
        size="10 series x 3,032 trading days",
        origin="Velarde et al. 2022 (MIT), from Yahoo Finance",
        url=(
            "https://raw.githubusercontent.com/Alebuenoaz/LSTM-and-GRU-Time-Series-Forecasting/"
            "79d094f5fe185b27f5cde758b50d9f5306c6247e/"
        ),
        files={"BANKEX.csv": "30be25a3309907e4420767801c200426a67aad81c6d84aefb7c925df23d2fc64"},
        defaults={"data": {"train_series": ["AXISBANK"], "unit": "INR", "period": 5}},
    )
)
