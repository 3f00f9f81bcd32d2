"""What datasets there are: where each comes from, its files with their checksums, and its defaults.

Nothing here reads data or imports anything heavy, so that `grubench datasets` and the checking of
flags are quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from grubench.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Source:
    """One dataset.

    Attributes:
        name: What flags and folders call it.
        summary: One line of what it is.
        size: Its series and rows, in words.
        origin: Who published it, under what licence.
        url: The folder the files are fetched from, ending in a slash; empty for generated data.
        files: SHA-256 by path below `url`.
        defaults: Settings that fit the data, as the spec's nested dictionaries.
    """

    name: str
    summary: str
    size: str
    origin: str
    url: str = ""
    files: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def generated(self) -> bool:
        """Whether grubench makes the data itself."""
        return not self.url


ACTIVITIES = Source(
    name="activities",
    summary="Weeks of 5 busy and 2 quiet days, with noise and a trend",
    size="10 series x 3,584 days",
    origin="generated after the recipe of Velarde et al. 2022",
    defaults={"data": {"train_series": ["activity0"], "period": 7}, "window": {"lookback": 28, "horizon": 7}},
)

BANKEX = Source(
    name="bankex",
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

BITCOIN = Source(
    name="bitcoin",
    summary="Daily price of Bitcoin, 2013 to 2021",
    size="1 series x 2,984 days",
    origin="Kaggle, Cryptocurrency Historical Prices (CC0)",
    url="https://raw.githubusercontent.com/VishalDave07/coin_Bitcoin/a100cd33cf60265cb18eff065f9db0f28dd884d3/",
    files={"coin_Bitcoin.csv": "210a29c8fe48054889395ab1c2ffab01a171c8f13f3f027f1bace7d3e3e7e63d"},
    defaults={"data": {"target": ["Close"], "unit": "USD", "period": 7}},
)

ENERGY = Source(
    name="energy",
    summary="Hourly electric load of 12 regions of the PJM grid (USA)",
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

WAVES = Source(
    name="waves",
    summary="Two sine waves whose amplitudes wander, plus noise",
    size="50 sequences x 20,001 steps",
    origin="generated after the recipe behind the 2019 experiment of Mindboard",
    defaults={
        "data": {
            "train_series": [f"wave{number:02d}" for number in range(1, 41)],
            "test_series": [f"wave{number:02d}" for number in range(41, 51)],
        },
        "window": {
            "lookback": 20_000,
            "every_step": True,
            "split": "series",
            "validation": 0,
            "test": 0,
            "scaling": "standard",
            "scale_per": "dataset",
        },
    },
)

CATALOG = {source.name: source for source in (ACTIVITIES, BANKEX, BITCOIN, ENERGY, WAVES)}


def find(name: str) -> Source:
    """The dataset of this name.

    Raises:
        UsageError: There is none; the message lists those that there are.
    """
    if name not in CATALOG:
        raise UsageError(
            f"data.dataset: there is no dataset {name!r}.",
            f"There are: {', '.join(CATALOG)}. A file of your own goes in with --csv FILE.",
        )
    return CATALOG[name]
