"""Pairs of arms: which are compared, in which words, and as a table where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from itertools import combinations

import numpy as np
import pytest
from calibration import make_comparison
from conftest import arm, run_with
from rich.console import Console

from grubench.comparison import pairs
from grubench.comparison.comparison import Comparison
from grubench.comparison.decision import decide_baselines, decide_errors
from grubench.comparison.finding import MAX_DETAILED
from grubench.comparison.pairs import Pair, name_pair
from grubench.comparison.phrases import write_ratio
from grubench.comparison.statistics import format_p
from grubench.comparison.verdict import write_verdict
from grubench.reports import export, pair_tables, terminal
from grubench.runs.run import Run
from grubench.spec.arms import Arm, build_arms, find_differing_settings


def crossed(trained: dict[str, Run], vary: dict[str, Sequence[object]], seeds: int = 3) -> Comparison:
    """A comparison of both cells crossed with settings, with made-up values."""
    arms = {}
    for number, (name, spec) in enumerate(build_arms(trained["gru"].experiment, ["gru", "lstm"], vary).items()):
        runs = [
            run_with(trained[spec.model.cell], seed=k, error=1 + number / 9 + k / 50, epoch_s=1 + k / 9)
            for k in range(seeds)
        ]
        arms[name] = [replace(run, experiment=spec.with_seed(run.experiment.seed)) for run in runs]
    return Comparison(arms=arms)


VARY = {"training.learning_rate": [1e-2, 1e-3, 1e-4], "training.loss": ["mse", "mae"]}


def test_neighbors_differ_in_one_setting(trained: dict[str, Run]) -> None:
    found = crossed(trained, VARY)
    specs = {name: runs[0].experiment for name, runs in found.arms.items()}
    kept = pairs.find_neighbors(found)
    # 12 arms: a pair of cells at each of 6 settings, 3 pairs of rates at 4 places, a pair of losses at 6.
    assert len(kept) == 6 + 3 * 4 + 6
    for pair in kept:
        ((first, second),) = pair.arms
        one, other = specs[first], specs[second]
        apart = [
            one.model.layers != other.model.layers,
            one.training.learning_rate != other.training.learning_rate,
            one.training.loss != other.training.loss,
        ]
        assert sum(apart) == 1


def test_two_arms_are_compared_whatever_they_differ_in(trained: dict[str, Run]) -> None:
    arms = crossed(trained, VARY).arms
    names = list(arms)
    (pair,) = pairs.find_neighbors(Comparison(arms={name: arms[name] for name in (names[0], names[-1])}))
    assert pair.arms == ((names[0], names[-1]),)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("GRU", "LSTM", "GRU / LSTM"),
        ("GRU + LSTM", "persistence", "GRU + LSTM / persistence"),
        ("GRU dropout=0.2 loss=mse", "LSTM dropout=0.2 loss=mse", "GRU / LSTM, dropout 0.2, loss mse"),
        ("GRU dropout=0.2 loss=mse", "GRU dropout=0.4 loss=mse", "GRU, loss mse: dropout 0.2 / 0.4"),
        ("GRU units=4+8", "GRU units=4+9", "GRU: units 4+8 / 4+9"),
        ("GRU dropout=0.2 loss=mse", "GRU dropout=0.4 loss=mae", "GRU: dropout 0.2 loss mse / dropout 0.4 loss mae"),
        ("GRU dropout=0.2", "LSTM dropout=0.4", "GRU dropout 0.2 / LSTM dropout 0.4"),
        ("GRU dropout=0.2", "persistence", "GRU dropout 0.2 / persistence"),
        ("persistence", "GRU dropout=0.2", "persistence / GRU dropout 0.2"),
    ],
)
def test_what_two_arms_share_is_said_once(first: str, second: str, said: str) -> None:
    assert pairs.name_pair(Pair(first=first, second=second, arms=((arm(first), arm(second)),))) == said


@pytest.mark.parametrize("width", [80, 120])
def test_many_pairs_stand_in_a_table_that_fits(trained: dict[str, Run], width: int) -> None:
    found = crossed(trained, VARY)
    console = Console(file=StringIO(), width=width)
    terminal.show_comparison(found, console, details=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert "RMSE ratio" in text
    table = pair_tables.tabulate_pairs(found)
    assert table is not None
    assert len(table.lines) == 1 + len(pairs.find_neighbors(found))
    assert len(write_verdict(found).evidence) < 10
    for ending in (".md", ".tex"):
        assert "GRU / LSTM, learning_rate 0.01, loss mse" in export.format_comparison(found, ending)


@pytest.mark.parametrize(("seeds", "tested"), [(2, False), (3, True)])
def test_pairs_of_fewer_than_three_seeds_have_no_p(trained: dict[str, Run], seeds: int, tested: bool) -> None:
    found = crossed(trained, VARY, seeds)
    table = pair_tables.tabulate_pairs(found)
    assert table is not None
    errors = {name_pair(decision.pair): decision for decision in decide_errors(found)}
    for name, ratio, p, *_ in table.lines:
        assert p == (format_p(errors[name].p) if tested else "too few")
        assert ratio.startswith(write_ratio(errors[name].ratio, 3))
        assert ("(" in ratio) is tested


def test_cells_against_each_other_come_first_in_the_table(trained: dict[str, Run]) -> None:
    table = pair_tables.tabulate_pairs(crossed(trained, VARY))
    assert table is not None
    of_cells = [line[0].startswith("GRU / LSTM") for line in table.lines]
    assert table.lines[0][0] == "GRU / LSTM, all settings"
    assert sum(of_cells) == 7
    assert of_cells == sorted(of_cells, reverse=True)


def test_arms_that_beat_a_baseline_are_named_in_a_table_where_they_are_many(trained: dict[str, Run]) -> None:
    found = crossed(trained, VARY)
    table = pair_tables.tabulate_baselines(found)
    assert table is not None
    decisions = decide_baselines(found)
    assert len(table.lines) == len(decisions) == len(found.arms) * len(found.runs[0].metrics.baselines)
    for line, decision in zip(table.lines, decisions, strict=True):
        name, ratio, level, p, verdict = line
        assert name.endswith(f" / {decision.pair.second}")
        assert ratio.startswith(write_ratio(decision.ratio, 3))
        assert level == f"{(1 - decision.alpha) * 100:.3g} %"
        assert p == format_p(decision.p)
        assert verdict == (
            {True: "better", False: "worse"}[decision.first_is_lower] if decision.differs else "undecided"
        )
    assert pair_tables.tabulate_baselines(crossed(trained, {})) is None


def test_every_pair_has_its_details_or_is_counted(trained: dict[str, Run]) -> None:
    for vary, pairs_of_arms in (({"training.learning_rate": [1e-2, 1e-3, 1e-4]}, 9), (VARY, 24)):
        found = crossed(trained, vary)
        assert len(pairs.find_neighbors(found)) == pairs_of_arms
        said = [finding.text for finding in write_verdict(found).findings]
        shown = min(pairs_of_arms, MAX_DETAILED)
        assert sum("Wilcoxon signed-rank" in text for text in said) == shown
        more = f"Wilcoxon's test and A12 of {pairs_of_arms - shown} more pairs not shown."
        assert (more in said) is (shown < pairs_of_arms)


def test_a_ratio_is_not_taken_for_the_value_of_a_setting() -> None:
    def introduce(*names: str) -> str:
        first, second = map(arm, names)
        return pairs.introduce_pair(Pair(first=first.name, second=second.name, arms=((first, second),)))

    assert introduce("GRU rate=0.1", "LSTM rate=0.1") == "GRU / LSTM, rate 0.1:"
    assert introduce("GRU rate=0.1", "GRU rate=0.2") == "GRU: rate 0.1 / 0.2:"
    assert introduce("GRU", "LSTM") == "GRU / LSTM"


def test_the_table_names_the_tests_that_decided() -> None:
    values = np.exp(0.1 * np.random.default_rng(0).normal(size=(6, 4)))
    failed = np.zeros((6, 4), bool)
    table = pair_tables.tabulate_pairs(make_comparison(values))
    assert table is not None
    assert table.title.endswith("p (Holm) of Student's paired t-test over seeds")
    failed[0, 0] = True
    table = pair_tables.tabulate_pairs(make_comparison(values, failed=failed))
    assert table is not None
    assert "Mann-Whitney's test where trials were lost" in table.title
    series = np.exp(0.1 * np.random.default_rng(0).normal(size=(6, 4, 5)))
    table = pair_tables.tabulate_pairs(make_comparison(series))
    assert table is not None
    assert "over seeds and series" in table.title


def test_few_pairs_have_sentences_and_no_table(trained: dict[str, Run]) -> None:
    found = crossed(trained, {})
    assert pair_tables.tabulate_pairs(found) is None
    assert any(str(one).startswith("Error: GRU / LSTM") for one in write_verdict(found).findings)


def test_two_seeds_of_many_arms_tell_nothing(trained: dict[str, Run]) -> None:
    said = [str(finding) for finding in write_verdict(crossed(trained, VARY, seeds=2)).findings]
    assert "Error: 2 seeds are too few to tell." in said
    assert any(one.startswith("Persistence: ") and "2 seeds are too few" in one for one in said)


def test_cells_are_paired_over_the_settings_that_both_have(trained: dict[str, Run]) -> None:
    found = crossed(trained, VARY)
    (pair,) = pairs.find_cell_pairs(found)
    assert (pair.first, pair.second) == ("GRU", "LSTM")
    assert len(pair.arms) == 6
    assert all(first.settings == second.settings for first, second in pair.arms)
    assert pairs.find_cell_pairs(crossed(trained, {})) == []


def test_neighbors_of_many_arms_are_those_of_the_rule(trained: dict[str, Run]) -> None:
    """Against the rule as it is written down: sets of settings, pair by pair."""
    specs = [spec for name, spec in build_arms(trained["gru"].experiment, ["gru", "lstm"], VARY).items()][::-2]
    specs += [replace(spec, training=replace(spec.training, epochs=7, batch_size=9)) for spec in specs[:3]]
    arms = {arm(f"arm{number}"): [replace(trained["gru"], experiment=spec)] for number, spec in enumerate(specs)}

    def apart(first: Arm, second: Arm) -> set[str]:
        return set(find_differing_settings([arms[first][0].experiment, arms[second][0].experiment]))

    expected = [
        ((first, second),)
        for first, second in combinations(arms, 2)
        if not any(
            apart(third, first) < apart(first, second) and apart(third, second) < apart(first, second)
            for third in arms.keys() - {first, second}
        )
    ]
    assert [pair.arms for pair in pairs.find_neighbors(Comparison(arms=arms))] == expected


def test_of_too_many_pairs_none_is_tested_and_the_verdict_says_so(trained: dict[str, Run]) -> None:
    spec = trained["gru"].experiment
    rates = [replace(spec, training=replace(spec.training, learning_rate=rate / 1000)) for rate in range(1, 47)]
    arms = {
        arm(f"arm{number}"): [replace(trained["gru"], experiment=one.with_seed(seed)) for seed in range(3)]
        for number, one in enumerate(rates)
    }
    found = Comparison(arms=arms)
    assert len(pairs.find_neighbors(found)) == 46 * 45 / 2 > pairs.MAX_TESTED
    assert decide_errors(found) == []
    told = [finding.text for finding in write_verdict(found).findings if finding.topic == "pairs"]
    assert told == ["1,035 pairs of arms are too many to test (the most is 1,000); compare fewer arms."]
    assert pair_tables.tabulate_pairs(found) is None
