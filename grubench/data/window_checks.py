"""What series and windows must have before anything is trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.errors import UsageError
from grubench.spec.baselines import LINEAR, MAX_LINEAR_INPUTS, limit_linear_inputs
from grubench.text import count, list_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from grubench.data.series import Series
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Window


def leave_out_short(
    used: list[Series], need: int, train_rows: Mapping[str, int], spec: Experiment
) -> tuple[list[Series], tuple[str, ...]]:
    """Leave out the series that are shorter than one window, or whose training part is: no scaling can be fitted on it.

    Where the scaling is that of all series, or whole series are kept apart, only a window's length is needed. Where no
    series is left, all are kept for the checks that follow.

    Args:
        used: The series.
        need: The steps of a window.
        train_rows: The steps of the training part of each series, by name; none for new data.
        spec: The spec.

    Returns:
        The series that are kept, and a note that names the others.

    Raises:
        UsageError: There are some and the rule is to refuse them, or every series is shorter than one window.
    """
    window = spec.window
    needs_own = window.split == "time" and window.scale_per == "series"
    short = {
        series.name: _describe_length(series, need, train_rows)
        for series in used
        if len(series) < need or (needs_own and train_rows.get(series.name, need) < need)
    }
    if not short:
        return used, ()
    kept = [series for series in used if series.name not in short]
    if not kept and any(len(series) >= need for series in used):
        return used, ()
    part = " to train on" if needs_own and train_rows else ""
    reason = f"a lookback of {window.lookback} and a horizon of {window.horizon} need {need} steps{part}"
    names = list_names(short.values())
    if not kept or spec.data.short == "error":
        raise UsageError(
            f"window.lookback: series {names}; {reason}.",
            "Use a shorter --lookback or --horizon, or a longer series" + ("; or --short skip." if kept else "."),
        )
    return kept, (f"Left out as too short: series {names}; {reason} (--short error refuses).",)


def _describe_length(series: Series, need: int, train_rows: Mapping[str, int]) -> str:
    """The steps of a series, and of its training part where it is that which is too short."""
    training = f" ({train_rows[series.name]} to train on)" if len(series) >= need else ""
    return f"{series.name} has {count(len(series), 'step')}{training}"


def note_untested(test: Sequence[Series], starts: Mapping[str, object]) -> tuple[str, ...]:
    """A note that names the series that are to be tested and have no test window."""
    names = [series.name for series in test if series.name not in starts]
    if not names:
        return ()
    return (f"No test window to measure, and no score: series {list_names(names)}; a larger --test gives them some.",)


def note_linear(window: Window, inputs: int) -> tuple[str, ...]:
    """A note that the linear baseline does not read whole windows, where these are too large for it.

    Args:
        window: The settings.
        inputs: The inputs of a step.
    """
    steps, inputs_read = limit_linear_inputs(window.lookback, inputs)
    if window.every_step or (steps, inputs_read) == (window.lookback, inputs):
        return ()
    of_target = "" if inputs_read == inputs else " of the target alone"
    return (
        f"{LINEAR.name} reads the last {steps:,} of {count(window.lookback, 'step')}{of_target}: "
        f"at most {MAX_LINEAR_INPUTS:,} inputs.",
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
