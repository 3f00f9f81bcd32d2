"""A network in compiled code against Keras's own layers: gradients in float64, training in float32, any threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import CELLS, HOST, needs_kernels, with_shorter_vectors
from network_cases import NetworkCase

from grubench.kernels import batch_memory
from grubench.kernels import network as networks
from grubench.kernels.losses import LOSS_TERMS
from grubench.kernels.network import Network
from grubench.kernels.optimizers import UPDATE_RULES

pytestmark = needs_kernels
stacks = st.lists(st.tuples(st.sampled_from(CELLS), st.integers(1, 40)), min_size=1, max_size=3)
# Each optimizer, cell, loss and clipping at least once with another.
COMBINATIONS = [
    ("adam", ("gru",), "mse", {}),
    ("adamw", ("lstm",), "huber", {"clipnorm": 0.05}),
    ("nadam", ("rnn",), "log_cosh", {"clipvalue": 0.01}),
    ("adamax", ("gru_reset_before",), "mae", {"clipnorm": 0.05}),
    ("rmsprop", ("gru", "lstm"), "huber", {}),
    ("adagrad", ("lstm", "rnn"), "log_cosh", {"clipvalue": 0.01}),
    ("sgd", ("gru_reset_before", "gru"), "mse", {"clipnorm": 0.05}),
    ("lion", ("lstm",), "mse", {}),
]


# Settings with which a step leaves the weights as they are.
UNCHANGED = {"learning_rate": 0.0}


def check_gradients(case: NetworkCase, batch: int, network: Network) -> None:
    """Loss, gradients and forecasts against Keras in float64."""
    starts = case.draw_starts(batch)
    loss, gradients = case.compute_gradients(starts)
    (ours,) = network.train(case.series, starts[None])
    found = network.layout.unpack(network.gradients)
    assert ours == pytest.approx(loss, rel=1e-5, abs=1e-6)
    largest = max(float(np.abs(part).max()) for part in gradients)
    for expected, part in zip(gradients, found, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-5 * largest)
    forecasts = case.model(case.cut(starts)[0].astype(case.dtype)).numpy()
    np.testing.assert_allclose(network.forecast(case.series, starts), forecasts, rtol=1e-4, atol=1e-5)


@settings(max_examples=12)
@given(stacks, st.booleans(), st.booleans(), st.integers(1, 40), st.integers(1, 3), st.integers(0, 99))
def test_gradients_match_keras_in_float64(
    stack: list[tuple[str, int]], both: bool, every_step: bool, batch: int, threads: int, seed: int
) -> None:
    cells, units = zip(*stack, strict=True)
    loss = ("mse", "huber", "log_cosh")[seed % 3]
    case = NetworkCase(
        cells=cells,
        units=units,
        both=both,
        every_step=every_step,
        settings={"loss": loss, **UNCHANGED},
        dtype="float64",
        seed=seed,
    )
    check_gradients(case, batch, case.make_network(threads))


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_the_activation_before_the_head(activation: str) -> None:
    settings = {"activation": activation, **UNCHANGED}
    case = NetworkCase(cells=("gru", "lstm"), units=(9, 21), settings=settings, dtype="float64")
    check_gradients(case, 11, case.make_network())


@pytest.mark.parametrize(("optimizer", "cells", "loss", "clips"), COMBINATIONS)
def test_fifty_steps_follow_keras(optimizer: str, cells: tuple[str, ...], loss: str, clips: dict[str, float]) -> None:
    rate = 1e-4 if optimizer == "lion" else 1e-3
    settings: dict[str, Any] = {"optimizer": optimizer, "loss": loss, "learning_rate": rate, **clips}
    case = NetworkCase(cells=cells, units=(20, 7)[: len(cells)], settings=settings)
    network, order = case.make_network(), case.draw_starts(50, 13)
    losses = network.train(case.series, order)
    expected = [float(case.model.train_on_batch(*case.cut(starts))) for starts in order]
    np.testing.assert_allclose(losses, np.asarray(expected), rtol=1e-3)
    for variable, ours in zip(case.model.trainable_variables, network.get_variables(), strict=True):
        largest = float(np.abs(variable.numpy()).max())
        np.testing.assert_allclose(ours, variable.numpy(), rtol=0, atol=1e-4 * largest)


def test_every_optimizer_and_loss_is_followed() -> None:
    assert {combination[0] for combination in COMBINATIONS} == set(UPDATE_RULES)
    assert {combination[2] for combination in COMBINATIONS} == set(LOSS_TERMS)


@pytest.mark.parametrize("cell", CELLS)
def test_any_threads_and_any_calls_give_the_same_bits(cell: str) -> None:
    """With dropout and clipping; a fit that is cut into calls, as one that is resumed, goes on the same way."""
    settings: dict[str, Any] = {"clipnorm": 0.1, "seed": 5}
    case = NetworkCase(cells=(cell, "lstm"), units=(19, 12), settings=settings)
    order = case.draw_starts(9, 37)
    found = []
    for threads, cuts in ((1, (9,)), (2, (4, 9)), (4, (1, 2, 9))):
        network, first = case.make_network(threads, dropout=0.3), 0
        for last in cuts:
            network.train(case.series, order[first:last], first)
            first = last
        found.append(network.get_variables())
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@settings(max_examples=20)
@given(stacks, st.booleans(), st.booleans(), st.integers(1, 40), st.integers(1, 12), st.integers(1, 9))
def test_nothing_is_written_outside_the_arrays(
    stack: list[tuple[str, int]], both: bool, every_step: bool, batch: int, lookback: int, features: int
) -> None:
    guard_floats, buffers = 2048, []

    def guarded_zeros(*shape: int) -> np.ndarray:
        buffer = np.full(int(np.prod(shape)) + 2 * guard_floats, 12345.0, np.float32)
        buffers.append(buffer)
        inner = buffer[guard_floats : len(buffer) - guard_floats]
        inner[:] = 0
        return inner.reshape(shape)

    cells, units = zip(*stack, strict=True)
    sizes = {"lookback": lookback, "features": features, "outputs": 5}
    settings: dict[str, Any] = {"clipnorm": 1.0, "activation": "tanh", "optimizer": "nadam"}
    case = NetworkCase(cells=cells, units=units, both=both, every_step=every_step, settings=settings, **sizes)
    with pytest.MonkeyPatch.context() as patch:
        for module in (batch_memory, networks):
            patch.setattr(module, "zeros", guarded_zeros)
        network = case.make_network(2, dropout=0.2)
        network.train(case.series, case.draw_starts(2, batch))
        network.evaluate(case.series, case.draw_starts(batch))
        network.forecast(case.series, case.draw_starts(batch))
    for buffer in buffers:
        assert (buffer[:guard_floats] == 12345.0).all()
        assert (buffer[len(buffer) - guard_floats :] == 12345.0).all()


def test_a_window_does_not_depend_on_the_others_of_its_batch() -> None:
    case = NetworkCase(cells=("gru", "lstm"), units=(20, 7), settings={})
    network, starts = case.make_network(), case.draw_starts(13)
    together = network.forecast(case.series, starts)
    for row, start in enumerate(starts):
        np.testing.assert_array_equal(network.forecast(case.series, np.array([start]))[0], together[row])


@pytest.mark.parametrize(("lanes", "registers"), [(8, 16), (4, 32)])
def test_code_for_shorter_vectors(lanes: int, registers: int) -> None:
    assert HOST is not None
    if lanes > HOST.lanes:
        pytest.skip("this processor has shorter vectors")
    case = NetworkCase(cells=("gru", "lstm"), units=(21, 9), both=True, settings=UNCHANGED, dtype="float64")
    check_gradients(case, 11, case.make_network(2, with_shorter_vectors(lanes, registers)))


@pytest.mark.slow
@settings(max_examples=200)
@given(stacks, st.booleans(), st.booleans(), st.integers(1, 70), st.integers(1, 4), st.integers(0, 999))
def test_two_hundred_networks_match_keras_in_float64(
    stack: list[tuple[str, int]], both: bool, every_step: bool, batch: int, threads: int, seed: int
) -> None:
    cells, units = zip(*stack, strict=True)
    case = NetworkCase(
        cells=cells, units=units, both=both, every_step=every_step, settings=UNCHANGED, dtype="float64", seed=seed
    )
    check_gradients(case, batch, case.make_network(threads))
