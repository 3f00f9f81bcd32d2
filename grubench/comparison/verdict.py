"""What a comparison shows: the answer, and the evidence for it, a finding each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grubench.comparison import answer as answering
from grubench.comparison.baseline_verdict import find_against_baselines
from grubench.comparison.error_verdict import find_directions, find_effects, find_errors
from grubench.comparison.finding import Finding
from grubench.comparison.reservations import (
    explain_small_test,
    find_exact,
    find_lagging,
    find_learning,
    find_lost,
    find_small_test,
    find_unpaired,
    find_unseen,
)
from grubench.comparison.speed_verdict import find_speed

if TYPE_CHECKING:
    from grubench.comparison.answer import Answer
    from grubench.comparison.comparison import Comparison


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a comparison shows.

    Attributes:
        answer: The answer.
        findings: The evidence; those with `is_detail` for readers who look twice.
    """

    answer: Answer
    findings: tuple[Finding, ...]

    @property
    def evidence(self) -> list[Finding]:
        """The findings that everybody sees."""
        return [finding for finding in self.findings if not finding.is_detail]


def write_verdict(comparison: Comparison) -> Verdict:
    """State what a comparison shows."""
    too_few = explain_small_test(comparison)
    findings = (
        *find_small_test(comparison),
        *find_errors(comparison, too_few),
        *find_exact(comparison),
        *find_against_baselines(comparison, too_few),
        *find_lagging(comparison),
        *find_speed(comparison),
        *find_learning(comparison),
        *find_lost(comparison),
        *find_unpaired(comparison),
        *find_failures(comparison),
        *find_unseen(comparison),
        *([] if too_few else find_directions(comparison)),
        *([] if too_few else find_effects(comparison)),
    )
    return Verdict(answer=answering.answer(comparison), findings=findings)


def find_failures(comparison: Comparison) -> list[Finding]:
    """Name the trials that failed, each with its reason and remedy."""
    return [
        Finding(
            topic="failed",
            text=f"{failure.arm} with seed {failure.seed}. {failure.message} {failure.remedy}",
            numbers={"seed": failure.seed},
            arms=(failure.arm,),
        )
        for failure in comparison.failures
    ]
