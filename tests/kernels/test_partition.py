"""The partition of a batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from grubench.kernels.partition import partition_batch


@given(st.integers(1, 300), st.integers(4, 9), st.sampled_from([[8, 4], [6, 4], [4, 2], [2]]))
def test_a_partition_has_every_row_once(batch: int, parts: int, group_sizes: list[int]) -> None:
    partition = partition_batch(batch, parts, group_sizes)
    rows = [row for groups in partition for first, size in groups for row in range(first, first + size)]
    assert rows == list(range(len(rows)))
    assert batch <= len(rows) < batch + min(group_sizes)
    assert len(partition) <= parts + parts % 2
