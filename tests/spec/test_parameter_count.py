"""Widths that make cells equal in parameters, against Keras's own count."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grubench.spec.arms import arms_of
from grubench.spec.experiment import Experiment
from grubench.spec.parameter_count import matched, parameters
from grubench.spec.sections import TIME_FEATURES, Data, Model, Window
from grubench.training import model

stacks = st.lists(
    st.builds("{}:{}".format, st.sampled_from(["gru", "lstm", "rnn"]), st.integers(1, 9)), min_size=1, max_size=3
)


@settings(max_examples=15, deadline=None)
@given(stacks, st.booleans(), st.booleans(), st.integers(0, 4), st.integers(1, 5))
def test_the_formula_is_keras_count(
    layers: list[str], bidirectional: bool, reset_after: bool, stamps: int, horizon: int
) -> None:
    spec = Experiment(
        data=Data(time_features=TIME_FEATURES[:stamps]),
        window=Window(horizon=horizon),
        model=Model(layers=tuple(layers), bidirectional=bidirectional, reset_after=reset_after),
    )
    assert parameters(spec) == model.build(spec, 3, 1 + stamps, horizon).count_params()


@pytest.mark.parametrize("cell", ["gru", "rnn"])
@pytest.mark.parametrize("units", [(128,), (50, 100), (16,)])
def test_no_other_width_comes_nearer(cell: str, units: tuple[int, ...]) -> None:
    spec = Experiment(model=Model(layers=tuple(f"lstm:{one}" for one in units)))
    target = parameters(spec)
    found = matched(spec, cell)
    distance = abs(parameters(found) - target)
    widest = max(layer.units for layer in found.model.stack)
    for other in (widest - 1, widest + 1):
        layers = tuple(f"{cell}:{round(one * other / max(units))}" for one in units)
        assert abs(parameters(spec.with_layers(layers)) - target) >= distance
    assert distance < 0.02 * target


def test_the_lstm_keeps_its_units() -> None:
    spec = Experiment(model=Model(layers=("gru:50", "gru:100")))
    assert matched(spec, "lstm").model.layers == ("lstm:50", "lstm:100")
    gru, lstm = arms_of(spec, ["gru", "lstm"], match="params").items()
    assert (gru[0], lstm[0]) == ("GRU", "LSTM")
    assert gru[1].model.stack[0].units > 50
