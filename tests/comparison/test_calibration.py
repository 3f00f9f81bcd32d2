"""How often the whole verdict claims what is not so: on made-up trials, and on real ones of a cell against itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibration import CASES, count_claims, read_claims
from conftest import IN_PROCESS, arm

from grubench.api import compare
from grubench.comparison.comparison import Comparison
from grubench.comparison.error_verdict import find_directions
from grubench.presets import resolve
from grubench.runs.run import Run

TRIES = 100
# Of claims with a rate of 5 % so many more are found by chance once in a thousand times.
CHANCE = 0.075
RUNS = 60
SPLITS = 400


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equal_arms_are_told_apart_in_five_percent(case: object, seeds: int) -> None:
    claims = count_claims(case, seeds, TRIES)  # type: ignore[arg-type]
    allowed = 0.05 + CHANCE if case.failing_arms != 1 else 0.15 + CHANCE  # type: ignore[attr-defined]
    assert claims["error"] <= allowed
    assert claims["speed"] <= 0.05 + CHANCE
    if case.failing_arms != 1:  # type: ignore[attr-defined]
        assert claims["baseline"] <= 0.05 + CHANCE


def split(runs: Sequence[Run], seeds: int, rng: np.random.Generator) -> Comparison:
    """Some runs of a cell against as many others, as if they were of two cells."""
    chosen = rng.permutation(len(runs))[: 2 * seeds].reshape(2, seeds)
    groups = {"GRU": ("gru", chosen[0]), "LSTM": ("lstm", chosen[1])}
    arms = {
        arm(name): [
            replace(runs[place], experiment=runs[place].experiment.with_cell(cell).with_seed(seed))
            for seed, place in enumerate(places)
        ]
        for name, (cell, places) in groups.items()
    }
    return Comparison(arms=arms, command="")


def count_in_splits(runs: Sequence[Run], seeds: int) -> tuple[float, float]:
    """The share of splits in which errors, and directional accuracies, are called different."""
    rng = np.random.default_rng(seeds)
    errors, directions = [], []
    for _ in range(SPLITS):
        found = split(runs, seeds, rng)
        errors.append(read_claims(found).error)
        directions.append(any(finding.numbers["p"] < 0.05 for finding in find_directions(found)))
    return float(np.mean(errors)), float(np.mean(directions))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["activities", "bankex"])
def test_a_cell_is_not_told_from_itself_on_many_series(
    preset: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Many seeds of a tiny GRU on ten series, split again and again."""
    if preset == "bankex":
        request.getfixturevalue("real_data")
    settings = {"model": {"layers": ["gru:8"]}, "training": {"epochs": 8}, "window": {"stride": 4}}
    spec = resolve(preset, settings)
    found = compare(spec, cells=["gru"], seeds=RUNS, output=tmp_path, options=IN_PROCESS)
    for seeds in (3, 5, 10):
        errors, directions = count_in_splits(found.runs, seeds)
        assert errors <= 0.08
        assert directions <= 0.08
