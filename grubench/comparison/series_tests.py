"""The tests of Velarde et al. 2022 on their datasets: means, deviations and Mann-Whitney tests over series.

A forecaster's value of a series is the mean over its seeds. The test asks whether two sets of values differ across
series; it says nothing of other seeds, and so decides nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.pairs import explain_untested, find_neighbors
from grubench.comparison.statistics import correct, mann_whitney
from grubench.spec import baselines
from grubench.spec.arms import Arm

if TYPE_CHECKING:
    from grubench.comparison.comparison import Comparison

# The datasets and the lookback of the study; elsewhere a test over series, which says nothing of seeds, would mislead.
STUDIED, LOOKBACK = ("activities", "bankex"), 60
# The keys of the metrics that are tested.
MEASURES = ("rmse_scaled", "directional_accuracy")
# With fewer series than this no test can show anything at 5 %: 2 / C(2n, n) is 0.1 for 3 and 0.03 for 4.
MIN_SERIES = 4
PERSISTENCE = Arm(name=baselines.PERSISTENCE.name, cell=baselines.PERSISTENCE.name, color=baselines.PERSISTENCE.color)


@dataclass(frozen=True, kw_only=True)
class SeriesTest:
    """Two forecasters by one measure, over series.

    Attributes:
        measure: The measure's key.
        first: A forecaster.
        second: Another.
        u: The Mann-Whitney U of the first.
        p: Its two-sided p, as the study prints it.
        corrected_p: The same with Holm's correction over the pairs of this measure.
    """

    measure: str
    first: Arm
    second: Arm
    u: float
    p: float
    corrected_p: float


def average_over_seeds(comparison: Comparison, measure: str) -> dict[Arm, list[float]]:
    """The measure of each series, `(series,)`, for each arm (the mean over its seeds) and for persistence.

    A series of which a forecaster has no such measure is left out.
    """
    names = list(comparison.runs[0].metrics.test.series)
    averages = {}
    for arm, runs in comparison.arms.items():
        rows = [[run.metrics.test.series[name][measure] for name in names] for run in runs]
        averages[arm] = np.mean(np.array(rows, float), axis=0)
    persistence = comparison.runs[0].metrics.baselines[PERSISTENCE.name].series
    averages[PERSISTENCE] = np.array([persistence[name][measure] for name in names], float)
    known = np.all([~np.isnan(values) for values in averages.values()], axis=0)
    return {arm: values[known].tolist() for arm, values in averages.items()}


@lru_cache(maxsize=2)
def compare_over_series(comparison: Comparison) -> list[SeriesTest]:
    """Test neighboring arms, and each arm against persistence (Mann-Whitney), on the data of the study alone."""
    tests: list[SeriesTest] = []
    if comparison.spec.data.dataset not in STUDIED or comparison.spec.window.lookback != LOOKBACK:
        return tests
    for measure in MEASURES:
        values = average_over_seeds(comparison, measure)
        if len(values[PERSISTENCE]) < MIN_SERIES:
            continue
        neighbors = [] if explain_untested(comparison) else [pair.arms[0] for pair in find_neighbors(comparison)]
        pairs = [*neighbors, *((arm, PERSISTENCE) for arm in values if arm != PERSISTENCE)]
        results = {pair: mann_whitney(values[pair[0]], values[pair[1]]) for pair in pairs}
        corrected = correct({pair: result.p for pair, result in results.items()})
        tests += [
            SeriesTest(
                measure=measure,
                first=pair[0],
                second=pair[1],
                u=result.u,
                p=result.p,
                corrected_p=corrected[pair].p,
            )
            for pair, result in results.items()
        ]
    return tests
