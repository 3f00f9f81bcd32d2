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

FORWARD = (
    "batch",
    "steps",
    "units",
    "features",
    "x",  # (batch, steps, features)
    "h0",  # (batch, units): the initial hidden state
    "c0",
    "w",  # (block, features, gate, lane)
    "u",  # (block, units, gate, lane): the gates that multiply the hidden state
    "u_reset",  # the same for the gates that multiply the reset state
    "bias",  # (block, pre-activation, lane)
    "hs",  # (batch, steps, units): the hidden state of every step
    "h_last",  # (batch, units)
    "c_last",
    "saved",  # group after group: (steps, block, row, vector, lane)
    "save",  # 1 to save what the backward pass needs
)
BACKWARD = (
    "batch",
    "steps",
    "units",
    "features",
    "x",
    "h0",
    "hs",
    "saved",
    "u_transposed",  # (block, gate x units, lane)
    "u_reset_transposed",
    "w_transposed",  # (block of features, gate x units, lane)
    "d_hs",  # (batch, steps, units): the gradient of the hidden state of every step
    "use_d_hs",  # 0 where the loss uses the last hidden state only
    "d_h_last",
    "d_c_last",
    "d_x",  # (batch, steps, features)
    "need_d_x",
    "d_h0",
    "d_c0",
    "ring_steps",  # steps that the ring buffer holds
)
# A matrix (inner, gates x units) whose rows begin `row` floats apart.
PACK = ("source", "target", "inner", "gates", "units", "row")
# The same, summed over the partial gradients of the parts of a batch, which begin `stride` floats apart.
SUM_PARTS = (*PACK, "parts", "stride")

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

    def __init__(self, names: tuple[str, ...], **entries: int | Array | None) -> None:
        self._arrays = entries
        self._words = np.array([_to_word(entries[name]) for name in names], np.int64)
        self.address = self._words.ctypes.data


def _to_word(entry: int | Array | None) -> int:
    if isinstance(entry, int):
        return entry
    array = _NO_ARRAY if entry is None else entry
    check_array(array)
    return int(array.ctypes.data)


def check_array(array: Array) -> None:
    """Refuse an array that the kernels cannot read.

    Raises:
        ValueError: It is not C-contiguous float32.
    """
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError("The kernels take C-contiguous arrays of float32.")
