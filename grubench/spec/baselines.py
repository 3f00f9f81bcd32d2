"""The baselines: one record each, which all that speaks of baselines reads."""

from __future__ import annotations

from dataclasses import dataclass

# Inputs of a window that the linear baseline reads at most: its time grows with their cube.
MAX_LINEAR_INPUTS = 1000


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A forecaster that a network has to beat. None has a seed.

    Attributes:
        name: Its name in tables, in metrics.json and in exports.
        action: What it does, in words.
        color: Its color in pictures.
    """

    name: str
    action: str
    color: str


PERSISTENCE = Baseline(name="persistence", action="repeating the last value", color="#999999")
SEASONAL = Baseline(name="seasonal", action="repeating the last season", color="#CC79A7")
LINEAR = Baseline(name="linear", action="linear regression", color="#E69F00")
BASELINES = {baseline.name: baseline for baseline in (PERSISTENCE, SEASONAL, LINEAR)}


def limit_linear_inputs(lookback: int, inputs: int) -> tuple[int, int]:
    """How much of a window the linear baseline reads: of a long one the most recent steps.

    Args:
        lookback: The steps of the window.
        inputs: The inputs of a step.

    Returns:
        The steps, and the inputs of each: all, or the target alone where those of one step are too many already.
    """
    inputs = inputs if inputs <= MAX_LINEAR_INPUTS else 1
    return min(lookback, MAX_LINEAR_INPUTS // inputs), inputs
