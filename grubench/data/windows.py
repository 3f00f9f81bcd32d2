"""Windows: an index over scaled series, never a copy of every window.

All series are concatenated in one array of rows. A window is the index of the row it starts
at; a batch is cut from a strided view when it is needed. A window belongs to the part of the
split that has all of its targets; its inputs may reach back into the part before, which is
the past at the time of the forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from grubench.data.scale_checks import check_float32, check_spread, note_unscaled
from grubench.data.scaling import Scaling
from grubench.data.splits import Split, split_all, split_rows
from grubench.data.window_checks import (
    check_measured,
    check_parts,
    check_training_part,
    leave_out_short,
    note_linear,
    note_untested,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from grubench.data.series import Dataset, Series
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Window


V = TypeVar("V", bound=np.floating)


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """The windows of a dataset under a `Window` spec.

    Attributes:
        rows: `(row, feature)`, float32, scaled; the series one after the other.
        actual: `(row,)`, float64, the target's own values in its unit: what forecasts are measured by.
        filled: `(row,)`, whether that is a copy of an earlier value, by which none is measured.
        first_row: Where each series starts in `rows`, by name.
        starts: For each part (`train`, `validation`, `test`), the start rows of its windows by series.
        scalings: The scaling of each series, by name.
        splits: The split of each series, by name.
        lookback: Steps in.
        horizon: Steps out.
        every_step: Whether the targets are the next step at every step of the input.
        notes: What a reader of results must know of the data, a sentence each: the dataset's own notes first.
    """

    rows: NDArray[np.float32]
    actual: NDArray[np.float64]
    filled: NDArray[np.bool_]
    first_row: dict[str, int]
    starts: dict[str, dict[str, NDArray[np.int64]]]
    scalings: dict[str, Scaling]
    splits: dict[str, Split]
    lookback: int
    horizon: int
    every_step: bool
    notes: tuple[str, ...] = ()

    @property
    def feature(self) -> int:
        """The number of inputs per step."""
        return int(self.rows.shape[1])

    @property
    def outputs(self) -> int:
        """The number of outputs of the head: the horizon, or one at every step."""
        return 1 if self.every_step else self.horizon

    def index(self, part: str) -> NDArray[np.int64]:
        """The start rows of all windows of a part, series after series."""
        parts = list(self.starts[part].values())
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def count(self, part: str) -> int:
        """The number of windows of a part."""
        return sum(map(len, self.starts[part].values()))

    def training(self, series: Series) -> NDArray[np.float64]:
        """The target of a series in its training part, `(time,)`, in its unit."""
        return series.target[: self.splits[series.name].train]

    def inputs(self, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The inputs of the windows at these start rows, `(window, lookback, feature)`."""
        view = sliding_window_view(self.rows, (self.lookback, self.feature))[:, 0]
        return view[starts]

    def targets(self, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scaled targets: `(window, horizon)`, or `(window, lookback, 1)` at every step."""
        first, length = locate_targets(self.lookback, self.horizon, every_step=self.every_step)
        targets: NDArray[np.float32] = sliding_window_view(self.rows[:, 0], length)[starts + first]
        return targets[:, :, None] if self.every_step else targets

    def target_rows(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of the targets, `(window, step)`; at every step there are as many as steps in."""
        first, length = locate_targets(self.lookback, self.horizon, every_step=self.every_step)
        return starts[:, None] + first + np.arange(length)

    def count_separate_targets(self, part: str) -> int:
        """How many measured targets of a part do not overlap: a target has as many steps as the horizon."""
        rows = np.unique(self.target_rows(self.index(part)))
        return int((~self.filled[rows]).sum()) // self.outputs

    def by_series(self, part: str, values: NDArray[V]) -> Iterator[tuple[str, NDArray[np.int64], NDArray[V]]]:
        """Iterate over the series of a part: the name, the start rows of its windows, and its rows of `values`.

        Args:
            part: `train`, `validation` or `test`.
            values: `(window, ...)`, in the order of `index(part)`.
        """
        position = 0
        for name, starts in self.starts[part].items():
            yield name, starts, values[position : position + len(starts)]
            position += len(starts)


def locate_targets(lookback: int, horizon: int, *, every_step: bool) -> tuple[int, int]:
    """The first target's distance from a window's start, and the number of targets."""
    return (1, lookback) if every_step else (lookback, horizon)


def find_starts(
    span: tuple[int, int], lookback: int, horizon: int, stride: int, *, every_step: bool
) -> NDArray[np.int64]:
    """The starts, within a series, of the windows whose targets all lie in `span`."""
    first, length = locate_targets(lookback, horizon, every_step=every_step)
    low = max(span[0] - first, 0)
    high = span[1] - first - length + 1
    return np.arange(low, max(high, low), stride, dtype=np.int64)


def build(dataset: Dataset, spec: Experiment) -> Windows:
    """Cut, split and scale a dataset as the spec says.

    Raises:
        UsageError: A series is too short, or a part has no window.
        DataError: A value cannot be scaled.
    """
    window = spec.window
    train = dataset.select(spec.data.train_series, "data.train_series")
    test = dataset.select(spec.data.test_series, "data.test_series")
    used = [series for series in dataset.series if series in train or series in test]
    first, length = locate_targets(window.lookback, window.horizon, every_step=window.every_step)
    lengths = {series.name: split_rows(len(series), first, window).train for series in used}
    used, short = leave_out_short(used, first + length, lengths, spec)
    train, test = (tuple(series for series in members if series in used) for members in (train, test))
    splits = split_all(used, train, first, window)
    check_training_part(used, {name: split.train for name, split in splits.items()}, window)
    scalings = _fit_scalings(used, train, splits, window)
    unscaled = note_unscaled(used) if window.scaling == "none" else ()
    first_row = _find_first_rows(used)

    def find_part_starts(part: str, members: tuple[Series, ...]) -> dict[str, NDArray[np.int64]]:
        rows = {
            series.name: find_starts(
                splits[series.name].span(part),
                window.lookback,
                window.horizon,
                window.stride,
                every_step=window.every_step,
            )
            + first_row[series.name]
            for series in members
        }
        return {name: own for name, own in rows.items() if len(own)}

    filled = np.concatenate([series.filled for series in used])
    in_test = find_part_starts("test", test)
    measured = {
        name: own for name, own in in_test.items() if not filled[own[:, None] + first + np.arange(length)].all()
    }
    check_measured(in_test, measured)
    windows = Windows(
        rows=_scale_rows(used, scalings),
        actual=np.concatenate([series.target for series in used]),
        filled=filled,
        first_row=first_row,
        starts={
            "train": find_part_starts("train", train),
            "validation": find_part_starts("validation", train),
            "test": measured,
        },
        scalings=scalings,
        splits=splits,
        lookback=window.lookback,
        horizon=window.horizon,
        every_step=window.every_step,
        notes=(
            *dataset.notes,
            *short,
            *note_untested(test, measured),
            *unscaled,
            *note_linear(window, used[0].values.shape[1]),
        ),
    )
    check_parts({part: windows.count(part) for part in windows.starts}, window, used)
    return windows


def build_for_forecast(dataset: Dataset, spec: Experiment, scalings: dict[str, Scaling]) -> Windows:
    """Cut all of new data into test windows, with the scalings of a finished run.

    Raises:
        UsageError: A series is too short.
    """
    window = spec.window
    used, short = leave_out_short(list(dataset.series), window.lookback, {}, spec)
    first_row = _find_first_rows(used)
    starts = {
        series.name: first_row[series.name]
        + find_starts((0, len(series)), window.lookback, window.horizon, window.stride, every_step=window.every_step)
        for series in used
    }
    starts = {name: rows for name, rows in starts.items() if len(rows)}
    return Windows(
        rows=_scale_rows(used, scalings),
        actual=np.concatenate([series.target for series in used]),
        filled=np.concatenate([series.filled for series in used]),
        first_row=first_row,
        starts={"train": {}, "validation": {}, "test": starts},
        scalings=scalings,
        splits={series.name: Split(train=0, validation=0, test=len(series)) for series in used},
        lookback=window.lookback,
        horizon=window.horizon,
        every_step=window.every_step,
        notes=(*dataset.notes, *short),
    )


def _find_first_rows(used: list[Series]) -> dict[str, int]:
    ends = np.cumsum([len(series) for series in used]).tolist()
    return {series.name: end - len(series) for series, end in zip(used, ends, strict=True)}


def _scale_rows(used: list[Series], scalings: dict[str, Scaling]) -> NDArray[np.float32]:
    rows = np.empty((sum(map(len, used)), used[0].values.shape[1]), np.float32)
    row = 0
    for series in used:
        scaled = scalings[series.name].apply(series.values)
        check_float32(series, scaled)
        rows[row : row + len(series)] = scaled
        row += len(series)
    return rows


def _fit_scalings(
    used: list[Series], train: tuple[Series, ...], splits: dict[str, Split], window: Window
) -> dict[str, Scaling]:
    def fit_rows(series: Series) -> NDArray[np.float64]:
        return series.values if window.scale_fit == "all" else series.values[: splits[series.name].train]

    if window.scale_per == "dataset":
        fitted = used if window.scale_fit == "all" else train
        shared = _fit_scaling([(series, fit_rows(series)) for series in fitted], window.scaling)
        return {series.name: shared for series in used}
    return {series.name: _fit_scaling([(series, fit_rows(series))], window.scaling) for series in used}


def _fit_scaling(fitted: Sequence[tuple[Series, NDArray[np.float64]]], kind: str) -> Scaling:
    if kind != "none":
        check_spread(fitted)
    return Scaling.fit(kind, np.concatenate([rows for _, rows in fitted]))
