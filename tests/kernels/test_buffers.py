"""The buffer pool."""

from __future__ import annotations

import os

import pytest

from grubench.kernels.buffers import BufferPool


def test_memory_is_aligned_and_reused() -> None:
    pool = BufferPool()
    array = pool.empty((100, 7))
    address = array.ctypes.data
    assert address % 64 == 0
    view = array[3:].T
    del array
    assert pool.empty((100, 7)).ctypes.data != address  # a view still uses it
    del view
    assert pool.empty((100, 7)).ctypes.data == address


def test_too_much_idle_memory_is_freed() -> None:
    pool = BufferPool(max_idle_bytes=1000)
    arrays = [pool.empty((100 + number,)) for number in range(5)]
    del arrays
    assert 0 < pool.idle_bytes <= 1000
    pool.free_idle()
    assert pool.idle_bytes == 0


def test_a_large_array_is_zero_and_can_be_written() -> None:
    array = BufferPool().empty((1 << 20, 2))
    array[-1] = 1
    assert array[0, 0] == 0


def test_too_large_an_array_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        BufferPool().empty((1 << 44, 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_memory_of_its_own() -> None:
    array = BufferPool().empty((1 << 20, 2))
    child = os.fork()
    if child == 0:
        array[0] = 7
        os._exit(0)
    os.waitpid(child, 0)
    assert array[0, 0] == 0
