"""Memory of the kernels: aligned, used again, and given back when there is too much of it.

TensorFlow takes over a NumPy array without a copy where it is aligned to 64 bytes. Large arrays come from the system in
huge pages where it has them: a sequence of 20,000 steps touches hundreds of megabytes a step of training, and a fault
for every 4 KB of them takes as long as the arithmetic.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import sys
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIGNMENT = 64
# From here on an array has pages of its own.
LARGE_BYTES = 1 << 22
# Idle memory that is kept for the next step, at most.
MOST_IDLE_BYTES = 1 << 30


class Pool:
    """Buffers by size. What was used last is used first; what is idle longest goes first."""

    def __init__(self, most_idle_bytes: int = MOST_IDLE_BYTES) -> None:
        self.most_idle_bytes = most_idle_bytes
        self.idle_bytes = 0
        self._idle: OrderedDict[int, tuple[int, Any]] = OrderedDict()
        self._by_size: dict[int, list[int]] = {}
        self._next = 0
        # Reentrant: a finalizer may run in the middle of a call.
        self._lock = threading.RLock()

    def empty(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An array of float32 with any content."""
        size = max(4, 4 * math.prod(shape))
        raw = self._take(size)
        if raw is None:
            raw = _large(size) if size >= LARGE_BYTES else np.empty(size + ALIGNMENT, np.uint8)
        owner = _Owner(raw, -raw.ctypes.data % ALIGNMENT, shape)
        weakref.finalize(owner, self._put, size, raw).atexit = False
        return np.asarray(owner)

    def _take(self, size: int) -> Any:
        with self._lock:
            known = self._by_size.get(size)
            if not known:
                return None
            raw = self._idle.pop(known.pop())[1]
            self.idle_bytes -= size
            return raw

    def _put(self, size: int, raw: Any) -> None:
        with self._lock:
            self._next += 1
            self._idle[self._next] = (size, raw)
            self._by_size.setdefault(size, []).append(self._next)
            self.idle_bytes += size
            while self.idle_bytes > self.most_idle_bytes:
                oldest, (gone, _) = self._idle.popitem(last=False)
                self._by_size[gone].remove(oldest)
                self.idle_bytes -= gone

    def give_back(self) -> None:
        """Let go of all idle memory."""
        with self._lock:
            self._idle.clear()
            self._by_size.clear()
            self.idle_bytes = 0


class _Owner:
    """What an array and every view of it keep alive: with it their memory goes back to the pool."""

    def __init__(self, raw: NDArray[np.uint8], start: int, shape: tuple[int, ...]) -> None:
        self.raw = raw
        self.__array_interface__ = {
            "version": 3,
            "data": (raw.ctypes.data + start, False),
            "shape": shape,
            "typestr": np.dtype(np.float32).str,
        }


def _large(size: int) -> NDArray[np.uint8]:
    """Memory with pages of its own, huge ones where the system has them; not shared with processes forked off.

    Raises:
        MemoryError: There is not so much.
    """
    private = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
    try:
        pages = mmap.mmap(-1, size + ALIGNMENT, **private)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes could not be had.") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a system without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


POOL = Pool()
empty = POOL.empty
