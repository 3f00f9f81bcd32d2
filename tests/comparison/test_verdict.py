"""The verdict: differences, no difference, warnings and baselines, in sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import arm, compare_runs, made, run_with
from msgspec import structs
from scipy import stats

from grubench.comparison import comparison, pairs, statistics
from grubench.comparison.comparison import Comparison
from grubench.comparison.finding import Finding
from grubench.comparison.verdict import write_verdict
from grubench.runs.run import Run


def find(comparison: Comparison, topic: str) -> Finding:
    """The first finding about a topic."""
    return next(finding for finding in write_verdict(comparison) if finding.topic == topic)


def said(comparison: Comparison, topic: str) -> str:
    """The first finding about a topic, in words."""
    return str(find(comparison, topic))


def sentences(comparison: Comparison) -> list[str]:
    return list(map(str, write_verdict(comparison)))


class TestVerdict:
    def test_a_clear_difference_is_called_one(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)], "LSTM": [(2.0, 4.1), (2.2, 4.2), (1.8, 3.7)]}
        )
        assert said(found, "speed").startswith("Speed: GRU trained 2.00 times as fast as LSTM (95 % interval ")
        assert said(found, "error").startswith("Error: RMSE of GRU is 50.0 % lower than that of LSTM")

    def test_no_difference_is_called_so(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 2.0), (1.2, 2.4), (0.8, 1.9)], "LSTM": [(1.1, 2.2), (1.0, 2.1), (0.9, 2.0)]}
        )
        assert "no difference shown" in said(found, "speed")
        assert "no difference shown between GRU and LSTM with 3 seeds (RMSE ratio " in said(found, "error")
        assert "3 seeds show a difference" in said(found, "power")

    def test_the_power_is_that_of_the_spread_seen(self, trained: dict[str, Run]) -> None:
        """The difference is the one that simulated seeds of this spread show in 80 %; the seeds are counted up."""
        errors = ([1.0, 1.2, 0.8, 1.1], [1.1, 1.0, 0.9, 1.05])
        found = made(trained, dict(zip(("GRU", "LSTM"), [[(e, 1.0) for e in own] for own in errors], strict=True)))
        spread = np.std(np.log(np.divide(*errors)), ddof=1)
        power = find(found, "power")
        draws = np.random.default_rng(0).normal(np.log1p(power.numbers["percent"] / 100), spread, (20_000, 4))
        assert np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.015)
        needed = next(n for n in range(3, 10_000) if statistics.power(np.log(1.05), spread, n) >= 0.8)
        assert power.numbers["seeds_needed"] == needed
        assert power.text == (
            "with this spread, 4 seeds show a difference between LSTM and GRU of "
            f"{power.numbers['percent']:.1f} % in 4 of 5 repetitions; a difference of 5 % needs {needed} seeds."
        )

    def test_the_numbers_of_a_finding_are_those_of_its_sentence(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)], "LSTM": [(2.0, 4.1), (2.2, 4.2), (1.8, 3.7)]}
        )
        speed, error = find(found, "speed"), find(found, "error")
        assert speed.arms == error.arms == ("GRU", "LSTM")
        for finding in (speed, error):
            numbers = finding.numbers
            decimals = 2 if finding is speed else 3
            interval = f"95 % interval {numbers['ratio_low']:.{decimals}f} to {numbers['ratio_high']:.{decimals}f}"
            for text in (f"{numbers['ratio']:.{decimals}f}", interval, f"{numbers['pairs']} pairs"):
                assert text in finding.text
        assert f"{error.numbers['lower_by'] * 100:.1f} % lower" in error.text

    def test_few_seeds_give_no_verdict(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 1.0), (1.0, 1.0)], "LSTM": [(2.0, 2.0), (2.1, 2.0)]})
        assert "undecided, 2 seeds are too few for a test; " in said(found, "speed")
        assert "undecided, 2 seeds are too few for a test; " in said(found, "error")
        assert not [one for one in sentences(found) if one.startswith("Power")]

    def test_only_seeds_that_both_arms_finished_are_paired(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 1.0)] * 4, "LSTM": [(2.0, 2.0), (2.1, 2.0), (2.2, 2.0)]})
        assert "3 pairs" in said(found, "error")
        assert said(found, "pairs").startswith(
            "Pairs: GRU and LSTM share 3 seeds; seed 3, finished by one of them alone, is left out"
        )

    def test_other_kernels_are_not_raced(self, trained: dict[str, Run]) -> None:
        one, other = trained["gru"], run_with(trained["lstm"], kernel="cudnn")
        found = compare_runs({"GRU": [one], "LSTM": [other]})
        assert "GRU on fused, LSTM on cudnn" in said(found, "speed")
        assert "would compare kernels, not cells" in said(found, "speed")

    def test_a_restless_machine_is_told(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 1.0), (1.0, 2.0), (1.0, 1.0)], "LSTM": [(1.1, 1.0), (1.0, 1.0), (1.2, 2.0)]}
        )
        assert any("varies by" in one and "--seeds" in one for one in sentences(found))

    def test_several_pairs_are_corrected(self, trained: dict[str, Run]) -> None:
        """Three equal arms and p values that one by one would be called a difference."""
        arms = {"GRU": [(1.00, 1.0), (1.01, 1.0), (0.99, 1.0)], "LSTM": [(1.05, 1.0), (1.09, 1.0), (1.02, 1.0)]}
        alone = pairs.compare_neighbors(made(trained, arms), pairs.ERROR)
        runs = made(trained, arms).arms
        third = [run_with(trained["gru"], seed=k, error=e) for k, e in enumerate((1.02, 1.0, 1.03))]
        together = pairs.compare_neighbors(Comparison(arms=runs | {arm("RNN"): third}), pairs.ERROR)
        assert min(pair.p for pair in together) == pytest.approx(3 * min(pair.result.p for pair in together))
        ours = next(pair for pair in together if {pair.first.name, pair.second.name} == {"GRU", "LSTM"})
        assert ours.p > alone[0].p

    @pytest.mark.parametrize(
        ("errors", "said"),
        [
            ((1e-9, 1e-9), "both beat persistence"),
            ((9, 9), "neither beats persistence"),
            ((1e-9, 9), "GRU beats, LSTM is worse than persistence"),
        ],
    )
    def test_baselines_are_named(self, trained: dict[str, Run], errors: tuple[float, float], said: str) -> None:
        found = made(trained, {name: [(error, 1.0)] * 3 for name, error in zip(("GRU", "LSTM"), errors, strict=True)})
        assert any(said in sentence for sentence in sentences(found))

    def test_a_baseline_within_the_spread_is_not_beaten(self, trained: dict[str, Run]) -> None:
        error = trained["gru"].metrics.baselines["persistence"].overall["rmse_scaled"]
        wide = [(error * share, 1.0) for share in (0.7, 0.99, 1.2)]
        found = made(trained, {"GRU": wide, "LSTM": wide[:2]})
        assert any("GRU and LSTM show no difference from persistence" in sentence for sentence in sentences(found))

    def test_times_of_other_machines_are_not_compared(self, trained: dict[str, Run]) -> None:
        other = replace(trained["lstm"], environment=structs.replace(trained["lstm"].environment, processor="another"))
        found = comparison.from_runs([trained["gru"], other])
        assert found.notes == ("The runs were made with different processor: errors may differ by it.",)
        assert "their times are not compared" in said(found, "speed")

    def test_an_equal_time_is_named(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 1.0)] * 3, "LSTM": [(2.0, 2.0), (2.1, 2.0), (2.2, 2.0)]})
        assert "each" not in said(found, "error")
        for runs in found.arms.values():
            runs[:] = [
                replace(
                    run,
                    experiment=replace(run.experiment, training=replace(run.experiment.training, seconds=90.0)),
                )
                for run in runs
            ]
        assert "lower than that of LSTM on the test part, after 90 s of training each (" in said(found, "error")
        early = replace(found.runs[0].experiment.training, patience=3)
        found.runs_of("GRU")[0] = replace(found.runs[0], experiment=replace(found.runs[0].experiment, training=early))
        assert "each" not in said(found, "error")
