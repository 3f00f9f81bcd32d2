"""What series and windows must have before anything is trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.errors import UsageError
from grubench.text import count

if TYPE_CHECKING:
    from collections.abc import Collection

    from grubench.data.series import Series
    from grubench.spec.sections import Window


def check_length(series: Series, need: int, window: Window) -> None:
    """Refuse a series that is shorter than one window of `need` steps.

    Raises:
        UsageError: It is.
    """
    if len(series) < need:
        raise UsageError(
            f"window.lookback: series {series.name} has {count(len(series), 'step')}; a lookback of {window.lookback} "
            f"and a horizon of {window.horizon} need at least {need}.",
            "Use a shorter --lookback or --horizon, or a longer series.",
        )


def check_training_part(used: list[Series], train_rows: dict[str, int], window: Window) -> None:
    """Refuse a series without a training part: its scaling is fitted on it, whether the series is trained on or not.

    Raises:
        UsageError: Naming the series.
    """
    for series in used:
        if window.split == "time" and train_rows[series.name] < 1:
            raise UsageError(
                f"window.validation {window.validation:g} and window.test {window.test:g} leave series {series.name} "
                f"({len(series)} steps) no training part.",
                "Use smaller parts.",
            )


def check_measured(in_test: Collection[str], measured: Collection[str]) -> None:
    """Refuse a test part of which every target was filled: nothing would be measured.

    Args:
        in_test: The series that have test windows.
        measured: Those of which a test target has a value of its own.

    Raises:
        UsageError: None has.
    """
    if in_test and not measured:
        raise UsageError(
            "No target of the test part has a value of its own: all were filled with earlier ones.",
            "Use --missing drop (or --gaps keep), or a larger --test.",
        )


def check_parts(counts: dict[str, int], window: Window, used: list[Series]) -> None:
    """Refuse a dataset of which a part that is needed has no window.

    Args:
        counts: The number of windows of each part.
        window: The settings.
        used: The series.

    Raises:
        UsageError: Naming the part and the settings.
    """
    lengths = f"{min(map(len, used))} to {max(map(len, used))} steps" if len(used) > 1 else f"{len(used[0])} steps"
    for part, number in counts.items():
        if part == "validation" and not window.validation:
            continue
        if not number:
            raise UsageError(
                f"No {part} window: series of {lengths}, lookback {window.lookback}, horizon {window.horizon}, "
                f"validation {window.validation:g}, test {window.test:g}.",
                "Use a shorter --lookback or --horizon, or change --validation and --test.",
            )
