"""The path from windows to Keras: batches cut when they are needed, in an order that the seed decides.

Windows are cut some batches at a time and handed to TensorFlow, which takes the batches apart: a call of Python for
every batch takes as long as a tenth of a small model's step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.engine import keras, tf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from grubench.windows import Windows

Batch = tuple[Any, Any]

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
        self.start_epoch(0)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(len(self.starts) / self.batch_size)

    def start_epoch(self, epoch: int) -> None:
        """Take up the order of an epoch, counted from 0."""
        shuffled = self.seed is not None
        self.current = self.starts[order(len(self.starts), self.seed or 0, epoch)] if shuffled else self.starts

    def chunks(self) -> Iterator[Batch]:
        """The inputs and targets of the epoch, some batches at a time."""
        one = self.current[:1]
        batch_bytes = self.batch_size * (self.windows.inputs(one).nbytes + self.windows.targets(one).nbytes)
        size = self.batch_size * max(1, CHUNK_BYTES // batch_bytes)
        for first in range(0, len(self.current), size):
            starts = self.current[first : first + size]
            yield self.windows.inputs(starts), self.windows.targets(starts)

    def stream(self, *, ahead: int = 0) -> tf.data.Dataset:
        """The batches of an epoch as TensorFlow takes them, anew each time it goes through them.

        Args:
            ahead: Batches to have ready beside the step that runs: for a device that would wait for them. Where the
                processor computes the step, cutting them meanwhile takes from it what it saves.
        """
        one = self.starts[:1]
        kinds = tuple(
            tf.TensorSpec([None, *values.shape[1:]], values.dtype)
            for values in (self.windows.inputs(one), self.windows.targets(one))
        )
        made = tf.data.Dataset.from_generator(self.chunks, output_signature=kinds).rebatch(self.batch_size)
        made = made.apply(tf.data.experimental.assert_cardinality(len(self)))
        options = tf.data.Options()
        # Its thread sleeps twice as long each time, and the end of an epoch now and then waits until it wakes.
        options.autotune.enabled = False
        return (made.prefetch(ahead) if ahead else made).with_options(options)


class EpochOrder(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells batches which epoch begins; how often Keras goes through them would not tell."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Put the batches into the epoch's order before Keras asks for the first."""
        self.batches.start_epoch(epoch)
