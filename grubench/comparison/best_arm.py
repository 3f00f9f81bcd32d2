"""The best arm of a comparison, chosen on validation: picked by its test error it would look better than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grubench.comparison.reliability import find_reliability

if TYPE_CHECKING:
    from grubench.comparison.comparison import Comparison
    from grubench.runs.run import Run
    from grubench.spec.arms import Arm


def find_best_arm(comparison: Comparison) -> tuple[Arm, str]:
    """The best arm, and by what it was chosen: the validation loss where all have the same, else the test error.

    An arm that lost half of its trials or more is not chosen, unless all did: its best trials are its luckiest.
    """
    arms = _list_reliable(comparison) or comparison.arms
    losses = {arm: [run.metrics.loss.validation for run in runs] for arm, runs in arms.items()}
    known = {arm: [loss for loss in of_arm if loss is not None] for arm, of_arm in losses.items()}
    are_alike = len({spec.training.loss for spec in comparison.specs.values()}) == 1
    if are_alike and all(len(known[arm]) == len(losses[arm]) for arm in known):
        return min(known, key=lambda arm: float(np.mean(known[arm]))), "validation"
    errors = {arm: np.mean([run.metrics.test.rmse_scaled for run in runs]) for arm, runs in arms.items()}
    return min(errors, key=lambda arm: float(errors[arm])), "the test part itself, which flatters it"


def _list_reliable(comparison: Comparison) -> dict[Arm, list[Run]]:
    """The arms that lost fewer than half of their trials."""
    reliability = find_reliability(comparison)
    return {
        arm: runs
        for arm, runs in comparison.arms.items()
        if 2 * reliability[arm.name].lost < reliability[arm.name].trials
    }


def find_best_run(comparison: Comparison) -> Run:
    """The run of the best arm that was chosen by the same."""
    arm, _ = find_best_arm(comparison)

    def read_loss(run: Run) -> float:
        loss = run.metrics.loss.validation
        return run.metrics.test.rmse_scaled if loss is None else loss

    return min(comparison.arms[arm], key=read_loss)
