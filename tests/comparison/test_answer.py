"""The answer and its evidence, as a user reads them: what to use, how sure that is, and what holds it back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from calibration import make_comparison, make_run
from conftest import compare_runs, made, run_with
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from rich.console import Console

from grubench.comparison import comparison as comparing
from grubench.comparison.best_arm import find_best_arm
from grubench.comparison.comparison import Comparison, Failure
from grubench.comparison.decision import decide_errors
from grubench.comparison.remarks import advise_again
from grubench.comparison.verdict import Verdict, write_verdict
from grubench.reports import terminal
from grubench.runs.run import Run
from grubench.spec.arms import Arm

RNG = np.random.default_rng(8)
# Errors below that of the baseline, which is 1, with a spread of 3 %.
GRU = 0.5 * np.exp(0.03 * RNG.normal(size=5))
NOISE = np.exp(0.03 * RNG.normal(size=5))
TIMES = np.array([[1.0, 1.01, 0.99, 1.0, 1.02], [1.3, 1.31, 1.29, 1.3, 1.33]])


def answer(*arms: np.ndarray, times: np.ndarray | None = None, **more: object) -> tuple[str, str]:
    """The two lines of the answer to made-up errors."""
    found = replace(make_comparison(np.stack(arms), times), **more)  # type: ignore[arg-type]
    text, remarks = write_verdict(found).answer.lines
    return text, remarks


def change(comparison: Comparison, changed: Callable[[Run], Run]) -> Comparison:
    """The comparison with other runs."""
    return replace(comparison, arms={arm: [changed(run) for run in runs] for arm, runs in comparison.arms.items()})


def _scale_by_all(run: Run) -> Run:
    spec = run.experiment
    return replace(run, experiment=replace(spec, window=replace(spec.window, scale_fit="all")))


def texts(verdict: Verdict, topic: str) -> list[str]:
    return [finding.text for finding in verdict.findings if finding.topic == topic]


class TestTwoCells:
    def test_the_better_one_is_named_with_its_interval_and_speed(self) -> None:
        text, remarks = answer(GRU, 1.4 * GRU * NOISE, times=TIMES)
        assert text.startswith("GRU: ")
        assert " % lower RMSE than LSTM (95 % interval " in text
        assert text.endswith(" %), trained 1.3 times as fast.")
        assert remarks == "Tested on one stretch of time (one split)."

    def test_a_scaling_that_knew_the_test_part_is_told(self) -> None:
        found = make_comparison(np.stack([GRU, 1.4 * GRU * NOISE]))
        leaking = change(found, _scale_by_all)
        assert "scaled by its values too" in " ".join(write_verdict(leaking).answer.lines)

    def test_the_interval_is_that_of_the_decision(self) -> None:
        found = make_comparison(np.stack([GRU, 1.4 * GRU * NOISE]))
        (decision,) = decide_errors(found)
        least, most = (1 - end for end in (decision.interval.high, decision.interval.low))
        assert f"({100 * (1 - decision.alpha):.3g} % interval {100 * least:.0f} to {100 * most:.0f} %)" in (
            write_verdict(found).answer.text
        )

    def test_a_slower_winner_is_told(self) -> None:
        assert ", but took 1.3 times as long to train." in answer(GRU, 1.4 * GRU * NOISE, times=TIMES[::-1])[0]

    def test_either_is_equivalent_and_the_faster_is_named(self) -> None:
        text, _ = answer(GRU, GRU * (1 + 0.005 * RNG.normal(size=5)), times=TIMES)
        assert text == "Either: equivalent within 5 %; the GRU trains 1.3 times as fast."

    def test_what_is_sure_and_too_small_to_matter_is_either(self) -> None:
        text, _ = answer(GRU, 1.02 * GRU * (1 + 0.002 * RNG.normal(size=5)))
        assert re.match(r"Either: GRU has 2 % lower RMSE \(90 % interval [\d.]+ to [\d.]+ %\), ", text)
        assert "less than the margin of 5 %" in text

    def test_the_margin_is_the_users(self) -> None:
        arms = GRU, 1.02 * GRU * (1 + 0.002 * RNG.normal(size=5))
        assert answer(*arms, margin=0.01)[0].startswith("GRU: 2 % lower RMSE than LSTM")

    def test_undecided_says_what_it_may_be_and_what_would_settle_it(self) -> None:
        found = make_comparison(np.stack([GRU, 1.02 * GRU * np.exp(0.05 * RNG.normal(size=5))]))
        (decision,) = decide_errors(found)
        text = write_verdict(found).answer.text
        needed = decision.count_seeds_needed(0.05)
        assert needed is not None
        assert text.startswith("Undecided after 5 seeds: ")
        assert ", anything from " in text
        assert text.endswith(f" higher is possible; about {needed - 5} more seeds would show 5 %.")
        assert "tie" not in text

    @pytest.mark.parametrize(("seeds", "words"), [(1, "1 seed is too few"), (2, "2 seeds are too few")])
    def test_one_or_two_seeds_tell_nothing(self, seeds: int, words: str) -> None:
        text, _ = answer(GRU[:seeds], 2 * GRU[:seeds])
        assert text == f"Undecided: {words} to tell (GRU had 50 % lower RMSE). Use --seeds 3 or more."

    @pytest.mark.parametrize("ratio", [2.0, 1.0])
    def test_a_ratio_that_no_seed_changes_tells_nothing(self, ratio: float) -> None:
        assert "the same for all 3 seeds" in answer(GRU[:3], ratio * GRU[:3])[0]


class TestBaselines:
    def test_neither_where_a_baseline_is_better(self) -> None:
        text, remarks = answer(2.6 * NOISE, 4 * NOISE**2)
        assert text.startswith("Neither: repeating the last value is 2.")
        assert text.endswith(" times better than even the better network, GRU.")
        assert "beat" not in remarks

    def test_the_season_is_a_number_of_steps(self) -> None:
        def seasonal(run: Run) -> Run:
            spec = replace(run.experiment, data=replace(run.experiment.data, period=7))
            baselines = {"seasonal": run.metrics.baselines["persistence"]}
            return replace(run, experiment=spec, metrics=structs.replace(run.metrics, baselines=baselines))

        found = change(make_comparison(np.stack([2.6 * NOISE, 4 * NOISE**2])), seasonal)
        assert write_verdict(found).answer.text.startswith("Neither: repeating the last 7 steps is 2.")

    def test_a_little_better_is_a_percentage(self) -> None:
        assert "repeating the last value has 1" in answer(1.2 * NOISE, 4 * NOISE**2)[0]

    def test_a_network_whose_trials_are_lost_is_worse_in_a_share_of_them(self) -> None:
        values = np.stack([0.9 * np.ones(12), np.ones(12)]) * np.exp(0.01 * RNG.normal(size=(2, 12)))
        values[:, 1:] *= 3.0
        values[:, 11] *= 20
        text, _ = answer(*values)
        start = r"Neither: repeating the last value is better than even the better network, \w+ in "
        assert re.fullmatch(start + r"9\d % of its trials, lost ones too\.", text)

    def test_what_is_not_shown_to_be_beaten_is_a_remark(self) -> None:
        _, remarks = answer(NOISE, 1.4 * NOISE**2)
        assert "No network is shown to beat repeating the last value, which is simpler." in remarks

    def test_no_network_beats_a_baseline_without_error(self, trained: dict[str, Run]) -> None:
        found = made(
            trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)], "LSTM": [(2.0, 4.1), (2.2, 4.2), (1.8, 3.7)]}
        )
        exact = {
            name: structs.replace(scores, overall={**scores.overall, "rmse_scaled": 0.0})
            for name, scores in found.runs[0].metrics.baselines.items()
        }
        found = change(found, lambda run: replace(run, metrics=structs.replace(run.metrics, baselines=exact)))
        verdict = write_verdict(found)
        assert all("makes no error at all" in text for text in texts(verdict, "baseline"))
        assert verdict.answer.choice == "neither"
        assert verdict.answer.text == "Neither: repeating the last value makes no error at all."


class TestManyArms:
    def test_the_best_of_many_cells_is_chosen_on_validation(self) -> None:
        found = make_comparison(np.stack([GRU, 1.4 * GRU * NOISE, 1.5 * GRU / NOISE]))
        assert write_verdict(found).answer.text == "GRU: best of 3 on validation; lower RMSE than LSTM and RNN."

        def swapped(run: Run) -> Run:
            loss = structs.replace(run.metrics.loss, validation=1.0 if run.experiment.model.cell == "gru" else 0.1)
            return replace(run, metrics=structs.replace(run.metrics, loss=loss))

        text = write_verdict(change(found, swapped)).answer.text
        assert text.startswith("Undecided: ")
        assert " is best of 3 on validation; " in text
        assert "higher test RMSE than GRU" in text

    def test_without_validation_it_is_said_what_was_picked_by(self) -> None:
        def without(run: Run) -> Run:
            loss = structs.replace(run.metrics.loss, validation=None)
            return replace(run, metrics=structs.replace(run.metrics, loss=loss))

        found = change(make_comparison(np.stack([GRU, 1.4 * GRU * NOISE, 1.5 * GRU / NOISE])), without)
        assert "best of 3 on the test part itself, which flatters it" in write_verdict(found).answer.text

    def test_settings_that_are_varied_leave_the_question_of_the_cells(self) -> None:
        values = 0.5 * np.exp(0.05 * np.random.default_rng(1).normal(size=(6, 5)))
        values[1::2] *= 1.3
        text, remarks = answer(*values)
        assert text.startswith("GRU: ")
        assert " lower RMSE than LSTM over 3 settings (97.5 % interval " in text
        assert remarks.startswith("Best of 6 arms on validation: GRU learning_rate=")

    def test_any_of_equivalent_arms(self) -> None:
        found = make_comparison(np.stack([GRU, *(GRU * np.exp(0.003 * RNG.normal(size=(2, 5))))]))
        result = write_verdict(found).answer
        assert result.choice == "either"
        assert result.text.startswith("Any of 3: ")
        assert result.text.endswith("are equivalent within 5 %.")

    def test_one_cell_in_two_settings_is_not_named_against_what_was_not_tested(self) -> None:
        values = GRU * np.array([1.0, 1.3, 1.4, 1.8])[:, None] * np.exp(0.03 * RNG.normal(size=(4, 5)))
        rates, batches = (0.001, 0.001, 0.01, 0.01), (32, 64, 32, 64)
        arms = {
            Arm(name=f"GRU {rate} {batch}", cell="GRU", settings={"rate": str(rate), "batch": str(batch)}): [
                make_run("gru", seed, float(error), learning_rate=rate, batch_size=batch)
                for seed, error in enumerate(errors)
            ]
            for errors, rate, batch in zip(values, rates, batches, strict=True)
        }
        found = Comparison(arms=arms, failed_arms=(), failures=(), command="")
        result = write_verdict(found).answer
        assert result.choice == "undecided"
        assert result.text == (
            "Undecided, GRU 0.001 32 for now: best of 4 on validation; lower RMSE than GRU 0.001 64 and GRU 0.01 32, "
            "not tested against GRU 0.01 64."
        )

    def test_a_baseline_that_another_arm_beats_does_not_beat_all(self) -> None:
        values = np.stack([1.5 * NOISE, GRU, 1.4 * GRU * NOISE])

        def chosen(run: Run) -> Run:
            loss = structs.replace(run.metrics.loss, validation=0.1 if run.experiment.model.cell == "gru" else 1.0)
            return replace(run, metrics=structs.replace(run.metrics, loss=loss))

        text, remarks = write_verdict(change(make_comparison(values), chosen)).answer.lines
        assert text.startswith("Undecided: GRU is best of 3 on validation; higher test RMSE than LSTM and RNN")
        assert remarks.startswith("Repeating the last value ")

    def test_not_all_are_equivalent_where_two_differ(self) -> None:
        steady = np.exp(0.0005 * RNG.normal(size=(3, 5)))
        text, _ = answer(*(GRU * np.array([1.0, 1.035, 0.97])[:, None] * steady), margin=0.05)
        assert not text.startswith("Any")

    def test_it_depends_where_each_cell_is_better_in_a_setting(self) -> None:
        sizes = np.array([1.0, 1.5, 1.5, 1.0])
        text, _ = answer(*(GRU * sizes[:, None] * np.exp(0.02 * RNG.normal(size=(4, 5)))))
        assert text == "It depends on learning rate: GRU has lower RMSE at 0.001, LSTM has lower RMSE at 0.003."

    def test_an_arm_that_failed_in_every_trial_counts_against_its_cell(self) -> None:
        values = np.stack([GRU, 1.2 * GRU, GRU * NOISE, 1.2 * GRU * NOISE])
        failed = np.zeros(values.shape, bool)
        failed[0] = True
        found = write_verdict(make_comparison(values, failed=failed)).answer
        assert found.choice != "GRU"
        table = StringIO()
        terminal.show_comparison(make_comparison(values, failed=failed), Console(file=table, width=200), details=True)
        assert "nan" not in table.getvalue()
        assert "5 of 10 GRU" in f"{found.text} {found.remarks}" or "5 of 5 GRU" in " ".join(found.remarks)

    def test_an_arm_with_one_lucky_trial_is_not_the_best(self) -> None:
        values = np.stack([0.5 * GRU, GRU, 1.5 * GRU]) * np.exp(0.02 * RNG.normal(size=(3, 5)))
        failed = np.zeros(values.shape, bool)
        failed[0, 1:] = True
        text, _ = write_verdict(make_comparison(values, failed=failed)).answer.lines
        assert text.startswith(("LSTM: best of 3", "Undecided, LSTM for now: best of 3"))

    def test_identical_arms_are_decided_nowhere(self) -> None:
        assert answer(GRU, GRU, GRU)[0].startswith("Undecided: ")


class TestWhatHoldsItBack:
    def test_cells_that_still_learn(self) -> None:
        def learning(run: Run) -> Run:
            fall = 0.5 if run.experiment.model.cell == "lstm" else 0.05
            loss = structs.replace(run.metrics.loss, late_fall=fall)
            return replace(run, metrics=structs.replace(run.metrics, loss=loss))

        verdict = write_verdict(change(make_comparison(np.stack([GRU, 1.4 * GRU * NOISE])), learning))
        assert "LSTM was still learning when training ended: this compares speed of learning" in verdict.answer.lines[1]
        (text,) = texts(verdict, "learning")
        assert text == (
            "training losses still fell, LSTM by 33 %: errors compare speed of learning; "
            "try --epochs 40 or --until-learned."
        )

    @pytest.mark.parametrize(
        ("settings", "advice"),
        [
            ({}, "--until-learned"),
            ({"seconds": 60.0}, "a larger --seconds"),
            ({"patience": 5, "epochs": 100}, "--patience 0"),
            ({"patience": 5}, "more --epochs"),
        ],
    )
    def test_what_makes_training_longer_goes_with_what_ended_it(self, settings: dict, advice: str) -> None:
        def learning(run: Run) -> Run:
            loss = structs.replace(run.metrics.loss, late_fall=0.5)
            epochs = {"epochs": run.metrics.loss.epochs} | settings
            training = replace(run.experiment.training, **epochs)
            spec = replace(run.experiment, training=training)
            return replace(run, experiment=spec, metrics=structs.replace(run.metrics, loss=loss))

        verdict = write_verdict(change(make_comparison(np.stack([GRU, 1.4 * GRU * NOISE])), learning))
        assert f"speed of learning ({advice})" in verdict.answer.lines[1]
        (text,) = texts(verdict, "learning")
        assert text.endswith(f"{advice}.")
        assert ("--until-learned" in text) is (advice == "--until-learned")

    def test_failures_of_a_kind_are_one_sentence(self) -> None:
        failed = np.zeros((2, 5), bool)
        failed[0, 2], failed[1, 1:] = True, True
        found = make_comparison(np.stack([GRU, GRU * NOISE]), failed=failed)
        (text,) = texts(write_verdict(found), "failed")
        assert text.startswith("GRU with seed 2; LSTM with seeds 1-4: ")
        failures = [structs.replace(one, message=f"The loss became nan in epoch {one.seed}.") for one in found.failures]
        other = structs.replace(failures[0], message="No memory.")
        said = texts(write_verdict(replace(found, failures=(*failures, other))), "failed")
        assert len(said) == 2
        assert "in epoch" in said[0]
        assert "(or alike)" in said[0]

    def test_failed_and_stuck_trials(self) -> None:
        values, failed = np.stack([GRU, 1.4 * GRU * NOISE]), np.zeros((2, 5), bool)
        values[1, 0], failed[1, 1] = 9, True
        verdict = write_verdict(make_comparison(values, failed=failed))
        assert "Trials failed or got stuck: 2 of 5 LSTM." in verdict.answer.lines[1]
        (text,) = texts(verdict, "trials")
        assert "LSTM 1 of 5 failed, 1 stuck (up to 81 % may)" in text
        assert len(texts(verdict, "failed")) == 1

    def test_none_failed_and_some_could(self) -> None:
        (text,) = texts(write_verdict(make_comparison(np.stack([GRU[:3], 1.4 * GRU[:3]]))), "trials")
        assert text == "none of 3 each failed or got stuck; up to 63 % still may (95 % bound)."

    def test_an_arm_whose_trials_all_failed(self) -> None:
        failed = np.zeros((2, 5), bool)
        failed[1] = True
        text, remarks = write_verdict(make_comparison(np.stack([GRU, GRU]), failed=failed)).answer.lines
        assert text == "GRU: every trial of LSTM failed."
        assert "5 of 5 LSTM" in remarks

    def test_one_seed_whose_trial_failed_tells_nothing(self) -> None:
        failed = np.array([[False], [True]])
        found = write_verdict(make_comparison(np.stack([GRU[:1], GRU[:1]]), failed=failed)).answer
        assert found.choice == "undecided"
        assert found.text == "Undecided, GRU for now: every trial of LSTM failed, and 1 seed is too few to tell."

    def test_an_arm_alone_may_be_no_better_than_a_baseline(self) -> None:
        failed = np.zeros((2, 5), bool)
        failed[1] = True
        text, _ = write_verdict(make_comparison(np.stack([4 * GRU, GRU]), failed=failed)).answer.lines
        assert re.fullmatch(r"Neither: repeating the last value is \d\.\d times better than GRU\.", text)

    def test_a_small_test_part(self) -> None:
        def small(run: Run) -> Run:
            data = structs.replace(run.metrics.data, separate_targets=2)
            return replace(run, metrics=structs.replace(run.metrics, data=data))

        verdict = write_verdict(change(make_comparison(np.stack([GRU, 2 * GRU * NOISE])), small))
        assert verdict.answer.text.startswith("Undecided: 2 test targets are too few to tell")


class TestSpeed:
    def test_other_kernels_are_not_raced(self, trained: dict[str, Run]) -> None:
        found = compare_runs({"GRU": [run_with(trained["gru"])], "LSTM": [run_with(trained["lstm"], kernel="cudnn")]})
        (text,) = texts(write_verdict(found), "speed")
        assert "GRU on fused, LSTM on cudnn" in text
        assert "would compare kernels, not cells" in text

    def test_a_restless_machine_is_told(self) -> None:
        found = make_comparison(np.stack([GRU, GRU * NOISE]), np.array([[1, 2, 1, 2, 1], [1, 1, 1, 1, 2.0]]))
        assert any(
            "varies by" in text and "close other programs" in text for text in texts(write_verdict(found), "speed")
        )

    def test_times_of_other_machines_are_not_compared(self, trained: dict[str, Run]) -> None:
        other = replace(trained["lstm"], environment=structs.replace(trained["lstm"].environment, processor="another"))
        found = comparing.from_runs([trained["gru"], other])
        assert found.notes == ("The runs were made with different processor: errors may differ by it.",)
        assert "their times are not compared" in texts(write_verdict(found), "speed")[0]


def test_only_seeds_that_both_arms_have_are_paired(trained: dict[str, Run]) -> None:
    found = made(trained, {"GRU": [(1.0, 1.0)] * 4, "LSTM": [(2.0, 2.0), (2.1, 2.0), (2.2, 2.0)]})
    verdict = write_verdict(found)
    assert "3 seeds" in texts(verdict, "error")[0]
    assert texts(verdict, "pairs")[0].startswith("GRU and LSTM share 3 seeds; seed 3 of one of them alone is left out")


def test_a_seed_that_failed_is_no_missing_seed(trained: dict[str, Run]) -> None:
    found = made(trained, {"GRU": [(1.0, 1.0)] * 4, "LSTM": [(2.0, 2.0), (2.1, 2.0), (2.2, 2.0)]})
    found = replace(found, failures=(Failure(arm="LSTM", seed=3, message="NaN"),))
    assert not texts(write_verdict(found), "pairs")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([2, 3, 6]),
    st.sampled_from([1, 2, 3, 6]),
    st.sampled_from([0, 5]),
    st.sampled_from([0.0, 0.2]),
)
def test_an_arm_is_named_only_where_the_evidence_says_different(
    seed: int, arms: int, seeds: int, series: int, failing: float
) -> None:
    draw = np.random.default_rng(seed)
    shape = (arms, seeds, series) if series else (arms, seeds)
    values = np.exp(0.1 * draw.normal(size=shape) + 0.2 * draw.normal(size=(arms, *[1] * (len(shape) - 1))))
    failed = draw.random((arms, seeds)) < failing
    failed[0] = False
    found = make_comparison(values, failed=failed)
    verdict = write_verdict(found)
    lines = [*verdict.answer.lines, *map(str, verdict.findings)]
    assert not any("nan" in line or "inf" in line for line in lines)
    named = verdict.answer.choice in {*(arm.name for arm in found.arms), *(arm.cell for arm in found.arms)}
    if named and not verdict.answer.text.endswith("failed."):
        assert any(decision.differs and decision.lower == verdict.answer.choice for decision in decide_errors(found))


INTERVAL = re.compile(r"\(([\d.,]+) to ([\d.,]+)(?:; [\d.]+ %)?\)")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([3, 5, 8]), st.sampled_from([0, 5]))
def test_what_is_printed_never_contradicts_itself(seed: int, seeds: int, series: int) -> None:
    """An interval that is written without 1 stands beside a difference, one with 1 beside none, to the last digit."""
    draw = np.random.default_rng(seed)
    shape = (2, seeds, series) if series else (2, seeds)
    spread = 10.0 ** draw.uniform(-4, -1)
    values = np.exp(spread * draw.normal(size=shape) + spread * draw.normal(size=(2, *[1] * (len(shape) - 1))))
    verdict = write_verdict(make_comparison(values, np.exp(spread * draw.normal(size=(2, seeds)))))
    for finding in verdict.evidence:
        ends = [tuple(float(end.replace(",", "")) for end in found) for found in INTERVAL.findall(finding.text)]
        if finding.topic in ("error", "speed") and ends:
            assert (": different" in finding.text) == (not ends[0][0] <= 1 <= ends[0][1]), finding.text
        if finding.topic == "baseline" and ends:
            differing = sum(not low <= 1 <= high for low, high in ends)
            undecided = finding.text.count("undecided") * (2 if "both undecided" in finding.text else 1)
            assert len(ends) - differing == undecided, finding.text
        if finding.topic in ("error", "speed"):
            p = re.search(r"p (?:=|<) ([\d.]+)", finding.text)
            assert not p or (float(p[1]) < 0.05) == (": different" in finding.text), finding.text
    shares = re.search(r"lower RMSE than .* interval ([\d.-]+) to", verdict.answer.text)
    assert not shares or float(shares[1]) > 0, verdict.answer.text


class TestNextCommand:
    """The command that the answer asks for, ready to call."""

    def test_more_seeds_where_there_are_too_few(self) -> None:
        found = replace(
            make_comparison(np.stack([GRU, 1.1 * GRU])[:, :2]), command="grubench compare x --seeds 2 --cells gru,lstm"
        )
        assert advise_again(found) == "grubench compare x --cells gru,lstm --seeds 3"

    def test_longer_training_where_trials_still_learned(self) -> None:
        found = change(make_comparison(np.stack([GRU, 1.1 * GRU * NOISE])), lambda run: _with_fall(run, 0.5))
        assert advise_again(replace(found, command="grubench compare --fresh")) == "grubench compare --until-learned"
        assert not advise_again(replace(found, command="grubench compare --until-learned"))

    def test_none_where_all_is_said(self) -> None:
        found = change(make_comparison(np.stack([GRU, 1.1 * GRU * NOISE])), lambda run: _with_fall(run, 0.0))
        assert not advise_again(replace(found, command="grubench compare"))


def _with_fall(run: Run, fall: float) -> Run:
    return replace(run, metrics=structs.replace(run.metrics, loss=structs.replace(run.metrics.loss, late_fall=fall)))


class TestWhatIsNotCompared:
    """Arms that share no seed, errors of 0 in a series, losses that differ."""

    def test_a_third_arm_without_a_shared_seed_is_not_forgotten(self) -> None:
        found = make_comparison(np.stack([GRU, 1.4 * GRU * NOISE, 0.5 * GRU]))
        rnn = next(arm for arm in found.arms if arm.name == "RNN")
        later = [replace(run, experiment=run.experiment.with_seed(100 + k)) for k, run in enumerate(found.arms[rnn])]
        found = replace(found, arms=found.arms | {rnn: later})
        text = write_verdict(found).answer.text
        assert text == "Undecided: RNN is best of 3 on validation, and shares no seed with the others."

    def test_an_error_of_0_in_one_series_leaves_the_means(self) -> None:
        errors = np.stack([GRU, 1.4 * GRU * NOISE])[:, :, None] * np.exp(0.05 * RNG.normal(size=(2, 5, 5)))
        errors[0, 0, 2] = 0.0
        (decision,) = decide_errors(make_comparison(errors))
        assert (decision.is_tested, decision.series) == (True, 0)
        assert decision.ratio == pytest.approx(np.exp(np.mean(np.log(errors.mean(axis=2)[0] / errors.mean(axis=2)[1]))))

    def test_the_best_of_arms_with_other_losses_is_not_chosen_by_them(self) -> None:
        found = make_comparison(np.stack([0.7 * GRU, GRU, 0.75 * GRU, 1.1 * GRU]))
        arms = {}
        for place, (arm, runs) in enumerate(found.arms.items()):
            loss = "mae" if place % 2 == 0 else "mse"
            arms[arm] = [_train_with_loss(run, loss, 9.0 if loss == "mae" else 0.1) for run in runs]
        best, chosen_on = find_best_arm(replace(found, arms=arms))
        assert best == next(iter(arms))
        assert chosen_on.startswith("the test part itself")

    def test_the_same_ratio_of_every_seed_claims_nothing_over_series_either(self) -> None:
        ratios = np.array([0.80, 0.82, 0.85, 0.83, 0.87])
        second = np.exp(0.1 * RNG.normal(size=(4, 1))) * np.ones(5)
        (decision,) = decide_errors(make_comparison(np.stack([second * ratios, second])))
        assert not decision.is_tested


def _train_with_loss(run: Run, loss: str, validation: float) -> Run:
    training = replace(run.experiment.training, loss=loss)
    losses = structs.replace(run.metrics.loss, validation=validation)
    return replace(
        run,
        experiment=replace(run.experiment, training=training),
        metrics=structs.replace(run.metrics, loss=losses),
    )
