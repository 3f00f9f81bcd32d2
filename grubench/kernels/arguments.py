"""The argument tables of the compiled functions: sizes and array addresses, as 64-bit integers.

A compiled function takes the address of one table. The names below are its entries, in their order; both the code that
emits a function and the code that calls it use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Entry = int | Array | NDArray[np.int64] | None

FORWARD = (
    "batch",
    "steps",
    "units",
    "features",
    "x_rows",  # (batch,): the address of each row's first inputs
    "x_step",  # floats from a step's inputs to the next step's
    "w",  # (block, features, gate, lane)
    "u",  # (block, units, gate, lane): the gates that multiply the hidden state
    "u_reset",  # the same for the gates that multiply the reset state
    "bias",  # (block, pre-activation, lane)
    "hs",  # the hidden state of every step
    "hs_row",  # floats from a row's to the next row's
    "hs_step",
    "h_last",  # the last hidden state
    "h_last_row",
    "saved",  # group after group: (steps, block, row, vector, lane)
    "save",  # 1 to save what the backward pass needs
)
BACKWARD = (
    "batch",
    "steps",
    "units",
    "features",
    "x_rows",
    "x_step",
    "hs",
    "hs_row",
    "hs_step",
    "saved",
    "u_transposed",  # (block, gate x units, lane)
    "u_reset_transposed",
    "w_transposed",  # (block of features, gate x units, lane)
    "d_hs",  # the gradient of the hidden state of every step
    "d_hs_row",
    "d_hs_step",
    "use_d_hs",  # 0 where the loss uses the last hidden state only
    "d_h_last",
    "d_h_last_row",
    "d_x",
    "d_x_row",
    "d_x_step",
    "need_d_x",
    "add_d_x",  # 1 to add to the gradient of the inputs
    "ring_steps",  # steps that the ring buffer holds
)
# Gradients of the parts of a batch, which begin `stride` floats apart, and their sums.
PARTS = ("gradients", "sums", "parts", "stride")
# A matrix (block, inner, gate, lane), and transposed.
TRANSPOSE = ("source", "target", "inner", "gates", "units")
# Biases, or their gradients, in Keras's layout and packed.
BIAS = ("bias", "packed", "units")

# The address of an array that is None: a masked load with no lane still needs a valid address.
_NO_ARRAY = np.zeros(64, np.float32)


class ArgumentTable:
    """The arguments of a compiled function; keeps the arrays alive while it exists.

    Args:
        names: The names of the entries, in their order.
        **entries: Integers, or arrays of C-contiguous float32; None for an array that is not used.

    Raises:
        ValueError: An array is not C-contiguous float32.
    """

    def __init__(self, names: tuple[str, ...], **entries: Entry) -> None:
        self._arrays = entries
        self._words = np.array([_to_word(entries[name]) for name in names], np.int64)
        self._names = names
        self.address = self._words.ctypes.data

    def change(self, name: str, entry: Entry) -> None:
        """Give an entry another value."""
        self._arrays = {**self._arrays, name: entry}
        self._words[self._names.index(name)] = _to_word(entry)


class TableMaker:
    """Makes argument tables, and keeps them and their numbers alive while it exists."""

    def __init__(self) -> None:
        self._kept: list[ArgumentTable | Array] = []

    def _add(self, names: tuple[str, ...], **entries: Entry) -> int:
        """The address of a new table."""
        table = ArgumentTable(names, **entries)
        self._kept.append(table)
        return table.address

    def _add_float(self, value: float) -> int:
        """The address of a number."""
        array = np.array([value], np.float32)
        self._kept.append(array)
        return array.ctypes.data


def _to_word(entry: Entry) -> int:
    if isinstance(entry, int):
        return entry
    array = _NO_ARRAY if entry is None else entry
    if array.dtype != np.int64:
        check_array(array)
    return int(array.ctypes.data)


def check_array(array: Array | NDArray[np.int64]) -> None:
    """Refuse an array that the kernels cannot read.

    Raises:
        ValueError: It is not C-contiguous float32.
    """
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError("The kernels take C-contiguous arrays of float32.")
