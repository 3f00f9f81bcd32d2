"""Memory of the kernels' arrays, aligned to whole cache lines.

Large arrays are mapped from huge pages where the system has them: 20,000 steps touch hundreds of megabytes in each
training step, and a page fault for every 4 KB of them takes as long as the arithmetic.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIGNMENT_BYTES = 64
# Arrays from this size on are mapped in pages of their own.
LARGE_BYTES = 1 << 22


def zeros(*shape: int) -> NDArray[np.float32]:
    """An aligned array of float32, of zeros.

    Raises:
        MemoryError: There is not enough memory.
    """
    count = math.prod(shape)
    size = max(4, 4 * count)
    buffer = _map_pages(size) if size >= LARGE_BYTES else np.zeros(size + ALIGNMENT_BYTES, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT_BYTES
    return buffer[start : start + size].view(np.float32)[:count].reshape(shape)


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
