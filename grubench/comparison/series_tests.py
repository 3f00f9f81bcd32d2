"""Forecasters over the series of a dataset, in the form of Velarde et al. 2022: means, deviations, Mann-Whitney tests.

A forecaster's figure of a series is the mean over its seeds. The test asks whether two forecasters differ across
series; it says nothing of other seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.pairs import name_pair, neighbours
from grubench.comparison.statistics import holm, mann_whitney, written_p
from grubench.spec.arms import Arm

if TYPE_CHECKING:
    from grubench.comparison.comparison import Comparison

MEASURES = {"rmse_scaled": "RMSE scaled", "directional_accuracy": "directional accuracy"}
# With fewer series than this no test can show anything at 5 %: 2 / C(2n, n) is 0.1 for 3 and 0.03 for 4.
LEAST_SERIES = 4
PERSISTENCE = Arm(name="persistence", cell="persistence")


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


def figures(comparison: Comparison, measure: str) -> dict[Arm, list[float]]:
    """The measure of each series, `(series,)`, for each arm (the mean over its seeds) and for persistence."""
    names = list(comparison.runs[0].metrics.test.series)
    found = {}
    for arm, runs in comparison.arms.items():
        rows = [[run.metrics.test.series[name][measure] for name in names] for run in runs]
        found[arm] = np.mean(np.array(rows, float), axis=0).tolist()
    persistence = comparison.runs[0].metrics.baselines["persistence"].series
    return found | {PERSISTENCE: np.array([persistence[name][measure] for name in names], float).tolist()}


def tests(comparison: Comparison) -> list[SeriesTest]:
    """The Mann-Whitney tests of neighbouring arms and of each against persistence; none where series are too few."""
    found: list[SeriesTest] = []
    for measure in MEASURES:
        values = figures(comparison, measure)
        if len(values[PERSISTENCE]) < LEAST_SERIES or np.isnan(list(values.values())).any():
            continue
        pairs = [*neighbours(comparison), *((arm, PERSISTENCE) for arm in values if arm != PERSISTENCE)]
        results = {(one, other): mann_whitney(values[one], values[other]) for one, other in pairs}
        corrected = holm({f"{one}/{other}": result.p for (one, other), result in results.items()})
        found += [
            SeriesTest(
                measure=measure,
                first=one,
                second=other,
                u=result.u,
                p=result.p,
                corrected_p=corrected[f"{one}/{other}"],
            )
            for (one, other), result in results.items()
        ]
    return found


def lines(comparison: Comparison) -> list[tuple[str, ...]]:
    """A line a forecaster (mean and deviation over series) and a line a pair (U and p), a column a measure, to print.

    The deviation is the population's, as the study prints it; p is Holm's where several pairs are tested.
    """
    made = tests(comparison)
    if not made:
        return []
    keys = list(dict.fromkeys(test.measure for test in made))
    values = {key: figures(comparison, key) for key in keys}
    found = [
        (arm.short_name, *(f"{np.mean(values[key][arm]):.4f} ± {np.std(values[key][arm]):.4f}" for key in keys))
        for arm in values[keys[0]]
    ]
    for first, second in dict.fromkeys((test.first, test.second) for test in made):
        ours = [test for test in made if (test.first, test.second) == (first, second)]
        found.append((name_pair(first, second), *(f"U = {test.u:g}, p {written_p(test.corrected_p)}" for test in ours)))
    return [("", *(MEASURES[key] for key in keys)), *found]
