"""Where the training, validation and test part of each series end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grubench.errors import UsageError

if TYPE_CHECKING:
    from grubench.data.series import Series
    from grubench.spec.sections import Window


@dataclass(frozen=True, kw_only=True)
class Split:
    """Where a series' training, validation and test rows end; each part starts where the one before ends."""

    train: int
    validation: int
    test: int

    def span(self, part: str) -> tuple[int, int]:
        """The first row of a part and the row after its last."""
        starts = {"train": 0, "validation": self.train, "test": self.validation}
        return starts[part], getattr(self, part)


def split_rows(length: int, first_target: int, window: Window) -> Split:
    """Split one series by time.

    A size of 1 or more is a number of steps. A fraction is of the steps that can be forecast, those from
    the first window's first target on: with a horizon of 1 it is the fraction of the windows. Fractions are
    rounded down.
    """
    forecast = max(length - first_target, 0)
    sizes = [int(size if size >= 1 else size * forecast) for size in (window.validation, window.test)]
    validation_end = max(length - sizes[1], 0)
    return Split(train=max(validation_end - sizes[0], 0), validation=validation_end, test=length)


def split_all(used: list[Series], train: tuple[Series, ...], first: int, window: Window) -> dict[str, Split]:
    """Split every series by time, or keep whole series apart.

    Raises:
        UsageError: No series is left to train or to validate on.
    """
    if window.split == "time":
        return {series.name: split_rows(len(series), first, window) for series in used}
    size = int(window.validation if window.validation >= 1 else window.validation * len(train))
    if size >= len(train) or (window.validation and not size):
        raise UsageError(
            f"window.validation: {window.validation:g} of {len(train)} training series leaves "
            f"{'no series to validate on' if not size else 'none to train on'}.",
            "With split = 'series' it is a fraction or a count of the training series; 0 leaves validation out.",
        )
    validated = {series.name for series in train[len(train) - size :]} if size else set()
    trained = {series.name for series in train} - validated
    splits = {}
    for series in used:
        n = len(series)
        train_end = n if series.name in trained else 0
        splits[series.name] = Split(train=train_end, validation=n if series.name in validated else train_end, test=n)
    return splits
