"""One statement of a verdict, as a value: what it is about, its sentence, and the numbers that the sentence states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from grubench.comparison.pairs import MIN_PAIRS
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grubench.comparison.pairs import Pair

Topic = Literal["test part", "pairs", "speed", "error", "power", "baseline", "failed"]
# Of more arms or pairs of arms than these a sentence gives the span, and a table the rest.
MAX_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One statement of a verdict.

    Attributes:
        topic: What it is about.
        text: The statement in words, without the topic.
        numbers: The numbers that it states, by name, before rounding.
        arms: The names of the arms that it names.
    """

    topic: Topic
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    arms: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The topic and the statement: `Speed: GRU trained ...`."""
        return f"{self.heading}: {self.text}"

    @property
    def heading(self) -> str:
        """The topic as a heading."""
        return self.topic.capitalize()


def explain_too_few(n: int) -> str:
    """Say that so few seeds are not tested."""
    return f"undecided, {count(n, 'seed')} {'is' if n == 1 else 'are'} too few for a test"


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
    if total <= MAX_NAMED:
        return " and ".join(names)
    return f"all {len(names)} arms" if len(names) == total else f"{len(names)} of {total} arms"


def summarize_pairs(topic: Topic, pairs: Sequence[Pair]) -> Finding:
    """State in one sentence how many of many pairs differ; the table of pairs has the numbers."""
    most_seeds = max(pair.result.n for pair in pairs)
    if most_seeds < MIN_PAIRS:
        return Finding(topic=topic, text=f"{explain_too_few(most_seeds)}.", numbers={"pairs": most_seeds})
    differing = [f"{pair.first} from {pair.second}" for pair in pairs if pair.differs]
    how = f"(paired t-tests, Holm's correction over {len(pairs)} pairs)"
    if not differing:
        text = f"no difference shown between the arms of any of {len(pairs)} pairs {how}."
    elif len(differing) <= MAX_NAMED:
        text = f"the arms of {len(differing)} of {len(pairs)} pairs differ {how}: {'; '.join(differing)}."
    else:
        text = f"the arms of {len(differing)} of {len(pairs)} pairs differ {how}."
    return Finding(topic=topic, text=text, numbers={"differing": len(differing), "tested": len(pairs)})
