"""Activities: generated weeks of five busy and two quiet days, with noise, a shift and a trend per series."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from grubench.data.datasets.catalog import Source, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from grubench.data.series import Series
    from grubench.spec.sections import Data

DAYS = 3584
# Series by number: the exclusive bound of its own noise, in hundredths.
NOISE = {1: 9, 2: 15, 3: 50, 4: 20, 6: 5, 8: 40}


def read(spec: Data, files: Sequence[Path]) -> list[Series]:
    """Ten series of 3,584 days, the same for the same `generator_seed`; or the column `activity` of a file.

    References:
        Velarde et al., "An Open-Source and Reproducible Implementation of LSTM and GRU Networks for
        Time Series Forecasting", 2022. Their file is one draw of this recipe.
    """
    import numpy as np

    from grubench.data.datasets import tables
    from grubench.data.series import Series

    if files:
        return tables.read(replace(spec, target=("activity",)), files[0])
    draw = np.random.default_rng(spec.generator_seed)
    week = np.tile([1.0, 1, 1, 1, 1, 0, 0], DAYS // 7) + draw.integers(5, size=DAYS) * 0.01
    trend = np.arange(1, DAYS + 1) * 0.0001
    time = np.arange(DAYS)
    activities = []
    for number in range(10):
        values = np.roll(week, 2 * number)
        if number in NOISE:
            values = values + draw.integers(NOISE[number], size=DAYS) * 0.01
        if number:
            values = (values + trend) * number
        name = f"activity{number}"
        activities.append(Series(name=name, values=values[:, None], columns=("activity",), time=time, unit=spec.unit))
    return activities


register(
    Source(
        name="activities",
        read=read,
        summary="Weeks of 5 busy and 2 quiet days, with noise and a trend",
        size="10 series x 3,584 days",
        origin="generated after the recipe of Velarde et al. 2022",
        defaults={"data": {"train_series": ["activity0"], "period": 7}, "window": {"lookback": 28, "horizon": 7}},
    )
)
