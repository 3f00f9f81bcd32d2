"""Batches cut one by one and in chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from conftest import make_series, tiny
from hypothesis import given
from hypothesis import strategies as st

from grubench.data import windows
from grubench.data.series import Dataset
from grubench.training.batches import Batches


@given(size=st.integers(1, 40), length=st.integers(30, 80), seed=st.none() | st.integers(0, 9), epoch=st.integers(0, 3))
def test_batches_one_by_one_are_those_of_the_chunks(size: int, length: int, seed: int | None, epoch: int) -> None:
    spec = tiny()
    data = replace(spec.data, train_series=(), test_series=())
    spec = replace(spec, data=data, window=replace(spec.window, stride=1, validation=0))
    cut = windows.build(Dataset(name="made", series=(make_series(length=length + 20),)), spec)
    batches = Batches(cut, cut.index("train"), size, seed=seed)
    batches.start_epoch(epoch)
    single = [batches.batch(number) for number in range(len(batches))]
    chunks = list(batches.chunks())
    for part in (0, 1):
        np.testing.assert_array_equal(
            np.concatenate([one[part] for one in single]), np.concatenate([one[part] for one in chunks])
        )
    assert all(len(inputs) == size for inputs, _ in single[:-1])
