"""The baselines: one record each, which all that speaks of baselines reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A forecaster without parameters.

    Attributes:
        name: Its name in tables, in metrics.json and in exports.
        repeats: What it repeats the last of.
        color: Its color in pictures.
    """

    name: str
    repeats: str
    color: str


PERSISTENCE = Baseline(name="persistence", repeats="value", color="#999999")
SEASONAL = Baseline(name="seasonal", repeats="season", color="#CC79A7")
BASELINES = {baseline.name: baseline for baseline in (PERSISTENCE, SEASONAL)}
