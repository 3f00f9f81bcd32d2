"""The season of a dataset: what its calendar suggests, kept where the training part bears it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grubench.data.calendar import find_calendar
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.data.series import Series

# Seasons that the training part must have at least.
MIN_SEASONS = 3
# The least autocorrelation. From p pairs of values one season m apart, white noise seldom shows more than 2.6/sqrt(p),
# and a random walk more than sqrt(m/p).
MIN_AUTOCORRELATION = 0.3
WHITE_NOISE_LIMIT = 2.6
# Deviations below this part of the largest value are rounding.
ROUNDING = 1e-12
# A season shows in the last rows of a long training part as well.
MAX_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class FoundSeason:
    """What was found.

    Attributes:
        steps: Steps in a season; 0 for none.
        reason: Why, in a sentence.
    """

    steps: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """How a training part speaks for a season.

    Attributes:
        autocorrelation: At the lag of one season.
        limit: What chance seldom exceeds.
        is_peak: Whether it is higher than at lags an eighth of a season shorter and longer.
    """

    autocorrelation: float
    limit: float
    is_peak: bool

    @property
    def is_enough(self) -> bool:
        """Whether the season is kept."""
        return self.is_peak and self.autocorrelation > max(MIN_AUTOCORRELATION, self.limit)


def find_season(series: Sequence[Series], training: Sequence[NDArray[np.float64]]) -> FoundSeason:
    """Find the season of a dataset.

    The candidates are those of the calendar (see `Calendar.list_seasons`), the shortest first; the first for which the
    training part speaks is taken.

    Args:
        series: The series that are trained on.
        training: The target in the training part of each, `(time,)`.
    """
    longest = max(series, key=len)
    calendar = find_calendar(longest.calendar_time)
    if calendar is None:
        return _none("the rows have no timestamps that suggest one")
    if calendar.kind == "irregular":
        return _none("the timestamps are irregular")
    candidates = calendar.list_seasons()
    if not candidates:
        return _none(f"timestamps {calendar.rule} suggest none")
    weak = []
    for season in candidates:
        evidence = measure_evidence(training, season.steps)
        if evidence is None:
            continue
        text = f"autocorrelation {evidence.autocorrelation:.2f}"
        if evidence.is_enough:
            reason = f"Season of {count(season.steps, 'step')}: {season.name}, {text} in the training part."
            return FoundSeason(steps=season.steps, reason=reason)
        flat = "" if evidence.is_peak else ", no more than at lags beside it"
        weak.append(f"{season.name} ({count(season.steps, 'step')}) has {text}{flat}")
    if not weak:
        shortest = candidates[0]
        return _none(f"the training part has fewer than {MIN_SEASONS} times {shortest.steps} steps ({shortest.name})")
    return _none(f"{' and '.join(weak)} in the training part")


def _none(reason: str) -> FoundSeason:
    return FoundSeason(steps=0, reason=f"No season: {reason}; --period sets one.")


def measure_evidence(training: Sequence[NDArray[np.float64]], season: int) -> Evidence | None:
    """Measure the mean autocorrelation of the training parts at a lag of one season; None where all are too short.

    Of each value the mean of the season around it is taken off first: it takes trends and slow changes away, and leaves
    both white noise and random walks with an autocorrelation of 0 at this lag.
    """
    long = [values[-MAX_ROWS:] for values in training if len(values) >= MIN_SEASONS * season]
    if not long:
        return None
    margin = max(1, season // 8)
    found = np.mean([_autocorrelate(values, season, season + margin) for values in long], axis=0)
    pairs = float(np.mean([len(values) for values in long])) - 2 * season + 1
    limit = max(WHITE_NOISE_LIMIT, season**0.5) / pairs**0.5
    value = float(found[season])
    is_peak = bool(value > found[season - margin] and value > found[season + margin])
    return Evidence(autocorrelation=value, limit=limit, is_peak=is_peak)


def _remove_level(values: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """The deviations from the centered mean over one season, whose halves weigh less at the ends of an even one."""
    values = values - values.mean()
    sums = np.cumsum(np.concatenate([[0.0], values]))
    means = (sums[season:] - sums[:-season]) / season
    if season % 2 == 0:
        means = (means[1:] + means[:-1]) / 2
    half = season // 2
    return np.asarray(values[half : half + len(means)] - means)


def _autocorrelate(series: NDArray[np.float64], season: int, lags: int) -> NDArray[np.float64]:
    """The autocorrelation at lags 0 to `lags` without the level; 0 where only rounding is left of the values."""
    values = _remove_level(series, season)
    if values.std() <= ROUNDING * np.abs(series).max():
        return np.zeros(lags + 1)
    rows = len(values)
    size = 1 << (rows + lags).bit_length()
    spectrum = np.fft.rfft(values - values.mean(), size)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, size)[: lags + 1] / np.maximum(rows - np.arange(lags + 1), 1)
    return np.asarray(covariance / covariance[0])
