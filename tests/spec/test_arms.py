"""Arms: crossed, named, planned in alternation, and refused where they cannot be."""

from __future__ import annotations

import pytest

from grubench.errors import SpecError, UsageError
from grubench.spec.arm_settings import read_arm
from grubench.spec.arms import build_arms, plan_trials
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model, Training


def test_trials_alternate_and_so_does_who_is_first() -> None:
    arms = build_arms(Experiment(), ["gru", "lstm"])
    order = [(trial.model.cell, trial.seed) for _, trial in plan_trials(arms, 3)]
    assert order == [("gru", 0), ("lstm", 0), ("lstm", 1), ("gru", 1), ("gru", 2), ("lstm", 2)]


def test_a_mixed_stack_takes_part_as_itself() -> None:
    spec = Experiment(model=Model(layers=("gru:8", "lstm:4")))
    assert [arm.name for arm in build_arms(spec, ["gru", "lstm"])] == ["GRU", "LSTM", "GRU + LSTM"]


def test_settings_are_crossed_with_the_cells_and_named() -> None:
    vary = {"training.learning_rate": [1e-3, 3e-4], "model.recurrent_initializer": ["orthogonal", "zeros"]}
    found = {arm.name: spec for arm, spec in build_arms(Experiment(), ["gru", "lstm"], vary).items()}
    assert len(found) == 8
    spec = found["LSTM recurrent_initializer=zeros learning_rate=0.0003"]
    assert (spec.model.layers, spec.training.learning_rate) == (("lstm:32",), 3e-4)


def test_arms_that_differ_have_different_names() -> None:
    arms = build_arms(Experiment(), ["gru", "lstm"], {"learning_rate": [0.001, 0.0010000001, 3e-4]})
    assert [(arm.name, spec.training.learning_rate) for arm, spec in arms.items() if arm.cell == "GRU"] == [
        ("GRU learning_rate=0.001", 0.001),
        ("GRU learning_rate=0.0010000001", 0.0010000001),
        ("GRU learning_rate=0.0003", 3e-4),
    ]
    assert len({arm.name for arm in arms}) == 6


def test_units_are_varied_for_each_cell() -> None:
    spec = Experiment(model=Model(layers=("gru:8",), dropout=(0.2,)))
    found = {arm.name: one.model for arm, one in build_arms(spec, ["gru", "lstm"], {"units": ["16", "32+8"]}).items()}
    assert {name: model.layers for name, model in found.items()} == {
        "GRU units=16": ("gru:16",),
        "LSTM units=16": ("lstm:16",),
        "GRU units=32+8": ("gru:32", "gru:8"),
        "LSTM units=32+8": ("lstm:32", "lstm:8"),
    }
    assert found["GRU units=32+8"].dropout == (0.2, 0.2)


def test_cells_of_as_many_parameters_are_named_without_their_units() -> None:
    assert [arm.name for arm in build_arms(Experiment(), ["gru", "lstm"], match="params")] == ["GRU", "LSTM"]
    with pytest.raises(UsageError, match=r"model\.units does not go with --match params"):
        build_arms(Experiment(), ["gru", "lstm"], {"units": ["16", "32"]}, match="params")


def test_the_same_arm_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="Two of the arms are the same"):
        build_arms(Experiment(), ["gru"], {"dropout": [0.2, 0.2]})


@pytest.mark.parametrize(
    ("key", "values", "named"),
    [
        ("training.rate", [1, 2], "unknown key 'training.rate'"),
        ("rate", [1, 2], "unknown key 'rate'"),
        ("window.lookback", [1, 2], "window.lookback cannot be varied"),
        ("model.layers", ["gru:3"], "model.layers cannot be varied"),
        ("units", ["16", "many"], "'many' is no number of units"),
        ("model.units", ["0", "8"], "no valid number of units"),
        ("training.optimizer", ["adam", "adamant"], "training.optimizer: unknown value 'adamant'"),
    ],
)
def test_what_cannot_be_varied_is_named(key: str, values: list, named: str) -> None:
    with pytest.raises(SpecError) as caught:
        build_arms(Experiment(), ["gru"], {key: values})
    assert named in caught.value.message


@pytest.mark.parametrize("cells", [["gru", "gro"], ["gru", "gru"], []])
def test_cells_that_cannot_be_compared_are_refused(cells: list[str]) -> None:
    with pytest.raises(UsageError, match="--cells"):
        build_arms(Experiment(), cells)


def test_epochs_are_not_varied_where_time_is_equal() -> None:
    for spec, match in ((Experiment(), "time"), (Experiment(training=Training(seconds=9)), "units")):
        with pytest.raises(UsageError, match=r"training\.epochs decides nothing"):
            build_arms(spec, ["gru"], {"training.epochs": [1, 2]}, match)
    with pytest.raises(UsageError, match=r"training\.seconds does not go with --match time"):
        build_arms(Experiment(), ["gru"], {"training.seconds": [1, 2]}, "time")


def test_a_name_that_cannot_be_varied_names_the_one_that_was_meant() -> None:
    with pytest.raises(SpecError, match=r"data\.unit cannot be varied") as caught:
        build_arms(Experiment(), ["gru"], {"unit": [8]})
    assert caught.value.remedy.startswith("Did you mean units? ")


class TestWrittenArms:
    """Arms that are written out: a cell or layers, and settings of their own."""

    def test_layers_and_settings_are_its_own_and_the_rest_is_shared(self) -> None:
        spec = Experiment(training=Training(batch_size=64))
        arms = build_arms(spec, [], written=["gru:64 dropout=0.2 learning_rate=1e-3", "lstm:32,gru:16", "rnn"])
        assert [arm.name for arm in arms][1:] == ["LSTM + GRU dropout=0", "RNN dropout=0"]
        first, mixed, cell = arms.values()
        assert (first.model.layers, first.model.dropout, first.training.learning_rate) == (("gru:64",), (0.2,), 1e-3)
        assert (mixed.model.layers, mixed.model.dropout) == (("lstm:32", "gru:16"), (0.0, 0.0))
        assert cell.model.layers == ("rnn:32",)
        assert {arm.training.batch_size for arm in arms.values()} == {64}

    def test_several_layers_have_values_of_their_own(self) -> None:
        arm = read_arm(Experiment(), "gru:8,gru:4 dropout=0.2,0 optimizer=sgd bidirectional=true")
        assert (arm.model.dropout, arm.training.optimizer, arm.model.bidirectional) == ((0.2, 0.0), "sgd", True)

    def test_they_are_crossed_with_what_is_varied(self) -> None:
        arms = build_arms(Experiment(), [], {"batch_size": [16, 32]}, written=["gru:4", "lstm:8"])
        assert [arm.name for arm in arms] == [
            "GRU batch_size=16", "LSTM batch_size=16", "GRU batch_size=32", "LSTM batch_size=32",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("", "is no arm"),
            ("dropout=0.2", "is no arm"),
            ("gru:8 dropout", "is no arm"),
            ("gru:8 drop=0.2", "unknown key 'drop'"),
            ("gru:8 lookback=4", "--arm: window.lookback cannot be varied"),
            ("gru:8 dropout=2", "dropout"),
            ("gur:8", "gur"),
        ],
    )
    def test_what_is_not_valid_is_refused(self, text: str, named: str) -> None:
        with pytest.raises(UsageError, match=named):
            build_arms(Experiment(), [], written=[text, "lstm"])

    def test_two_that_are_the_same_are_refused(self) -> None:
        with pytest.raises(UsageError, match="Two of the arms are the same"):
            build_arms(Experiment(), [], written=["gru:32", "gru"])
