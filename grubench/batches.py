"""The path from windows to Keras: batches cut when they are needed, in an order that the seed decides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.engine import keras

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from grubench.windows import Windows

Batch = tuple[Any, Any]


def order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of the windows in an epoch: the same for every cell, whatever else was drawn before."""
    return np.random.default_rng([seed, epoch]).permutation(count)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Windows in batches; Keras asks for them by number.

    Args:
        windows: The windows.
        starts: The start rows of those to give.
        batch_size: Windows a batch; the last may be smaller.
        seed: The seed of the order, shuffled anew each epoch; None to keep the order given.
    """

    def __init__(self, windows: Windows, starts: NDArray[np.int64], batch_size: int, seed: int | None = None) -> None:
        super().__init__()
        self.windows = windows
        self.starts = starts
        self.batch_size = batch_size
        self.seed = seed
        self.start_epoch(0)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(len(self.starts) / self.batch_size)

    def __getitem__(self, number: int) -> Batch:
        """The inputs and targets of one batch."""
        starts = self.current[number * self.batch_size : (number + 1) * self.batch_size]
        return self.windows.inputs(starts), self.windows.targets(starts)

    def start_epoch(self, epoch: int) -> None:
        """Take up the order of an epoch, counted from 0."""
        shuffled = self.seed is not None
        self.current = self.starts[order(len(self.starts), self.seed or 0, epoch)] if shuffled else self.starts


class EpochOrder(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells batches which epoch begins.

    Keras calls `PyDataset.on_epoch_end` also when it has only looked at the first batches to learn their shape,
    so counting those calls would not tell.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Put the batches into the epoch's order before Keras asks for the first."""
        self.batches.start_epoch(epoch)
