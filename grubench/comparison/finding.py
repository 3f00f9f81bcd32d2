"""One statement of a verdict, as a value: what it is about, its sentence, and the numbers that the sentence states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from grubench.comparison.power import MIN_SEEDS
from grubench.text import count, join_and

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Topic = Literal["error", "speed", "baseline", "learning", "trials", "seeds", "series", "test part", "pairs", "failed"]
# Of more arms or pairs of arms than these a sentence gives the span, and a table the rest.
MAX_NAMED = 3
# Of more pairs than these the details say how many there are.
MAX_DETAILED = 20
# What an answer may choose in place of an arm or a cell.
EITHER, NEITHER, UNDECIDED = "either", "neither", "undecided"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One statement of a verdict.

    Attributes:
        topic: What it is about.
        text: The statement in words, without the topic.
        numbers: The numbers that it states, by name, before rounding.
        arms: The names of the arms that it names.
        title: What stands before it in place of the topic.
        is_detail: Whether it is for those who look twice.
    """

    topic: Topic
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    arms: tuple[str, ...] = ()
    title: str = ""
    is_detail: bool = False

    def __str__(self) -> str:
        """The topic and the statement: `Speed: GRU trains ...`."""
        return f"{self.heading}: {self.text}"

    @property
    def heading(self) -> str:
        """The title, or the topic, as a heading."""
        return (self.title or self.topic).capitalize()


def explain_untested(seeds: int, fewest: int = MIN_SEEDS) -> str:
    """Say why nothing is tested: too few seeds, or the same for all of them."""
    if seeds >= fewest:
        return f"the ratio of the two is the same for all {seeds} seeds, which says nothing of other seeds"
    return f"{count(seeds, 'seed')} {'is' if seeds == 1 else 'are'} too few to tell"


def format_span(values: Mapping[str, float], decimals: int) -> str:
    """The values of a few arms each with its name, of many from the least to the most."""
    texts = {name: f"{value:.{decimals}f}" for name, value in values.items()}
    if len(texts) > MAX_NAMED:
        return f"{min(texts.values(), key=float)} to {max(texts.values(), key=float)}"
    return " and ".join(f"{text} ({name})" for name, text in texts.items())


def name_arms_together(names: Sequence[str], total: int) -> str:
    """A few arms by name, many by number.

    Args:
        names: Some of the arms.
        total: How many arms there are.
    """
    if total <= MAX_NAMED or len(names) <= MAX_NAMED:
        return join_and(names)
    return f"all {len(names)} arms" if len(names) == total else f"{len(names)} of {total} arms"
