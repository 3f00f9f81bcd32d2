"""The linear baseline: a ridge regression from a window's scaled inputs to its scaled targets.

It sees what the network sees and is fitted on the same windows, all series together. Nothing of it is random. Only
sums of products over the windows are needed, which are read in place and in chunks; most of those sums follow from a
few, since a window holds the rows of the window before, moved by the stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from grubench.spec.baselines import limit_linear_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from grubench.data.windows import Windows

    Array = NDArray[np.float64]
    Starts = NDArray[np.int64]

# The penalties to choose from, relative to the mean eigenvalue of the inputs' covariance; the largest wins a tie.
PENALTIES = np.logspace(2, -10, 13)
# Without a validation part, the last of this many equal parts of the training windows chooses the penalty.
PARTS = 5
# Inputs are cut in chunks of about this size, which a processor's cache holds.
CHUNK_BYTES = 1 << 18
# As many rows tell where the values lie.
CENTER_ROWS = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """The inputs of windows as the regression reads them: the last steps, less what is subtracted from each.

    Attributes:
        windows: The windows.
        steps: How many of the last steps.
        center: About the mean of each input of a step, `(feature,)`, the target first: sums of squares of values that
            lie far from 0 would lose digits.
    """

    windows: Windows
    steps: int
    center: Array

    @property
    def features(self) -> int:
        """The number of inputs of a step."""
        return len(self.center)

    @property
    def size(self) -> int:
        """The number of inputs of a window."""
        return self.steps * self.features

    def chunks(self, starts: Starts) -> Iterator[tuple[Starts, Array]]:
        """Start rows, some at a time, and the inputs of these windows, `(window, step x feature)`."""
        view = sliding_window_view(self.windows.rows[:, : self.features], (self.steps, self.features))[:, 0]
        first, count = self.windows.lookback - self.steps, max(1, CHUNK_BYTES // (8 * self.size))
        for position in range(0, len(starts), count):
            chunk = starts[position : position + count]
            yield chunk, (view[chunk + first] - self.center).reshape(len(chunk), -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Sums over windows, of which `x` are the inputs and `y` the targets, both less the center.

    Attributes:
        n: The number of windows.
        x: The sum of the inputs, `(input,)`.
        y: The sum of the targets, `(step out,)`.
        xx: The sum of their products, `(input, input)`.
        xy: The same of inputs and targets, `(input, step out)`.
        yy: The sum of the squared targets.
    """

    n: int
    x: Array
    y: Array
    xx: Array
    xy: Array
    yy: float

    def __add__(self, other: Moments) -> Moments:
        """The moments of both sets of windows."""
        return Moments(
            n=self.n + other.n,
            x=self.x + other.x,
            y=self.y + other.y,
            xx=self.xx + other.xx,
            xy=self.xy + other.xy,
            yy=self.yy + other.yy,
        )

    def squared_error(self, solution: Solution) -> float:
        """The sum of the squared errors of a solution."""
        weights, intercept = solution.weights, solution.intercept
        explained = (weights * (2 * self.xy - self.xx @ weights)).sum()
        return float(self.yy - explained - 2 * intercept @ (self.y - self.x @ weights) + self.n * intercept @ intercept)


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """A solution of the regression: the targets are about `x @ weights + intercept`.

    Attributes:
        weights: `(input, step out)`.
        intercept: `(step out,)`.
    """

    weights: Array
    intercept: Array


def forecast_linear(windows: Windows, starts: Starts) -> Array:
    """Fit the regression to the training windows, and forecast the windows at these start rows.

    The penalty is the one that forecasts the validation part best. Without one, the regression is fitted to the first
    four fifths of each series' training windows, the last fifth chooses the penalty, and then it is fitted to all.

    Args:
        windows: The windows; some are in the training part.
        starts: The start rows.

    Returns:
        The scaled forecasts, `(window, step)`.
    """
    train, validation = (_leave_out_filled(windows, part) for part in ("train", "validation"))
    steps, features = limit_linear_inputs(windows.lookback, windows.feature)
    every = sum(map(len, train)) // CENTER_ROWS + 1
    center = windows.rows[np.concatenate(train)[::every], :features].mean(axis=0, dtype=np.float64)
    inputs = Inputs(windows=windows, steps=steps, center=center)
    solution = _fit(inputs, train, validation)
    forecasts = [x @ solution.weights + solution.intercept + center[0] for _, x in inputs.chunks(starts)]
    return np.concatenate(forecasts)


def _leave_out_filled(windows: Windows, part: str) -> list[Starts]:
    """The start rows of a part by series, without filled targets; all of them, where fewer than half have none."""
    filled = np.concatenate([[0], np.cumsum(windows.filled)])

    def is_measured(starts: Starts) -> NDArray[np.bool_]:
        first = starts + windows.lookback
        return np.asarray(filled[first + windows.horizon] == filled[first])

    every = list(windows.starts[part].values())
    measured = [starts[is_measured(starts)] for starts in every]
    return measured if 2 * sum(map(len, measured)) >= sum(map(len, every)) else every


