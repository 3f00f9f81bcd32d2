"""Tests that hold however often one looks: seeds can be added after each look until a pair is decided.

An e-value is a bet against equal arms that starts at 1: if they are equal, it ever reaches 20 in at most 1 of 20
comparisons, however long it is watched (Ville's inequality). So 1 over it is a p value at every look, and the means
that it does not rule out are an interval at every look. A t-test that is looked at after each seed has no such bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from grubench.comparison.statistics import LEVEL, Estimate, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

# The variance of the effects that the bet is on, in spreads: most are below four.
EFFECTS = 4.0
# By how much a test that looks once is corrected where it is looked at again and again. Its series stay the same from
# look to look, so that most looks say the same: equal arms are told apart in at most 6 % of simulated comparisons
# (looks at 3 to 30 seeds; 4, 10 and 20 series), and without the correction in 9 %.
LOOKS = 3


@dataclass(frozen=True, kw_only=True)
class SequentialEstimate(Estimate):
    """An estimate whose p values and intervals hold at every look.

    They are about other seeds. Where the estimate is over series too, what is shown of other seeds has to be shown of
    other seeds and series as well, by the test that looks once, at a third of its level.
    """

    @classmethod
    def watch(cls, found: Estimate) -> SequentialEstimate:
        """The same estimate, to be looked at again and again."""
        return cls(**vars(found))

    def p(self) -> float:
        """Two-sided p of a mean of 0; NaN where nothing can be said of other seeds."""
        if not self.of_seeds > 0:
            return float("nan")
        p = self._p_of(abs(self.mean))
        return max(p, min(1.0, LOOKS * super().p())) if self.series else p

    def p_within(self, limit: float) -> float:
        """The p of a mean that is not between -limit and limit."""
        if not self.of_seeds > 0:
            return float("nan")
        p = self._p_of(limit - abs(self.mean)) if abs(self.mean) < limit else 1.0
        return max(p, min(1.0, LOOKS * super().p_within(limit))) if self.series else p

    def interval(self, level: float = LEVEL) -> Interval:
        """The means that are not ruled out; without ends where there are too few seeds to rule out any."""
        return self._widen(super().interval(1 - (1 - level) / LOOKS), 1 - level)

    def interval_within(self, alpha: float) -> Interval:
        """The interval that lies within a limit where `p_within` of it is below alpha."""
        return self._widen(super().interval(1 - 2 * alpha / LOOKS), alpha)

    def _widen(self, once: Interval, alpha: float) -> Interval:
        """The means that e-values at alpha do not rule out; over series also those of the test that looks once."""
        if not self.of_seeds > 0:
            return Interval(low=float("nan"), high=float("nan"))
        half = find_critical_t(self.seeds, alpha) * self.spread / np.sqrt(self.seeds)
        low, high = self.mean - half, self.mean + half
        if self.series:
            low, high = min(low, once.low), max(high, once.high)
        return Interval(low=low, high=high)

    def _p_of(self, distance: float) -> float:
        """The p of a mean that lies so far from the one that was measured."""
        return min(1.0, 1 / compute_e(distance * np.sqrt(self.seeds) / self.spread, self.seeds))


def compute_e(t: float, seeds: int) -> float:
    """The e-value of a t statistic: how many times as likely it is if the effect is normal, with variance 4, than if 0.

    `E = (1 + n g)^-1/2 ((1 + t^2 / v) / (1 + t^2 / (v (1 + n g))))^(n / 2)`, with `v = n - 1` and `g = 4`.

    Args:
        t: Student's t of paired values.
        seeds: How many there are, n.

    References:
        Goenen, Johnson, Lu & Westfall, "The Bayesian two-sample t test", 2005 (the formula).
        Perez-Ortiz, Lardy, de Heide & Gruenwald, "E-statistics, group invariance and anytime-valid testing", 2024.
    """
    freedom, growth = seeds - 1, 1 + seeds * EFFECTS
    odds = np.log1p(t**2 / freedom) - np.log1p(t**2 / (freedom * growth))
    return float(np.exp(seeds / 2 * odds - np.log(growth) / 2))


def find_critical_t(seeds: int, alpha: float) -> float:
    """The t at which the e-value is 1 / alpha; infinite where no t of so few seeds reaches that."""
    growth = 1 + seeds * EFFECTS
    needed = (np.sqrt(growth) / alpha) ** (2 / seeds)
    if needed >= growth:
        return float("inf")
    return float(np.sqrt((seeds - 1) * (needed - 1) / (1 - needed / growth)))


def p_of_signs(signs: Sequence[float]) -> float:
    """A p that holds at every look, of values that are as often above 0 as below; zeros do not count.

    `E = 2^n k! (n - k)! / (n + 1)!`, of k values above 0: a bet on every share of them alike.

    References:
        Ville, "Etude critique de la notion de collectif", 1939; Shafer, "Testing by betting", 2021.
    """
    above, below = sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs)
    log_e = (above + below) * np.log(2) + special.betaln(above + 1, below + 1)
    return float(min(1.0, np.exp(-log_e)))
