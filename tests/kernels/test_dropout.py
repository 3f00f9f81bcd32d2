"""Dropout: the generator against NumPy and published values; rate, scale and independence of what is dropped."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import HOST, needs_kernels, with_shorter_vectors

from grubench.kernels.arguments import ArgumentTable
from grubench.kernels.cells import COMMON
from grubench.kernels.compiler import load_program
from grubench.kernels.dropout import DROPOUT
from grubench.kernels.processor import Processor
from grubench.kernels.tape import ALL_STEPS, SHARED

pytestmark = needs_kernels


def drop(
    values: np.ndarray, rate: float, seed: int = 0, layer: int = 0, step: int = 0, processor: Processor | None = HOST
) -> np.ndarray:
    """What compiled code makes of values `(row, place)`."""
    assert processor is not None
    shared, target = np.zeros(len(SHARED), np.int64), np.zeros_like(values)
    shared[ALL_STEPS] = step
    table = ArgumentTable(
        DROPOUT,
        source=values,
        target=target,
        count=values.shape[1],
        threshold=round(rate * 2**32),
        scale=np.array([1 / (1 - rate)], np.float32),
        seed=seed,
        layer=layer,
        shared=shared,
    )
    load_program(COMMON, processor).functions["dropout"](table.address, 0, len(values), 0)
    return target


def draw_philox(counter: tuple[np.ndarray, ...], key: tuple[int, int]) -> list[np.ndarray]:
    """Philox4x32-10 as its authors have it (Random123, `philox.h`)."""
    x = [np.asarray(part, np.uint64) for part in counter]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = x[0] * np.uint64(0xD2511F53), x[2] * np.uint64(0xCD9E8D57)
        x = [(b >> 32) ^ x[1] ^ np.uint64(key[0]), b & low, (a >> 32) ^ x[3] ^ np.uint64(key[1]), a & low]
        key = (key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF
    return x


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0,) * 4, (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_the_reference_has_the_published_values(counter: tuple, key: tuple, expected: str) -> None:
    """The known answers of Random123 (`kat_vectors`)."""
    found = draw_philox(counter, key)
    assert " ".join(f"{int(word):08x}" for word in found) == expected


@settings(max_examples=30)
@given(
    st.integers(1, 5),
    st.integers(1, 150),
    st.floats(0.01, 0.9),
    st.integers(0, 2**63 - 1),
    st.integers(0, 5),
    st.integers(0, 2**32 - 1),
)
def test_what_is_dropped_follows_from_seed_layer_step_row_and_place(
    rows: int, count: int, rate: float, seed: int, layer: int, step: int
) -> None:
    values = np.random.default_rng(0).normal(size=(rows, count)).astype("f4")
    row, place = np.mgrid[:rows, :count]
    counter = (place // 64 * 16 + place % 16, row, np.full_like(row, step), np.full_like(row, layer))
    words = np.stack(draw_philox(counter, (seed & 0xFFFFFFFF, seed >> 32)))
    bits = np.take_along_axis(words, (place % 64 // 16)[None], axis=0)[0]
    expected = np.where(bits >= round(rate * 2**32), values * np.float32(1 / (1 - rate)), 0)
    np.testing.assert_array_equal(drop(values, rate, seed, layer, step), expected)


@pytest.mark.parametrize(("lanes", "registers"), [(8, 16), (4, 32)])
def test_shorter_vectors_drop_the_same(lanes: int, registers: int) -> None:
    assert HOST is not None
    if lanes > HOST.lanes:
        pytest.skip("this processor has shorter vectors")
    values = np.ones((3, 77), "f4")
    shorter = drop(values, 0.4, seed=3, processor=with_shorter_vectors(lanes, registers))
    np.testing.assert_array_equal(shorter, drop(values, 0.4, seed=3))


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5, 0.9])
def test_the_rate_is_dropped_and_the_rest_scaled(rate: float) -> None:
    """Within four standard errors; a mean of 1 follows."""
    found = drop(np.ones((400, 1000), "f4"), rate)
    assert set(np.unique(found)) == {np.float32(0), np.float32(1 / (1 - rate))}
    assert abs(np.mean(found == 0) - rate) < 4 * np.sqrt(rate * (1 - rate) / found.size)


def test_steps_layers_seeds_rows_and_places_are_independent() -> None:
    """The correlation of any two masks, and of any two rows or columns of one, is that of chance."""
    ones = np.ones((100, 1000), "f4")
    names = [{"step": 1}, {"step": 2}, {"layer": 1}, {"layer": 2}, {"seed": 1}, {"seed": 2**32}]
    masks = [drop(ones, 0.5, **name) for name in ({}, *names)]
    pairs = list(combinations(masks, 2))
    pairs += [(masks[0][:-1], masks[0][1:]), (masks[0][:, :-1], masks[0][:, 1:]), (masks[0][:, :-16], masks[0][:, 16:])]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4.5 / np.sqrt(one.size)
