"""The spec: checked when made, written and read without loss, named by its digest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grubench.errors import SpecError
from grubench.spec.experiment import Experiment
from grubench.spec.optimizers import OPTIMIZERS
from grubench.spec.sections import SECTIONS, Data, Layer, Model, Training, Window

# Control characters are refused.
text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=20)
layer = st.builds("{}:{}".format, st.sampled_from(["gru", "lstm", "rnn"]), st.integers(1, 512))


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    layers = tuple(draw(st.lists(layer, min_size=1, max_size=3)))
    rate = st.floats(0, 0.99, allow_nan=False)
    return Experiment(
        data=Data(
            unit=draw(text),
            features=tuple(draw(st.lists(text, max_size=3, unique=True))),
            period=draw(st.just("auto") | st.integers(0, 50)),
        ),
        window=Window(lookback=draw(st.integers(1, 99)), validation=draw(rate), test=draw(st.integers(1, 99))),
        model=Model(layers=layers, dropout=tuple(draw(rate) for _ in layers), bidirectional=draw(st.booleans())),
        training=Training(optimizer=draw(st.sampled_from(sorted(OPTIMIZERS))), learning_rate=draw(st.floats(1e-6, 10))),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@given(experiments())
def test_toml_loses_nothing(spec: Experiment) -> None:
    again = Experiment.from_toml(spec.to_toml())
    assert again == spec
    assert again.digest == spec.digest


@given(experiments(), experiments())
def test_only_equal_specs_share_a_digest(one: Experiment, other: Experiment) -> None:
    assert (one.digest == other.digest) == (one == other)


def test_the_digest_stays_what_it_was() -> None:
    """A change of the digest orphans every finished trial: it must be meant."""
    assert Experiment(seed=3).digest == Experiment.from_dict({"seed": 3}).digest
    assert Experiment(seed=3).digest != Experiment(seed=4).digest


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        ({"windw": {}}, "windw"),
        ({"window": {"lookbak": 3}}, "window.lookbak"),
        ({"window": {"lookback": 0}}, "window.lookback: 0"),
        ({"window": {"lookback": "long"}}, "window.lookback: 'long'"),
        ({"window": {"lookback": True}}, "window.lookback: True"),
        ({"window": 3}, "window: 3"),
        ({"window": {"validation": -0.1}}, "window.validation: -0.1"),
        ({"window": {"test": 1.5}}, "window.test: 1.5"),
        ({"window": {"scaling": "log"}}, "window.scaling: unknown value 'log'"),
        ({"model": {"layers": ["gur:3"]}}, "model.layers: 'gur:3'"),
        ({"model": {"layers": ["gru:x"]}}, "model.layers: 'gru:x'"),
        ({"model": {"layers": []}}, "model.layers"),
        ({"model": {"dropout": 1.0}}, "model.dropout: 1.0"),
        ({"model": {"dropout": [0.1, 0.2]}}, "model.dropout: 2 values for 1 layers"),
        ({"model": {"activation": "swoosh"}}, "model.activation: unknown value 'swoosh'"),
        ({"model": {"layers": ["gru:4"] * 101}}, "model.layers: 101 layers are too many"),
        ({"training": {"threads": 4097}}, "training.threads: 4097 is too large"),
        ({"data": {"target": ["a", "b", "a"]}}, "data.target: 'a' is named more than once"),
        ({"data": {"features": ["x", "x"]}}, "data.features: 'x' is named more than once"),
        ({"data": {"time_features": ["hour", "hour"]}}, "data.time_features: 'hour' is named more than once"),
        ({"data": {"train_series": ["s", "s"]}}, "data.train_series: 's' is named more than once"),
        ({"data": {"test_series": ["s", "s"]}}, "data.test_series: 's' is named more than once"),
        ({"data": {"unit": "\udcff"}}, "data.unit: '\\udcff' has bytes that are not UTF-8"),
        ({"data": {"file": "a\nb.csv", "target": ["y"]}}, "data.file: the name 'a\\nb.csv'"),
        ({"training": {"optimizer": "adamant"}}, "training.optimizer: unknown value 'adamant'"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate: nan"),
        ({"training": {"clipnorm": 1, "clipvalue": 1}}, "training.clipnorm"),
        ({"training": {"jit": True, "kernel": "cudnn"}}, "XLA cannot compile"),
        ({"training": {"kernel": "cudnn"}, "model": {"recurrent_dropout": 0.1}}, "training.kernel: gru:32 cannot run"),
        (
            {"training": {"kernel": "cudnn"}, "model": {"layers": ["gru:3", "rnn:4"]}},
            "training.kernel: rnn:4 cannot run",
        ),
        ({"training": {"patience": 3}, "window": {"validation": 0}}, "training.patience: 3"),
        ({"window": {"every_step": True, "horizon": 2}}, "window.horizon: 2"),
        ({"window": {"every_step": True}, "model": {"bidirectional": True}}, "model.bidirectional"),
        ({"window": {"split": "series"}}, "window.split"),
        ({"data": {"file": "my.csv"}}, "data.target"),
        ({"seed": -1}, "seed: -1"),
        ({"seed": "x"}, "seed: 'x'"),
    ],
)
def test_what_is_wrong_is_named(tree: dict, named: str) -> None:
    with pytest.raises(SpecError) as caught:
        Experiment.from_dict(tree)
    assert named in caught.value.message


def test_an_unknown_key_names_the_likeliest() -> None:
    with pytest.raises(SpecError) as caught:
        Experiment.from_dict({"training": {"optimiser": "adam"}})
    assert "Did you mean training.optimizer?" in caught.value.remedy
    assert "batch_size" in caught.value.remedy


def test_a_series_split_keeps_the_series_apart() -> None:
    window = Window(split="series", scale_per="dataset")
    with pytest.raises(SpecError, match="is trained on too"):
        Experiment(data=Data(train_series=("a", "b"), test_series=("b",)), window=window)


def test_the_optimizers_own_rate_is_written_in() -> None:
    assert Training(optimizer="sgd").learning_rate == 1e-2
    assert Training(optimizer="sgd", learning_rate=0.5).learning_rate == 0.5


def test_a_file_takes_the_datasets_place() -> None:
    spec = Experiment(data=Data(file="folder/my.csv", target=("price",)))
    assert (spec.data.dataset, spec.data_name) == ("", "my")


def test_cells_are_replaced_and_widths_kept() -> None:
    spec = Experiment(model=Model(layers=("gru:64", "lstm:32")))
    assert spec.model.cell == "gru-lstm"
    assert spec.with_cell("rnn").model.layers == ("rnn:64", "rnn:32")
    assert spec.with_cell("rnn").model.cell == "rnn"
    assert replace(spec, seed=5) == spec.with_seed(5)
    assert Layer.parse("gru:64") == Layer(cell="gru", units=64)


def test_every_setting_says_what_it_is() -> None:
    for section in SECTIONS.values():
        for setting in section.settings:
            assert setting.help.endswith((".", "none.", "never.")), setting.name


@pytest.mark.parametrize(("value", "period", "season"), [("auto", "auto", 0), (7, 7, 7), ("7", 7, 7), (0, 0, 0)])
def test_a_period_is_auto_or_a_number(value: object, period: object, season: int) -> None:
    data = Experiment.from_dict({"data": {"period": value}}).data
    assert (data.period, data.season) == (period, season)


@pytest.mark.parametrize("value", ["none", "", "-1", "1.5", -1, 1.5, True, "9" * 5000])
def test_a_period_that_is_neither_is_refused(value: object) -> None:
    with pytest.raises(SpecError, match=r"data\.period"):
        Experiment.from_dict({"data": {"period": value}})