def _fit(inputs: Inputs, train: Sequence[Starts], validation: Sequence[Starts]) -> Solution:
    if validation:
        fitted, choosing = _sum_moments(inputs, train), _sum_moments(inputs, validation)
    else:
        ends = [len(starts) - len(starts) // PARTS for starts in train]
        fitted = _sum_moments(inputs, [starts[:end] for starts, end in zip(train, ends, strict=True)])
        choosing = _sum_moments(inputs, [starts[end:] for starts, end in zip(train, ends, strict=True)])
    solutions = _solve(fitted, PENALTIES)
    best = int(np.argmin([choosing.squared_error(solution) for solution in solutions]))
    if validation:
        return solutions[best]
    return _solve(fitted + choosing, PENALTIES[[best]])[0]


def _solve(moments: Moments, penalties: Array) -> list[Solution]:
    """The solutions for penalties that are relative to the mean eigenvalue: one decomposition serves them all."""
    covariance = moments.xx - np.outer(moments.x, moments.x) / moments.n
    eigenvalues, vectors = np.linalg.eigh(covariance)
    eigenvalues = np.maximum(eigenvalues, 0)
    projected = vectors.T @ (moments.xy - np.outer(moments.x, moments.y) / moments.n)
    solutions = []
    for penalty in penalties * eigenvalues.mean():
        damped = eigenvalues + penalty
        inverse = np.divide(1, damped, out=np.zeros_like(damped), where=damped > 0)  # constant inputs have no weight
        weights = vectors @ (inverse[:, None] * projected)
        solutions.append(Solution(weights=weights, intercept=(moments.y - moments.x @ weights) / moments.n))
    return solutions


def _sum_moments(inputs: Inputs, parts: Sequence[Starts]) -> Moments:
    """The moments of all windows of some series."""
    windows, starts = inputs.windows, np.concatenate(parts)
    targets = sliding_window_view(windows.rows[:, 0], windows.horizon)
    stride = _find_stride(starts, inputs.steps)
    head = stride * inputs.features
    y, yy = np.zeros(windows.horizon), 0.0
    products = np.zeros((1 + head + windows.horizon, inputs.size))
    for chunk, x in inputs.chunks(starts):
        y_chunk = targets[chunk + windows.lookback] - inputs.center[0]
        y += y_chunk.sum(axis=0)
        yy += float(np.square(y_chunk).sum())
        products += np.hstack([np.ones((len(x), 1)), x[:, :head], y_chunk]).T @ x
    xx = _complete(products[1 : 1 + head], _sum_changes(inputs, starts, stride))
    return Moments(n=len(starts), x=products[0], y=y, xx=xx, xy=products[1 + head :].T, yy=yy)


def _find_stride(starts: Starts, steps: int) -> int:
    """The commonest distance of neighboring windows; at most the steps of a window."""
    distances = np.diff(starts)
    distances = distances[(distances > 0) & (distances < steps)]
    return int(np.bincount(distances).argmax()) if len(distances) else steps


def _sum_changes(inputs: Inputs, starts: Starts, stride: int) -> Array:
    """By how much the sum of a product of two inputs differs from that of the same inputs a stride earlier.

    In a run of windows that follow each other by the stride, it has lost the first window and gained the one after the
    last, whose inputs but the newest are those of the last.

    Returns:
        `(input, input)`, for all inputs but those of the first stride.
    """
    head, end = stride * inputs.features, inputs.size - stride * inputs.features
    firsts = starts[np.diff(starts, prepend=-1 - stride) != stride]
    lasts = starts[np.diff(starts, append=2 * len(inputs.windows.rows)) != stride]
    changes = np.zeros((end, end))
    for _, x in inputs.chunks(lasts):
        changes += x[:, head:].T @ x[:, head:]
    for _, x in inputs.chunks(firsts):
        changes -= x[:, :end].T @ x[:, :end]
    return changes


def _complete(head: Array, changes: Array) -> Array:
    """All sums of products of two inputs, from those with the inputs of the first stride and the changes.

    Args:
        head: `(input of the first stride, input)`.
        changes: As `_sum_changes` returns them.
    """
    stride, size = head.shape
    end = size - stride
    sums = np.empty((size, size))
    sums[:stride], sums[stride:, :stride] = head, head[:, stride:].T
    for row in range(0, end, stride):
        earlier = slice(row, min(row + stride, end))
        later = slice(earlier.start + stride, earlier.stop + stride)
        sums[later, stride:] = sums[earlier, :end] + changes[earlier]
    return sums
