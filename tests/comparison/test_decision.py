"""What pairs show: different, equivalent, both or undecided; corrected, and never against their interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from calibration import make_comparison
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs
from scipy import stats

from grubench.comparison.comparison import Comparison
from grubench.comparison.decision import Decision, Outcome, decide_baselines, decide_errors, decide_times, judge
from grubench.comparison.statistics import ALPHA, estimate_over_seeds
from grubench.comparison.timing import explain_untimed
from grubench.comparison.verdict import write_verdict

RNG = np.random.default_rng(4)
logs = st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=10)


def errors(*arms: Sequence[float]) -> np.ndarray:
    """Errors of arms, `(arm, seed)`."""
    return np.array(arms)


def one(decisions: list[Decision]) -> Decision:
    (decision,) = decisions
    return decision


class TestOutcome:
    @settings(max_examples=100)
    @given(logs, st.floats(0.01, 0.3), st.integers(1, 5))
    def test_it_is_student_and_two_one_sided_tests(self, logs: list[float], margin: float, tests: int) -> None:
        found = estimate_over_seeds(logs)
        assume(found.p() == found.p())
        limit = np.log1p(margin)
        upper = stats.ttest_1samp(logs, limit, alternative="less").pvalue
        lower = stats.ttest_1samp(logs, -limit, alternative="greater").pvalue
        within = max(upper, lower)
        assert found.p_within(limit) == pytest.approx(within, rel=1e-6, abs=1e-12)
        assume(abs(found.p() * tests - ALPHA) > 1e-9)
        assume(abs(within * tests - ALPHA) > 1e-9)
        different, equivalent = found.p() * tests < ALPHA, within * tests < ALPHA
        expected = {
            (True, True): Outcome.SMALL,
            (True, False): Outcome.DIFFERENT,
            (False, True): Outcome.EQUIVALENT,
            (False, False): Outcome.UNDECIDED,
        }
        assert judge(tests * found.p(), tests * found.p_within(limit)) is expected[different, equivalent]

    def test_two_seeds_decide_nothing(self) -> None:
        found = make_comparison(errors([0.5, 0.6], [0.9, 1.081]), errors([1.0, 1.1], [2.0, 2.201]))
        for decision in (*decide_errors(found), *decide_times(found), *decide_baselines(found)):
            assert decision.outcome is Outcome.UNDECIDED
            assert not decision.is_tested

    def test_equivalence_is_corrected_for_how_many_are_tested(self) -> None:
        """Of six arms that differ by the margin from the baseline, one is called equivalent in 5 % of tries."""
        draw, limit, called = np.random.default_rng(6), np.log1p(0.05), []
        for _ in range(300):
            logs = limit + 0.01 * draw.normal(size=(6, 10))
            decisions = decide_baselines(make_comparison(np.exp(logs)))
            assert all(decision.alpha <= ALPHA for decision in decisions)
            called.append(any(one.outcome in (Outcome.SMALL, Outcome.EQUIVALENT) for one in decisions))
        assert np.mean(called) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)

    @pytest.mark.parametrize("factor", [1.0, 1.1])
    @pytest.mark.parametrize("jitter", [1e-11, 1e-8])
    def test_a_ratio_that_varies_by_float32_rounding_decides_nothing(self, factor: float, jitter: float) -> None:
        gru = np.array([0.5, 0.6, 0.55, 0.58])
        other = gru * factor * (1 + jitter * RNG.normal(size=4))
        decision = one(decide_errors(make_comparison(np.stack([gru, other]))))
        assert decision.outcome is Outcome.UNDECIDED
        assert not decision.is_tested

    def test_a_difference_of_a_thousandth_is_too_small_to_matter(self) -> None:
        gru = np.array([0.5, 0.6, 0.55, 0.58])
        decision = one(decide_errors(make_comparison(np.stack([gru, gru * (1 + 1e-3 + 1e-5 * RNG.normal(size=4))]))))
        assert decision.outcome is Outcome.SMALL

    @pytest.mark.parametrize("factor", [1.0, 2.0])
    def test_the_same_ratio_for_every_seed_decides_nothing(self, factor: float) -> None:
        gru = np.array([0.5, 0.25, 1.0])
        decision = one(decide_errors(make_comparison(np.stack([gru, gru * factor]))))
        assert decision.outcome is Outcome.UNDECIDED
        assert np.isnan(decision.p)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 3, 6]), st.sampled_from([3, 5, 8]), st.sampled_from([0, 5]))
def test_interval_and_decision_never_contradict_each_other(seed: int, arms: int, seeds: int, series: int) -> None:
    draw = np.random.default_rng(seed)
    shape = (arms, seeds, series) if series else (arms, seeds)
    values = np.exp(0.1 * draw.normal(size=shape) + 0.1 * draw.normal(size=(arms, *[1] * (len(shape) - 1))))
    found = make_comparison(values, np.exp(0.05 * draw.normal(size=shape[:2])))
    for decision in (*decide_errors(found), *decide_times(found), *decide_baselines(found)):
        if decision.lost:
            continue
        assert decision.differs is not (decision.interval.low <= 1 <= decision.interval.high)
        assert decision.interval.low <= decision.ratio <= decision.interval.high
        assert decision.differs is (decision.p < ALPHA)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_arms_changes_nothing(seed: int) -> None:
    values = np.exp(0.1 * np.random.default_rng(seed).normal(size=(2, 5)))
    there = make_comparison(values)
    back = Comparison(arms=dict(reversed(there.arms.items())), command="")
    first, second = one(decide_errors(there)), one(decide_errors(back))
    assert (first.outcome, first.lower) == (second.outcome, second.lower)
    assert first.ratio * second.ratio == pytest.approx(1)


class TestLostTrials:
    GRU = (0.30, 0.31, 0.29, 0.32, 0.30)
    LSTM = (0.33, 0.35, 1.40, 0.34, 1.50)

    def test_all_trials_are_ranked_with_the_lost_ones_last(self) -> None:
        decision = one(decide_errors(make_comparison(errors(self.GRU, self.LSTM))))
        assert decision.lost
        assert decision.p == pytest.approx(stats.mannwhitneyu([1, 4, 0, 5, 1], [6, 8, 9.5, 7, 9.5]).pvalue)
        assert decision.lower == "GRU"

    def test_a_failed_trial_and_a_stuck_one_count_alike(self) -> None:
        failed = np.zeros((2, 5), bool)
        failed[1, [2, 4]] = True
        decisions = [
            one(decide_errors(make_comparison(errors(self.GRU, self.LSTM), failed=lost))) for lost in (None, failed)
        ]
        assert decisions[0].p == decisions[1].p
        assert decisions[0].outcome is decisions[1].outcome

    @pytest.mark.parametrize("lost", [False, True])
    def test_series_that_differ_make_no_difference_sure(self, lost: bool) -> None:
        """Arms that are equal on average over all series are told apart rarely, whether a trial was lost or not."""
        draw, called = np.random.default_rng(5), []
        for _ in range(150):
            of_series = 0.07 * draw.normal(size=(2, 1, 10))
            values = np.exp(of_series + 0.03 * draw.normal(size=(2, 10, 1)) + 0.03 * draw.normal(size=(2, 10, 10)))
            failed = np.zeros((2, 10), bool)
            failed[0, 0] = lost
            decision = one(decide_errors(make_comparison(values, failed=failed)))
            assert (decision.series, decision.lost) == (10, lost)
            called.append(decision.differs)
        assert np.mean(called) <= 0.11

    def test_what_holds_for_seeds_and_series_is_shown_in_spite_of_a_lost_trial(self) -> None:
        draw = np.random.default_rng(6)
        values = np.exp(0.03 * draw.normal(size=(2, 8, 10)))
        values[1] *= 1.3
        failed = np.zeros((2, 8), bool)
        failed[1, 2] = True
        found = make_comparison(values, failed=failed)
        assert one(decide_errors(found)).lower == "GRU"
        assert one(decide_errors(found)).differs
        worse = make_comparison(1.5 * values, failed=failed)
        assert [(one.differs, one.first_is_lower) for one in decide_baselines(worse)] == [(True, False)] * 2

    def test_cells_over_settings_are_ranked_within_each_setting(self) -> None:
        values = np.exp(0.05 * RNG.normal(size=(6, 6)))
        values[1::2] *= 1.2
        values[1, 0] = 9
        cells, *_ = decide_errors(make_comparison(values))
        assert cells.pair.is_of_cells
        assert cells.lost
        differences = []
        for setting in range(3):
            both = values[2 * setting : 2 * setting + 2]
            ranks = stats.rankdata(both, axis=None).reshape(2, 6)
            differences.append(ranks[0] - ranks[1])
        expected = 2 * stats.ttest_1samp(np.mean(differences, axis=0), 0).pvalue  # two families share the 5 %
        assert cells.p == pytest.approx(expected)
        assert cells.lower == "GRU"

    @pytest.mark.parametrize("shared", [0, 2, 3])
    def test_cells_are_tested_over_three_shared_seeds_or_not_at_all(self, shared: int) -> None:
        values = np.exp(0.05 * np.random.default_rng(2).normal(size=(4, 8)))
        values[0, 0] = 9
        found = make_comparison(values)
        arms = {arm: runs[:4] if arm.cell == "GRU" else runs[4 - shared :] for arm, runs in found.arms.items()}
        cells, *_ = decide_errors(Comparison(arms=arms, command=""))
        assert cells.pair.is_of_cells
        assert cells.lost
        assert cells.seeds == shared
        assert cells.is_tested is (shared >= 3)

    def test_what_finished_better_than_a_baseline_is_not_called_worse_without_its_lost_trials(self) -> None:
        failed = np.zeros((2, 10), bool)
        failed[0, 1:] = True
        found = make_comparison(0.9 * np.exp(0.01 * RNG.normal(size=(2, 10))), failed=failed)
        (text,) = [finding.text for finding in write_verdict(found).findings if finding.topic == "baseline"]
        assert "(worse in 90 % of trials, lost ones too)" in text

    def test_baselines_count_lost_trials_as_worse(self) -> None:
        values = errors([0.3] * 7 + [9.0], [0.5, 0.6, 0.55, 0.5, 0.6, 0.55, 0.5, 0.6])
        against = {decision.pair.first: decision for decision in decide_baselines(make_comparison(values))}
        assert against["GRU"].lost
        assert against["GRU"].p == pytest.approx(stats.binomtest(1, 8).pvalue)
        assert against["LSTM"].differs


class TestSeriesToo:
    def test_a_difference_has_to_hold_for_other_series(self) -> None:
        """Sure over seeds on each of four series, of which two say the one and two the other."""
        values = 1 + 0.001 * RNG.normal(size=(2, 5, 4))
        values[0, :, :2] *= 0.8
        values[0, :, 2:] *= 1.3
        decision = one(decide_errors(make_comparison(values)))
        assert decision.series == 4
        assert decision.outcome is Outcome.UNDECIDED
        values[0] = 0.8 * (1 + 0.001 * RNG.normal(size=(5, 4)))
        assert one(decide_errors(make_comparison(values))).outcome is Outcome.DIFFERENT

    def test_three_series_are_one_mean(self) -> None:
        assert one(decide_errors(make_comparison(1 + 0.1 * RNG.random((2, 4, 3))))).series == 0


class TestSpeed:
    ERRORS = np.exp(0.1 * RNG.normal(size=(2, 4)))
    TIMES = np.array([[1.0, 1.01, 0.99, 1.0], [1.5, 1.52, 1.49, 1.51]])

    def test_trials_that_took_turns_are_compared(self) -> None:
        decision = one(decide_times(make_comparison(self.ERRORS, self.TIMES)))
        assert (decision.outcome, decision.lower) == (Outcome.DIFFERENT, "GRU")

    def test_trials_of_another_call_are_not(self) -> None:
        """Such as those of an arm that was finished before."""
        found = make_comparison(self.ERRORS, self.TIMES)
        arms = {
            arm: [replace(run, environment=structs.replace(run.environment, call=f"call of {arm}")) for run in runs]
            for arm, runs in found.arms.items()
        }
        found = Comparison(arms=arms, command="")
        assert decide_times(found) == []
        assert "not timed together" in explain_untimed(found)
        assert "--fresh" in explain_untimed(found)
        verdict = write_verdict(found)
        assert not any("times as fast" in str(finding) for finding in verdict.findings)
        assert "times as fast" not in verdict.answer.text

    def test_an_arm_that_is_alone_has_none_to_be_timed_with(self) -> None:
        found = make_comparison(self.ERRORS, self.TIMES)
        alone = Comparison(arms=dict(list(found.arms.items())[:1]), command="")
        assert explain_untimed(alone) == ""
        assert not any("timed together" in str(finding) for finding in write_verdict(alone).findings)

    @pytest.mark.parametrize("in_turns", [0, 1, 2, 3, 5])
    def test_the_fastest_of_many_is_that_of_trials_that_took_turns(self, in_turns: int) -> None:
        """One arm was trained in a slow hour, but for some seeds; in those it is the fastest."""
        times = np.ones((8, 5)) + 0.01 * RNG.random((8, 5))
        times[0] = 0.5
        times[0, in_turns:] = 5.0
        found = make_comparison(np.exp(0.1 * RNG.normal(size=(8, 5))), times)
        first = found.arms[next(iter(found.arms))]
        for place, run in enumerate(first[in_turns:], in_turns):
            first[place] = replace(run, environment=structs.replace(run.environment, call="another hour"))
        said = [finding.text for finding in write_verdict(found).findings if finding.topic == "speed"]
        fastest = [text for text in said if "shortest epochs" in text]
        if in_turns == 0:  # that arm is in no pair; the others are
            assert all("GRU learning_rate=0.001" not in text for text in said)
        elif in_turns < 3:
            assert fastest == []
            assert any("too few to tell" in text for text in said)
        else:
            assert fastest[0].startswith(
                f"GRU learning_rate=0.001 has the shortest epochs (geometric means of {in_turns}"
            )
            assert "times as fast" not in fastest[0]

    def test_one_slow_hour_does_not_make_an_arm_the_slowest_and_what_is_not_tested_is_said(self) -> None:
        times = np.ones((8, 5)) * np.array([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7])[:, None]
        times = times * np.exp(0.001 * RNG.normal(size=(8, 5)))
        times[0, 2] = 1.3  # an outlier: the arithmetic mean would be above the next arm's
        found = make_comparison(np.exp(0.1 * RNG.normal(size=(8, 5))), times)
        (text,) = [one.text for one in write_verdict(found).findings if "shortest epochs" in one.text]
        fastest = next(iter(found.arms))
        tested = [one for one in decide_times(found) if fastest.name in (one.pair.first, one.pair.second)]
        assert text.startswith(f"{fastest} has the shortest epochs (geometric means of 5 seeds)")
        assert f"not tested against {7 - len(tested)} others" in text

    def test_resumed_trials_are_not(self) -> None:
        found = make_comparison(self.ERRORS, self.TIMES)
        for runs in found.arms.values():
            for place, run in enumerate(runs):
                timing = structs.replace(run.metrics.timing, resumed_after_epochs=(3,))
                runs[place] = replace(run, metrics=structs.replace(run.metrics, timing=timing))
        assert decide_times(found) == []

    def test_settings_that_cannot_change_it_are_neither_tested_nor_corrected_for(self) -> None:
        values = np.exp(0.1 * RNG.normal(size=(6, 4)))
        decisions = decide_times(make_comparison(values, np.exp(0.1 * RNG.normal(size=(6, 4)))))
        names = {(decision.pair.first, decision.pair.second) for decision in decisions}
        rates = ("0.001", "0.003", "0.01")
        assert names == {
            ("GRU", "LSTM"),
            *((f"GRU learning_rate={rate}", f"LSTM learning_rate={rate}") for rate in rates),
        }


def test_baselines_are_corrected_over_arms_and_baselines() -> None:
    values = np.exp(0.3 * RNG.normal(size=(3, 4)) - 0.4)
    found = make_comparison(values)
    raw = [stats.ttest_1samp(np.log(own), 0).pvalue for own in values]
    assert min(decision.p for decision in decide_baselines(found)) == pytest.approx(3 * min(raw))


def test_of_cells_and_settings_the_cells_are_a_family_of_their_own() -> None:
    """A difference of the cells at every setting is found by one test, which the pairs do not bury."""
    values = np.exp(0.1 * np.random.default_rng(5).normal(size=(6, 5)))
    values[1::2] *= 1.15
    cells, *pairs = decide_errors(make_comparison(values))
    assert cells.pair.is_of_cells
    logs = np.log(values[::2] / values[1::2]).mean(axis=0)
    assert cells.p == pytest.approx(2 * stats.ttest_1samp(logs, 0).pvalue)
    assert cells.differs
    assert not all(pair.differs for pair in pairs)
