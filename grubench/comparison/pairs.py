"""What is set against what: arms that are neighbors, and cells over all settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from grubench.spec.arms import find_differing_settings, flatten_spec
from grubench.spec.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grubench.comparison.comparison import Comparison
    from grubench.spec.arms import Arm
    from grubench.spec.experiment import Experiment

# More pairs of arms than this are not tested: corrected for so many, hardly any would differ, and nobody reads them.
MAX_TESTED = 1000


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms, or two cells with all settings that both have, in the order in which the comparison has them.

    Attributes:
        first: The name of the first.
        second: The name of the other.
        arms: The two arms; of cells those of each setting.
    """

    first: str
    second: str
    arms: tuple[tuple[Arm, Arm], ...]

    @property
    def is_of_cells(self) -> bool:
        """Whether it is of cells over several settings."""
        return len(self.arms) > 1


@lru_cache(maxsize=2)  # the verdict, the tables and the files ask for the same pairs
def find_neighbors(comparison: Comparison) -> list[Pair]:
    """Find the pairs of arms to compare: those between which no third arm lies.

    Of cells crossed with settings those pairs remain that differ in one of them: an arm that shares more settings
    with both lies between two that differ in several.
    """
    arms = list(comparison.arms)
    differing = _find_differing_bits([spec.with_seed(0) for spec in comparison.specs.values()])
    neighbors = []
    for place, keys in enumerate(differing):
        # Of the settings in which this arm differs from each other (the columns), a third (the rows) differs in fewer.
        from_this = ~(keys[:, None] & ~keys).astype(bool) & (keys[:, None] != keys)
        from_other = ~(differing & ~keys).astype(bool) & (differing != keys)
        is_between = (from_this & from_other).any(axis=0)
        neighbors += [(arms[place], arms[other]) for other in range(place + 1, len(arms)) if not is_between[other]]
    return [Pair(first=first.name, second=second.name, arms=((first, second),)) for first, second in neighbors]


def _find_differing_bits(specs: Sequence[Experiment]) -> NDArray[np.uint64]:
    """For each two of some specs the settings in which they differ, a bit each: `(spec, spec)`."""
    flat = [flatten_spec(spec) for spec in specs]
    bits = np.zeros((len(specs), len(specs)), np.uint64)
    for number, key in enumerate(find_differing_settings(specs)):
        values: dict[str, int] = {}
        codes = np.array([values.setdefault(repr(settings[key]), len(values)) for settings in flat])
        bits |= (codes[:, None] != codes).astype(np.uint64) << np.uint64(number)
    return bits


@lru_cache(maxsize=2)
def find_cell_pairs(comparison: Comparison) -> list[Pair]:
    """Find the pairs of cells that several settings have in common; none where nothing but the cell is varied.

    An arm whose trials all failed is one of them: without it a cell would seem better where it fails.
    """
    arms_of: dict[str, dict[tuple[tuple[str, str], ...], Arm]] = {}
    for arm in (*comparison.arms, *comparison.failed_arms):
        arms_of.setdefault(arm.cell, {})[tuple(arm.settings.items())] = arm
    cells = list(arms_of)
    if comparison.failed_arms:  # the first arm of a cell may be one of them, which would turn pairs around
        cells.sort(key=lambda cell: [*CELLS, cell.lower()].index(cell.lower()))
    pairs = []
    for first, second in combinations(cells, 2):
        ours, theirs = arms_of[first], arms_of[second]
        shared = ((ours[settings], theirs[settings]) for settings in ours if settings in theirs)
        # Where both failed there is nothing to compare.
        arms = tuple(both for both in shared if any(arm in comparison.arms for arm in both))
        trained = [arm for both in arms for arm in both if arm in comparison.arms]
        if len(arms) > 1 and len({arm.cell for arm in trained}) == 2:
            pairs.append(Pair(first=first, second=second, arms=arms))
    return pairs


def explain_untested(comparison: Comparison) -> str:
    """Why no pairs of arms are tested; empty where they are."""
    pairs = len(find_neighbors(comparison))
    if pairs <= MAX_TESTED:
        return ""
    return f"{pairs:,} pairs of arms are too many to test (the most is {MAX_TESTED:,}); compare fewer arms."


def find_pairs(comparison: Comparison) -> list[Pair]:
    """The pairs that are tested: of cells, and of neighbors; none where there are too many."""
    return [] if explain_untested(comparison) else [*find_cell_pairs(comparison), *find_neighbors(comparison)]


def find_differing_keys(comparison: Comparison, pair: Pair) -> list[str]:
    """The dotted keys of the settings in which the arms of a pair differ."""
    specs = {arm: spec.with_seed(0) for arm, spec in comparison.specs.items()}
    keys = (
        find_differing_settings([specs[first], specs[second]])
        for first, second in pair.arms
        if first in specs and second in specs
    )
    return list(dict.fromkeys(key for of_arms in keys for key in of_arms))


def name_pair(pair: Pair) -> str:
    """Name a pair, what its arms share said once: `GRU / LSTM, loss mse`, `LSTM: learning_rate 0.003 / 0.01`."""
    if pair.is_of_cells:
        return f"{pair.first} / {pair.second}, all settings"
    first, second = pair.arms[0]
    keys = list(dict.fromkeys([*first.settings, *second.settings]))
    equal = [key for key in keys if first.settings.get(key) == second.settings.get(key)]
    apart = [key for key in keys if key not in equal]
    shared = [f"{key} {first.settings[key]}" for key in equal]
    if first.cell != second.cell or not apart:
        texts = (_name_apart(arm, apart, arm.cell) for arm in (first, second))
        return ", ".join([" / ".join(texts), *shared])
    if len(apart) == 1:
        (key,) = apart
        settings = f"{key} {' / '.join(arm.settings.get(key, 'none') for arm in (first, second))}"
    else:
        settings = " / ".join(_name_apart(arm, apart) for arm in (first, second))
    return f"{', '.join([first.cell, *shared])}: {settings}"


def introduce_pair(pair: Pair) -> str:
    """The name of a pair before a number, which is not to be taken for a setting's value."""
    ends_with_setting = not pair.is_of_cells and any(arm.settings for arm in pair.arms[0])
    return f"{name_pair(pair)}:" if ends_with_setting else name_pair(pair)


def _name_apart(arm: Arm, keys: Sequence[str], cell: str = "") -> str:
    """An arm by some of its settings."""
    return " ".join([*([cell] if cell else []), *(f"{key} {arm.settings[key]}" for key in keys if key in arm.settings)])
