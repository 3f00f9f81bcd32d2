"""Widths that make cells equal in parameters, against Keras's own count."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grubench.spec.arms import build_arms
from grubench.spec.experiment import Experiment
from grubench.spec.parameter_count import count_parameters, match_parameters
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
    assert count_parameters(spec) == model.build_model(spec, 3, 1 + stamps, horizon).count_params()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["gru", "rnn"]),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(0, 120),
    st.integers(1, 9),
    st.booleans(),
)
def test_no_other_width_comes_nearer(
    cell: str, units: list[int], features: int, horizon: int, bidirectional: bool
) -> None:
    """Against every width up to six times the widest: four times one gate has more parameters than four gates."""
    spec = Experiment(
        data=Data(features=tuple(map(str, range(features)))),
        window=Window(horizon=horizon),
        model=Model(layers=tuple(f"lstm:{width}" for width in units), bidirectional=bidirectional),
    )
    target = count_parameters(spec)
    stacks = [
        tuple(f"{cell}:{max(1, round(width * widest / max(units)))}" for width in units)
        for widest in range(1, 6 * max(units) + 1)
    ]
    distances = [abs(count_parameters(spec.with_layers(stack)) - target) for stack in stacks]
    assert match_parameters(spec, cell).model.layers == stacks[distances.index(min(distances))]


@pytest.mark.parametrize(("units", "features", "matched"), [(8, 100, "rnn:27"), (32, 200, "rnn:99")])
def test_many_inputs_take_an_rnn_of_more_than_three_times_the_width(units: int, features: int, matched: str) -> None:
    spec = Experiment(data=Data(features=tuple(map(str, range(features - 1)))), model=Model(layers=(f"lstm:{units}",)))
    assert match_parameters(spec, "rnn").model.layers == (matched,)


def test_layers_too_wide_to_count_up_to_are_matched() -> None:
    spec = Experiment(model=Model(layers=("lstm:100000000",)))
    matched = match_parameters(spec, "rnn")
    assert abs(count_parameters(matched) / count_parameters(spec) - 1) < 1e-6


def test_the_lstm_keeps_its_units() -> None:
    spec = Experiment(model=Model(layers=("gru:50", "gru:100")))
    assert match_parameters(spec, "lstm").model.layers == ("lstm:50", "lstm:100")
    gru, lstm = build_arms(spec, ["gru", "lstm"], match="params").items()
    assert (gru[0].name, lstm[0].name) == ("GRU", "LSTM")
    assert gru[1].model.stack[0].units > 50
