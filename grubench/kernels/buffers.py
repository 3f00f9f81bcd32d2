"""A buffer pool: aligned memory of the kernels' arrays, which is reused and released where too much of it is idle.

TensorFlow takes over a NumPy array without a copy where it is aligned to 64 bytes. Large arrays are mapped from huge
pages where the system has them: 20,000 steps touch hundreds of megabytes in each training step, and a page fault for
every 4 KB of them takes as long as the arithmetic.
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

ALIGNMENT_BYTES = 64
# Arrays from this size on are mapped in pages of their own.
LARGE_BYTES = 1 << 22
# Idle memory that is held for the next arrays, at most.
MAX_IDLE_BYTES = 1 << 30


class BufferPool:
    """Buffers by size. The last one released is reused first; the one idle for longest is freed first.

    Args:
        max_idle_bytes: Idle memory above this is freed.
    """

    def __init__(self, max_idle_bytes: int = MAX_IDLE_BYTES) -> None:
        self.max_idle_bytes = max_idle_bytes
        self.idle_bytes = 0
        self._idle: OrderedDict[int, tuple[int, Any]] = OrderedDict()
        self._by_size: dict[int, list[int]] = {}
        self._next = 0
        # Reentrant: a finalizer may run within a call.
        self._lock = threading.RLock()

    def empty(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An uninitialized array of float32, like `numpy.empty`."""
        size = max(4, 4 * math.prod(shape))
        buffer = self._take(size)
        if buffer is None:
            buffer = _map_pages(size) if size >= LARGE_BYTES else np.empty(size + ALIGNMENT_BYTES, np.uint8)
        owner = _Owner(buffer, -buffer.ctypes.data % ALIGNMENT_BYTES, shape)
        weakref.finalize(owner, self._put, size, buffer).atexit = False
        return np.asarray(owner)

    def _take(self, size: int) -> Any:
        with self._lock:
            keys = self._by_size.get(size)
            if not keys:
                return None
            buffer = self._idle.pop(keys.pop())[1]
            self.idle_bytes -= size
            return buffer

    def _put(self, size: int, buffer: Any) -> None:
        with self._lock:
            self._next += 1
            self._idle[self._next] = (size, buffer)
            self._by_size.setdefault(size, []).append(self._next)
            self.idle_bytes += size
            while self.idle_bytes > self.max_idle_bytes:
                oldest, (freed_bytes, _) = self._idle.popitem(last=False)
                self._by_size[freed_bytes].remove(oldest)
                self.idle_bytes -= freed_bytes

    def free_idle(self) -> None:
        """Free all idle memory."""
        with self._lock:
            self._idle.clear()
            self._by_size.clear()
            self.idle_bytes = 0


class _Owner:
    """The object that an array and all its views keep alive; when it goes, their memory returns to the pool."""

    def __init__(self, buffer: NDArray[np.uint8], start: int, shape: tuple[int, ...]) -> None:
        self.buffer = buffer
        self.__array_interface__ = {
            "version": 3,
            "data": (buffer.ctypes.data + start, False),
            "shape": shape,
            "typestr": np.dtype(np.float32).str,
        }


def _map_pages(size: int) -> NDArray[np.uint8]:
    """Map memory, in huge pages where the system has them; a forked process gets a copy of its own.

    Raises:
        MemoryError: There is not enough memory.
    """
    private = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
    try:
        pages = mmap.mmap(-1, size + ALIGNMENT_BYTES, **private)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes could not be allocated.") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a system without huge pages
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


POOL = BufferPool()
empty = POOL.empty
