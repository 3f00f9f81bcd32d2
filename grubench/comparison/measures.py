"""What is set against what of two arms: paired logarithms of their errors and times, seed by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from grubench.comparison.comparison import Comparison
    from grubench.comparison.pairs import Pair
    from grubench.runs.records import Evaluation
    from grubench.runs.run import Run

    Array = NDArray[np.float64]

ERROR = "rmse_scaled"
DIRECTION = "directional_accuracy"
# From this many tested series on, a difference has to hold for other series too.
MIN_SERIES = 4


def has_series(comparison: Comparison) -> bool:
    """Whether enough series are tested to ask what other series would show."""
    return len(comparison.runs[0].metrics.test.series) >= MIN_SERIES


def read_scores(comparison: Comparison, test: Evaluation) -> Array:
    """A forecaster's scaled RMSE: `(series,)` where enough series are tested, else their mean, `(1,)`."""
    if not has_series(comparison):
        return np.array([test.rmse_scaled])
    return np.array([scores[ERROR] for scores in test.series.values()], float)


def pair_errors(comparison: Comparison, pair: Pair) -> Array | None:
    """Logarithms of the first's errors over the second's, the mean over settings: `(seed, series or 1)`.

    Of means over the series where one of them has an error of 0, to which there is no ratio. None where there is no
    seed that all have, or such a mean is 0.
    """
    values = _pair_values(comparison, pair, lambda run: read_scores(comparison, run.metrics.test))
    if values is None:
        return None
    if not np.all(values > 0):
        values = values.mean(axis=-1, keepdims=True)
    return _mean_over_settings(np.log(values)) if np.all(values > 0) else None


def pair_directions(comparison: Comparison, pair: Pair) -> Array | None:
    """The first's directional accuracy less the second's, the mean over settings: `(seed, series)`.

    None where there is none, or there are too few series of which it is defined.
    """

    def read(run: Run) -> Array:
        return np.array([scores[DIRECTION] for scores in run.metrics.test.series.values()], float)

    values = _pair_values(comparison, pair, read)
    if values is None:
        return None
    differences = _mean_over_settings(values)
    known = differences[:, ~np.isnan(differences).any(axis=0)]
    return known if known.shape[1] >= MIN_SERIES else None


def pair_times(comparison: Comparison, pair: Pair) -> Array | None:
    """Logarithms of the first's seconds per epoch over the second's, `(seed, 1)`, of trials that took turns.

    None where there are none.
    """
    values = _pair_values(comparison, pair, lambda run: np.array([run.metrics.timing.epoch_s]), in_turns=True)
    return None if values is None else _mean_over_settings(np.log(values))


def _pair_values(
    comparison: Comparison, pair: Pair, read: Callable[[Run], Array], *, in_turns: bool = False
) -> Array | None:
    """The values of the first and of the second: `(2, setting, seed, value)`; None where they share no seed."""
    matched = [comparison.pairs(*arms) for arms in pair.arms]
    if in_turns:
        matched = [[two for two in runs if took_turns(*two)] for runs in matched]
    seeds = set.intersection(*({one.experiment.seed for one, _ in runs} for runs in matched))
    if not seeds:
        return None
    chosen = [[two for two in runs if two[0].experiment.seed in seeds] for runs in matched]
    return np.array([[[read(two[place]) for two in runs] for runs in chosen] for place in (0, 1)])


def _mean_over_settings(values: Array) -> Array:
    """The first less the second, over settings: `(seed, value)`."""
    difference: Array = (values[0] - values[1]).mean(axis=0)
    return difference


def took_turns(first: Run, second: Run) -> bool:
    """Whether one call trained both, from the first epoch to the last: then one came soon after the other."""
    resumed = first.metrics.timing.resumed_after_epochs or second.metrics.timing.resumed_after_epochs
    return not resumed and first.environment.call == second.environment.call
