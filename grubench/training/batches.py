"""The path from windows to Keras: batches cut when they are needed, in an order that the seed decides.

One path for every backend; how each takes the batches is in `grubench.backends`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.backends.base import Batch
from grubench.backends.loader import backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from grubench.data.windows import Windows

# Windows are cut in chunks of about this size, of whole batches.
CHUNK_BYTES = 1 << 20


def order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of the windows in an epoch: the same for every cell, whatever else was drawn before."""
    return np.random.default_rng([seed, epoch]).permutation(count)


class Batches:
    """Windows in batches.

    Args:
        windows: The windows.
        starts: The start rows of those to give.
        batch_size: Windows a batch; the last may be smaller.
        seed: The seed of the order, shuffled anew each epoch; None to keep the order given.
    """

    def __init__(self, windows: Windows, starts: NDArray[np.int64], batch_size: int, seed: int | None = None) -> None:
        self.windows = windows
        self.starts = starts
        self.batch_size = batch_size
        self.seed = seed
        self.current = self._order(0)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(len(self.starts) / self.batch_size)

    def start_epoch(self, epoch: int) -> None:
        """Take up the order of an epoch, counted from 0."""
        self.current = self._order(epoch)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self.seed is None:
            return self.starts
        return self.starts[order(len(self.starts), self.seed, epoch)]

    def chunks(self) -> Iterator[Batch]:
        """The inputs and targets of the epoch, some batches at a time."""
        window = self.current[:1]
        batch_bytes = self.batch_size * (self.windows.inputs(window).nbytes + self.windows.targets(window).nbytes)
        size = self.batch_size * max(1, CHUNK_BYTES // batch_bytes)
        for first in range(0, len(self.current), size):
            starts = self.current[first : first + size]
            yield self.windows.inputs(starts), self.windows.targets(starts)

    def batch(self, number: int) -> Batch:
        """The inputs and targets of one batch of the epoch."""
        starts = self.current[number * self.batch_size : (number + 1) * self.batch_size]
        return self.windows.inputs(starts), self.windows.targets(starts)

    def stream(self, *, ahead: int = 0) -> Any:
        """The batches of an epoch as Keras's backend takes them, anew each time it goes through them.

        Args:
            ahead: Batches to have ready beside the step that runs: for a device that would wait for them. Where the
                processor computes the step, cutting them meanwhile takes from it what it saves.
        """
        return backend().stream(self, ahead=ahead)
