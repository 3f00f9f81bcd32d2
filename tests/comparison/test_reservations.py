"""What limits a verdict: small test parts, errors of exactly 0, forecasts that only repeat the last value."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import compare_runs, made, run_with
from msgspec import structs

from grubench.comparison.comparison import Comparison
from grubench.comparison.decision import decide_errors
from grubench.comparison.verdict import write_verdict
from grubench.reports import export, html, plots
from grubench.runs.run import Run

BETTER = [(0.10, 1.0), (0.11, 1.0), (0.09, 1.0)]
WORSE = [(0.20, 1.0), (0.22, 1.0), (0.18, 1.0)]


def with_metrics(comparison: Comparison, **changes: object) -> Comparison:
    """The comparison with other values in the data summary of each run."""
    runs_of = {
        arm.name: [
            replace(run, metrics=structs.replace(run.metrics, data=structs.replace(run.metrics.data, **changes)))
            for run in runs
        ]
        for arm, runs in comparison.arms.items()
    }
    return compare_runs(runs_of)


def sentences(comparison: Comparison, topic: str) -> list[str]:
    return [finding.text for finding in write_verdict(comparison).findings if finding.topic == topic]


class TestSmallTest:
    @pytest.mark.parametrize(("targets", "words"), [(1, "1 target that does"), (19, "19 targets that do")])
    def test_it_is_said_and_nothing_is_claimed(self, trained: dict[str, Run], targets: int, words: str) -> None:
        found = with_metrics(made(trained, {"GRU": BETTER, "LSTM": WORSE}), separate_targets=targets)
        assert words in sentences(found, "test part")[0]
        for text in (*sentences(found, "error"), *sentences(found, "baseline")):
            assert f"{targets} test target" in text
            assert "too few to tell" in text
            assert "better" not in text
            assert "different" not in text
        assert write_verdict(found).answer.choice == "undecided"

    def test_twenty_targets_are_enough(self, trained: dict[str, Run]) -> None:
        found = with_metrics(made(trained, {"GRU": BETTER, "LSTM": WORSE}), separate_targets=20)
        assert not sentences(found, "test part")
        assert "too few" not in "".join(sentences(found, "error") + sentences(found, "baseline"))

    def test_many_pairs_are_not_claimed_either(self, trained: dict[str, Run]) -> None:
        arms = {f"GRU units={n}": [run_with(trained["gru"], seed=k, error=e / n) for k, (e, _) in enumerate(BETTER)]
                for n in (1, 2, 3, 4)}  # fmt: skip
        for n, runs in enumerate(arms.values(), 5):
            runs[:] = [
                replace(
                    run, experiment=replace(run.experiment, training=replace(run.experiment.training, batch_size=n))
                )
                for run in runs
            ]
        found = with_metrics(compare_runs(arms), separate_targets=3)
        assert len(decide_errors(found)) > 3
        assert not any("differ" in text for text in sentences(found, "error"))


class TestExact:
    """An error of 0 has no logarithm and no ratio."""

    def persistence_of(self, comparison: Comparison, error: float) -> Comparison:
        for runs in comparison.arms.values():
            for place, run in enumerate(runs):
                scores = run.metrics.baselines["persistence"]
                exact = structs.replace(scores, overall={**scores.overall, "rmse_scaled": error})
                baselines = {"persistence": exact}
                runs[place] = replace(run, metrics=structs.replace(run.metrics, baselines=baselines))
        return comparison

    @pytest.mark.parametrize("other", [0.0, 0.3])
    @pytest.mark.parametrize("baseline", [0.0, 0.5])
    def test_there_is_nothing_to_compare_and_the_verdict_says_so(
        self, trained: dict[str, Run], other: float, baseline: float
    ) -> None:
        found = made(trained, {"GRU": [(0.0, 1.0)] * 3, "LSTM": [(other, 1.0)] * 3})
        found = self.persistence_of(found, baseline)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            verdict = write_verdict(found)
            texts = [*map(str, verdict.findings), *verdict.answer.lines]
            tree = json.loads(export.format_comparison(found, ".json"))
        assert "nan" not in " ".join(texts)
        assert any("error of exactly 0" in text and "nothing to compare" in text for text in texts)
        assert tree["pairs"]["error"] == []
        if not baseline:
            assert any("last value" in text and "makes no error at all" in text for text in texts)

    def test_a_loss_of_zero_is_drawn(self, trained: dict[str, Run], tmp_path: Path) -> None:
        run = trained["gru"]
        flat = {"epoch": [1.0, 2.0], "loss": [0.0, 0.0], "val_loss": [0.0, 0.0], "seconds": [1.0, 1.0]}
        still = type("StillRun", (Run,), {"history": lambda _: flat})(
            folder=run.folder, experiment=run.experiment, metrics=run.metrics, environment=run.environment
        )
        found = compare_runs({"GRU": [still], "LSTM": [still]})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plots.draw_losses(found, tmp_path / "losses.png")
        html.render(found)


class TestLag:
    def with_lags(self, trained: dict[str, Run], error: float, lag: int | None) -> Comparison:
        shares = (1.0, 1.01, 0.99)
        arms = {"GRU": error, "LSTM": error / 1000}
        found = made(trained, {name: [(own * share, 1.0) for share in shares] for name, own in arms.items()})
        for runs in found.arms.values():
            for place, run in enumerate(runs):
                test = structs.replace(run.metrics.test, lags=dict.fromkeys(run.metrics.test.series, lag))
                runs[place] = replace(run, metrics=structs.replace(run.metrics, test=test))
        return found

    def test_a_network_that_repeats_the_last_value_is_named(self, trained: dict[str, Run]) -> None:
        error = trained["gru"].metrics.baselines["persistence"].rmse_scaled
        texts = sentences(self.with_lags(trained, error, 1), "baseline")
        assert any("the forecasts of GRU mostly repeat the last value" in text for text in texts)

    def test_nothing_is_claimed_on_a_small_test_part(self, trained: dict[str, Run]) -> None:
        error = trained["gru"].metrics.baselines["persistence"].rmse_scaled
        found = with_metrics(self.with_lags(trained, error, 1), separate_targets=19)
        assert not any("mostly repeat" in text for text in sentences(found, "baseline"))

    @pytest.mark.parametrize(("share", "lag"), [(1.0, 0), (1.0, 2), (1.0, None), (0.5, 1)])
    def test_others_are_not(self, trained: dict[str, Run], share: float, lag: int | None) -> None:
        error = trained["gru"].metrics.baselines["persistence"].rmse_scaled * share
        texts = sentences(self.with_lags(trained, error, lag), "baseline")
        assert not any("mostly repeat" in text for text in texts)


class TestSeriesOfTheTest:
    def test_others_than_those_trained_on_are_said(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": BETTER, "LSTM": WORSE})
        assert sentences(found, "series")[0].startswith(
            "validation is on the series trained on, the test on 1 other too"
        )

    def test_the_same_are_said(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": BETTER, "LSTM": WORSE})
        for runs in found.arms.values():
            for place, run in enumerate(runs):
                data = replace(run.experiment.data, train_series=tuple(run.metrics.test.series))
                runs[place] = replace(run, experiment=replace(run.experiment, data=data))
        assert sentences(found, "series")[0] == "validation and test are of the same series."

    def test_arms_without_a_shared_seed_have_no_ratio(self, trained: dict[str, Run]) -> None:
        arms = {"GRU": [run_with(trained["gru"], seed=0)], "LSTM": [run_with(trained["lstm"], seed=1)]}
        (text,) = sentences(compare_runs(arms), "series")
        assert text.startswith("validation is on the series trained on, the test on 1 other too")
        assert "ratio" not in text
