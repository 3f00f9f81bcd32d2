"""Batches as Keras itself takes them on any backend: cut when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Callable

    from grubench.backends.base import Batch, Source


class SourceDataset(keras.utils.PyDataset):  # type: ignore[misc]
    """A source behind Keras's own interface.

    Args:
        source: The source.
        convert: Makes a NumPy array the backend's own, without copying it.
    """

    def __init__(self, source: Source, convert: Callable[[Any], Any]) -> None:
        super().__init__()
        self._source, self._convert = source, convert

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, number: int) -> Batch:
        inputs, targets = self._source.batch(number)
        return self._convert(inputs), self._convert(targets)
