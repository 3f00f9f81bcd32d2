"""Energy: hourly load of twelve regions, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.data.datasets.catalog import Source, register
from grubench.data.datasets.stamp_formats import ISO
from grubench.errors import DataError
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from grubench.data.series import Series
    from grubench.spec.sections import Data


def read(spec: Data, files: Sequence[Path]) -> list[Series]:
    """Twelve series, in the order of their names; or the one series of a file with the same columns."""
    return [_read_region(path, spec) for path in files]


def _read_region(path: Path, spec: Data) -> Series:
    import numpy as np

    from grubench.data.datasets import columns, stamps, tables, timestamps

    frame = tables.read_table(path)
    if list(frame.columns[:1]) != ["Datetime"] or len(frame.columns) != 2:
        raise DataError(f"{path.name} is not a file of a region.", "It needs the columns Datetime and REGION_MW.")
    load = columns.parse_numbers(frame.iloc[:, 1], path.name)
    if np.isnan(load).any():
        raise DataError(f"{path.name} has empty cells in {quote(frame.columns[1])}.", "Fill or remove the rows.")
    time = stamps.parse_stamps(frame["Datetime"], path.name, ISO).time
    return timestamps.arrange(str(frame.columns[1]).removesuffix("_MW"), time, load[:, None], ("load",), spec)


register(
    Source(
        name="energy",
        read=read,
        summary="Hourly electric load of 12 regions of the PJM grid (USA)",
        has_timestamps=True,
        size="12 series, 1,090,167 hours",
        origin="Kaggle, Hourly Energy Consumption (CC0)",
        url="https://raw.githubusercontent.com/gabrielloye/GRU_Prediction/ea3b6a811a92a781193e5ba552a8f67de8782adf/data/",
        files={
            "AEP_hourly.csv": "109d122f7b485555c609eecdec2cd5a03172e0a08acd358d863acc93eb452585",
            "COMED_hourly.csv": "2e79007e3f1be8765c92ff2b26314c0df0507bdd783110388a1e8d678d13fa1e",
            "DAYTON_hourly.csv": "84d3397231d5819b5cf086ef9e87cadf6dd7954085f2834be7e37257702ec768",
            "DEOK_hourly.csv": "070f9e0ece2fa97d5585f85bbf36122f5b3ab7f7f166db95fd0ebc3958d37600",
            "DOM_hourly.csv": "aa040e6ff42029dbc6698066d1a12765b00c56f993127af22f26aa9b769373a6",
            "DUQ_hourly.csv": "d4e09cca9f50c0c46eeef9feb8e5def5778368081c9af2a45cc0e8a798218071",
            "EKPC_hourly.csv": "2036a4ed539b10d42b9249a662d1e55eda555bba8673745ee1f5586db5cfe6ab",
            "FE_hourly.csv": "f2a4b89417cab06aaba451093f90d237fec911ccc70cd29a34449baaefdb8b3d",
            "NI_hourly.csv": "8de74f28ae6d03bd5d33050b00a2a1a001a8bff37e8e7100bf790003ea61030f",
            "PJME_hourly.csv": "4eb2b16d42bf07ec41ab55cb842191594cb69452725a6d3c0991658a628fde84",
            "PJMW_hourly.csv": "74b9c6c03e74933bfaf1f472eea18a2a09552289317858f6b1931fbc87c3996f",
            "PJM_Load_hourly.csv": "7dc080b7dfa4812c92f609a99cf1900cfbd49656412e744bf977d83500cebda0",
        },
        defaults={
            "data": {"time_features": ["hour", "weekday", "month", "dayofyear"], "unit": "MW", "period": 24},
            "window": {"lookback": 90},
        },
    )
)
