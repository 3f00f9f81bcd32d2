"""The memory of the kernels' arrays."""

from __future__ import annotations

import os

import pytest

from grubench.kernels.buffers import LARGE_BYTES, zeros

SHAPES = [(100, 7), (LARGE_BYTES // 4, 2), (0, 3), (1,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_arrays_are_aligned_zero_and_can_be_written(shape: tuple[int, ...]) -> None:
    array = zeros(*shape)
    assert array.shape == shape
    assert array.ctypes.data % 64 == 0
    assert not array.any()
    array[:] = 1
    assert array.all()


def test_too_large_an_array_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        zeros(1 << 44)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_memory_of_its_own() -> None:
    array = zeros(1 << 20, 2)
    child = os.fork()
    if child == 0:
        array[0] = 7
        os._exit(0)
    os.waitpid(child, 0)
    assert array[0, 0] == 0
