"""Networks in compiled code against NumPy in float64; needs neither Keras nor TensorFlow (`make test-arm`)."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from kernel_cases import CELLS, needs_kernels
from numpy_network import LOSSES, UPDATES, run_network

from grubench.kernels.flat_weights import LayerShape, LevelShape
from grubench.kernels.network import Network, NetworkShape
from grubench.kernels.optimizers import UPDATE_RULES

pytestmark = needs_kernels
LOOKBACK, FEATURES = 7, 2


def make_network(
    cells: tuple[str, ...], units: tuple[int, ...], *, both: bool = False, threads: int = 2, **settings: object
) -> Network:
    """A network with random weights."""
    levels, features = [], FEATURES
    for cell, size in zip(cells, units, strict=True):
        directions = (False, True) if both else (False,)
        layers = [LayerShape(cell=cell, features=features, units=size, is_reversed=flag) for flag in directions]
        levels.append(LevelShape(layers=tuple(layers)))
        features = levels[-1].width
    outputs = 1 if settings.get("every_step") else 3
    sizes = {"lookback": LOOKBACK, "features": FEATURES, "outputs": outputs}
    network = Network(NetworkShape(levels=tuple(levels), **sizes, **settings), threads)  # type: ignore[arg-type]
    draw = np.random.default_rng(1)
    network.set_variables([0.4 * draw.normal(size=one.shape).astype("f4") for one in network.get_variables()])
    return network


def draw_windows(network: Network, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A series, the start rows of windows, and their inputs and targets."""
    draw, shape = np.random.default_rng(2), network.shape
    series = draw.normal(size=(90, FEATURES)).astype("f4")
    starts = draw.integers(0, 90 - LOOKBACK - shape.outputs, size=batch)
    x = np.stack([series[start : start + LOOKBACK] for start in starts]).astype("f8")
    if shape.every_step:
        return series, starts, x, np.stack([series[start + 1 : start + 1 + LOOKBACK, :1] for start in starts])
    return series, starts, x, np.stack([series[start + LOOKBACK :, 0][: shape.outputs] for start in starts])


@pytest.mark.parametrize(("cell", "both", "every_step"), [*product(CELLS, (False, True), (False, True))])
def test_outputs_and_gradients(cell: str, both: bool, every_step: bool) -> None:
    """The gradients along a random direction of each variable, against central differences of the loss in float64."""
    for loss, batch, units in zip(LOSSES, (1, 5, 12, 21), (1, 9, 17, 33), strict=True):
        settings = {"every_step": every_step, "loss": loss, "learning_rate": 0.0}
        network = make_network((cell, "lstm"), (units, 6), both=both, **settings)
        series, starts, x, y = draw_windows(network, batch)
        variables = [variable.astype("f8") for variable in network.get_variables()]

        def compute_loss(variables: list[np.ndarray], network=network, x=x, y=y, loss=loss) -> float:
            return float(LOSSES[loss](run_network(network.shape, variables, x) - y).mean())

        forecasts = run_network(network.shape, variables, x)
        np.testing.assert_allclose(network.forecast(series, starts), forecasts, rtol=1e-4, atol=1e-5)
        (found,) = network.train(series, starts[None])
        assert found == pytest.approx(compute_loss(variables), rel=1e-5)
        assert network.evaluate(series, starts) == pytest.approx(found, rel=1e-5)
        draw, step = np.random.default_rng(3), 1e-6
        for number, gradient in enumerate(network.layout.unpack(network.gradients)):
            direction = draw.normal(size=gradient.shape)
            ahead, behind = (
                [*variables[:number], variables[number] + sign * step * direction, *variables[number + 1 :]]
                for sign in (1, -1)
            )
            slope = (compute_loss(ahead) - compute_loss(behind)) / (2 * step)
            assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("optimizer", UPDATES)
@pytest.mark.parametrize("clip", [{}, {"clipnorm": 0.01}, {"clipvalue": 0.001}])
def test_updates(optimizer: str, clip: dict[str, float]) -> None:
    """Each step's new weights follow from its gradients by the optimizer's published algorithm."""
    rate = 1e-3
    network = make_network(("gru", "rnn"), (9, 5), optimizer=optimizer, learning_rate=rate, **clip)
    series, starts, _, _ = draw_windows(network, 11)
    slots = [[np.zeros_like(one) for one in network.get_variables()] for _ in UPDATE_RULES[optimizer].slots]
    for step in range(1, 6):
        before = network.get_variables()
        network.train(series, starts[None], step - 1)
        gradients = network.layout.unpack(network.gradients)
        for number, (w, g) in enumerate(zip(before, gradients, strict=True)):
            if "clipnorm" in clip:
                g = g * clip["clipnorm"] / max(clip["clipnorm"], float(np.linalg.norm(g)))  # noqa: PLW2901
            if "clipvalue" in clip:
                g = g.clip(-clip["clipvalue"], clip["clipvalue"])  # noqa: PLW2901
            own = [slot[number] for slot in slots]
            expected, following = UPDATES[optimizer](w.astype("f8"), g.astype("f8"), own, rate, step)
            np.testing.assert_allclose(network.get_variables()[number], expected, rtol=1e-5, atol=1e-6)
            for slot, values in zip(slots, following, strict=True):
                slot[number] = values


@pytest.mark.parametrize("threads", [3, 5, 7])
def test_any_number_of_threads_and_rows(threads: int) -> None:
    network = make_network(("lstm", "gru"), (9, 5), threads=threads)
    alone = make_network(("lstm", "gru"), (9, 5), threads=1)
    for batch in (40, 1, 3, 33, 256):  # the memory grows meanwhile
        series, starts, _, _ = draw_windows(network, batch)
        for one in (network, alone):
            one.train(series, np.tile(starts, (2, 1)))
        np.testing.assert_allclose(network.weights, alone.weights, atol=1e-5)
        np.testing.assert_allclose(network.forecast(series, starts), alone.forecast(series, starts), atol=1e-4)


def test_threads_give_the_same_bits() -> None:
    found = []
    for threads in (1, 2, 4):
        network = make_network(("lstm", "gru"), (9, 5), threads=threads, clipnorm=0.1)
        series, starts, _, _ = draw_windows(network, 37)
        network.train(series, np.tile(starts, (5, 1)))
        found.append(network.weights.copy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
