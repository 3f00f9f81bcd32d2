"""What a comparison shows: the answer, and the evidence for it, a finding each."""

from __future__ import annotations

import re
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
from grubench.text import count, write_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.comparison.answer import Answer
    from grubench.comparison.comparison import Comparison, Failure


# Of more arms that failed in the same way it is said how many there are.
MAX_ARMS_NAMED = 6


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
    """Name the trials that failed, each kind of failure once, with its reason and remedy."""
    kinds: dict[tuple[str, str], list[Failure]] = {}
    for failure in comparison.failures:  # in which epoch a loss became NaN makes no other kind
        kinds.setdefault((re.sub(r"\d+", "", failure.message), failure.remedy), []).append(failure)
    return [_describe_failures(of_kind) for of_kind in kinds.values()]


def _describe_failures(failures: Sequence[Failure]) -> Finding:
    seeds: dict[str, list[int]] = {}
    for failure in failures:
        seeds.setdefault(failure.arm, []).append(failure.seed)
    named = [
        f"{arm} with {'seed' if len(of_arm) == 1 else 'seeds'} {write_numbers(sorted(of_arm))}"
        for arm, of_arm in list(seeds.items())[:MAX_ARMS_NAMED]
    ]
    more = f" and {count(len(seeds) - len(named), 'more arm')}" if len(seeds) > len(named) else ""
    messages = list(dict.fromkeys(failure.message for failure in failures))
    alike = " (or alike)" if len(messages) > 1 else ""
    text = f"{'; '.join(named)}{more}: {messages[0]}{alike} {failures[0].remedy}".strip()
    return Finding(topic="failed", text=text, numbers={"trials": len(failures)}, arms=tuple(seeds))
