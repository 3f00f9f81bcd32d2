"""The fused kernels against Keras's own layers in float64, and on several threads and vector widths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kernel_cases import CELLS, HOST, Case, needs_kernels, with_shorter_vectors

from grubench.kernels import recurrence, weight_layout
from grubench.kernels.recurrence import Recurrence

pytestmark = needs_kernels
sizes = st.tuples(st.integers(1, 40), st.integers(1, 12), st.integers(1, 40), st.integers(1, 70))


@settings(max_examples=20)
@given(st.sampled_from(CELLS), sizes, st.booleans(), st.integers(1, 3), st.integers(0, 99))
@example("gru", (33, 12, 5, 100), True, 2, 0)
@example("lstm", (33, 12, 17, 128), False, 2, 0)
def test_outputs_and_gradients_match_keras_in_float64(
    cell: str, sizes: tuple[int, int, int, int], sequences: bool, threads: int, seed: int
) -> None:
    Case(cell, sizes, sequences=sequences, seed=seed).check(Recurrence(cell, threads))


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.sampled_from(CELLS),
    st.tuples(st.integers(1, 70), st.integers(1, 30), st.integers(1, 70), st.integers(1, 260)),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 999),
)
@example("rnn", (59, 1, 59, 1), False, 1, 677)  # a gradient of 0.01, of 59 terms that cancel
def test_two_hundred_configurations_match_keras_in_float64(
    cell: str, sizes: tuple[int, int, int, int], sequences: bool, threads: int, seed: int
) -> None:
    Case(cell, sizes, sequences=sequences, seed=seed).check(Recurrence(cell, threads))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("lanes", "registers"), [(8, 16), (4, 32)])
def test_code_for_shorter_vectors_matches_keras_in_float64(cell: str, lanes: int, registers: int) -> None:
    """The code for AVX2 and for NEON's width, run on this processor."""
    assert HOST is not None
    if lanes > HOST.lanes:
        pytest.skip("this processor has shorter vectors")
    for sizes in ((11, 7, 3, 21), (9, 5, 1, 50)):
        Case(cell, sizes, sequences=True).check(Recurrence(cell, 2, with_shorter_vectors(lanes, registers)))


@pytest.mark.parametrize("cell", CELLS)
def test_one_two_and_four_threads_agree_bit_for_bit(cell: str) -> None:
    case = Case(cell, (37, 9, 4, 50), sequences=True)
    (first_outputs, first_gradients), *others = (case.run(Recurrence(cell, threads)) for threads in (1, 2, 4, 1))
    for outputs, gradients in others:
        for first, other in zip(vars(first_outputs).values(), vars(outputs).values(), strict=True):
            if first is not None and first.shape == first_outputs.hs.shape:
                np.testing.assert_array_equal(first, other)
        for first, other in zip(vars(first_gradients).values(), vars(gradients).values(), strict=True):
            if first is not None:
                np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_does_not_depend_on_the_others_of_its_batch(cell: str) -> None:
    case = Case(cell, (13, 6, 2, 20), sequences=True)
    kernel = Recurrence(cell, 2)
    batch = kernel.forward(case.x, case.weights, case.states).hs
    for row in range(13):
        states = [state[row : row + 1] for state in case.states]
        alone = kernel.forward(case.x[row : row + 1], case.weights, states).hs
        np.testing.assert_array_equal(alone[0], batch[row])


def test_the_gradient_of_the_inputs_is_computed_only_where_needed() -> None:
    case = Case("gru", (5, 4, 3, 8), sequences=False)
    with_d_x, without = (case.run(Recurrence("gru"), need_d_x=need)[1] for need in (True, False))
    assert without.x is None
    np.testing.assert_array_equal(with_d_x.u, without.u)


@settings(max_examples=30)
@given(st.sampled_from(CELLS), sizes, st.booleans(), st.booleans())
def test_nothing_is_written_outside_the_arrays(
    cell: str, sizes: tuple[int, int, int, int], sequences: bool, need_d_x: bool
) -> None:
    guard_floats, buffers = 2048, []

    def guarded_empty(shape: tuple[int, ...]) -> np.ndarray:
        buffer = np.full(int(np.prod(shape)) + 2 * guard_floats, 12345.0, np.float32)
        buffers.append(buffer)
        return buffer[guard_floats : len(buffer) - guard_floats].reshape(shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "empty", guarded_empty)
        patch.setattr(weight_layout, "empty", guarded_empty)
        Case(cell, sizes, sequences=sequences).run(Recurrence(cell, 2), need_d_x=need_d_x)
    for buffer in buffers:
        assert (buffer[:guard_floats] == 12345.0).all()
        assert (buffer[len(buffer) - guard_floats :] == 12345.0).all()
