"""Made-up trials through the whole verdict: how often it claims what is not so; for `make calibration` and slow tests.

python tests/comparison/calibration.py [TRIES]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from grubench.comparison.comparison import Comparison, Failure
from grubench.comparison.verdict import write_verdict
from grubench.runs.records import (
    SCHEMA,
    DataSummary,
    Environment,
    Evaluation,
    LayerKernel,
    Losses,
    Metrics,
    Parameters,
    SeriesSummary,
    Size,
    Timing,
    WindowCounts,
)
from grubench.runs.run import Run
from grubench.spec.arms import Arm
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data, Model, Training

Array = NDArray[np.float64]
# The error of the baseline that all made-up trials are set against.
BASELINE = 1.0
# How many times as large the error of a trial is that got stuck.
STUCK_ERROR = 4.0
CELLS = ("gru", "lstm", "rnn")


def make_run(cell: str, seed: int, error: float | Array, epoch_s: float = 1.0, **training: object) -> Run:
    """A run that nothing trained, with this error, or one for each series."""
    errors = np.atleast_1d(error)
    layers = (f"{cell}:8",)
    spec = Experiment(
        data=Data(file="made.csv", time="t", target="y", period=0),
        model=Model(layers=layers),
        training=Training(**training),  # type: ignore[arg-type]
        seed=seed,
    )
    names = [f"series{number}" for number in range(len(errors))]
    summary = SeriesSummary(rows=1000, duplicated=0, missing=0, empty=0, dropped=0, filled=0)
    kernel = LayerKernel(layer=layers[0], kernel="fused", reasons=())
    metrics = Metrics(
        schema=SCHEMA,
        digest=spec.digest,
        data=DataSummary(
            fingerprint="made",
            unit="",
            one_unit=True,
            windows=WindowCounts(train=800, validation=100, test=100),
            separate_targets=100,
            series=dict.fromkeys(names, summary),
        ),
        parameters=Parameters(trainable=300, total=300),
        loss=Losses(
            train=0.1,
            validation=float(errors.mean()),
            epochs=20,
            kept_epoch=20,
            best_epoch=20,
            time_to_best_s=1.0,
            late_fall=0.0,
        ),
        test=_evaluate(dict(zip(names, errors.tolist(), strict=True))),
        baselines={"persistence": _evaluate(dict.fromkeys(names, BASELINE))},
        timing=_time(epoch_s),
        size=Size(model_bytes=1, peak_memory_bytes=1, peak_gpu_memory_bytes=None),
    )
    environment = Environment(
        versions={"keras": "3"},
        processor="one",
        cores=2,
        cards=(),
        system="Linux",
        commit=None,
        command="grubench compare",
        backend="tensorflow",
        devices=("CPU",),
        threads=2,
        shared="",
        replicas=1,
        jit_compile=False,
        precision="float32",
        kernels=(kernel,),
        call="one",
        place=seed,
    )
    return Run(folder=Path(f"{cell}-{seed}"), experiment=spec, metrics=metrics, environment=environment)


def _evaluate(errors: dict[str, float]) -> Evaluation:
    def score(error: float) -> dict[str, float | None]:
        return {"rmse_scaled": error, "rmse": error, "directional_accuracy": 0.5, "skill": 1 - error / BASELINE}

    overall = score(float(np.mean(list(errors.values()))))
    series = {name: score(error) for name, error in errors.items()}
    return Evaluation(overall=overall, series=series, horizon=(overall,), lags=dict.fromkeys(errors))


def _time(epoch_s: float) -> Timing:
    zeros = dict.fromkeys(("import_s", "data_s", "build_s", "predict_s", "evaluate_s", "save_s"), 0.0)
    return Timing(
        first_step_s=epoch_s,
        first_epoch_s=epoch_s,
        epoch_s=epoch_s,
        epoch_s_quartiles=(epoch_s, epoch_s),
        steady_epochs=19,
        sequences_per_s=800 / epoch_s,
        train_s=20 * epoch_s,
        resumed_after_epochs=(),
        fit_s=20 * epoch_s,
        total_s=20 * epoch_s,
        **zeros,
    )


def make_comparison(errors: Array, times: Array | None = None, failed: Array | None = None) -> Comparison:
    """A comparison of made-up trials: two cells, or the cells at several learning rates.

    Args:
        errors: `(arm, seed)` or `(arm, seed, series)`.
        times: Seconds per epoch, `(arm, seed)`; all 1 by default.
        failed: Which trials failed, `(arm, seed)`; none by default.
    """
    number, seeds = errors.shape[:2]
    times = np.ones((number, seeds)) if times is None else times
    failed = np.zeros((number, seeds), bool) if failed is None else failed
    settings = _name_arms(number)
    arms: dict[Arm, list[Run]] = {}
    failures = []
    for place, (cell, rate) in enumerate(settings):
        varied = number > len(CELLS)
        name = f"{cell.upper()} learning_rate={rate:g}" if varied else cell.upper()
        arm = Arm(name=name, cell=cell.upper(), settings={"learning_rate": f"{rate:g}"} if varied else {})
        arms[arm] = [
            make_run(cell, seed, errors[place, seed], float(times[place, seed]), learning_rate=rate)
            for seed in range(seeds)
            if not failed[place, seed]
        ]
        failures += [Failure(arm=name, seed=seed, message="NaN") for seed in range(seeds) if failed[place, seed]]
    return Comparison(
        arms={arm: runs for arm, runs in arms.items() if runs},
        failed_arms=tuple(arm for arm, runs in arms.items() if not runs),
        failures=tuple(failures),
        command="",
    )


def _name_arms(number: int) -> list[tuple[str, float]]:
    """The cells alone, or two cells at several learning rates."""
    if number <= len(CELLS):
        return [(cell, 0.001) for cell in CELLS[:number]]
    return [(cell, rate) for rate in (0.001, 0.003, 0.01, 0.03)[: number // 2] for cell in CELLS[:2]]


@dataclass(frozen=True)
class Claims:
    """What a verdict claims, by its sentences: a difference in error, from a baseline, in speed; and the answer."""

    error: bool
    baseline: bool
    speed: bool
    answer: bool


def read_claims(comparison: Comparison) -> Claims:
    """Read the claims from the sentences that a user sees."""
    verdict = write_verdict(comparison)
    texts: dict[str, str] = {}
    for finding in verdict.findings:
        texts[finding.topic] = texts.get(finding.topic, "") + f" {finding.text}"
    differ = re.compile(r": different|arms [1-9]\d* differ")
    cells = [arm.cell for arm in comparison.arms]
    return Claims(
        error=bool(differ.search(texts.get("error", ""))),
        baseline=bool(re.search(r"\w (?:better|worse)", texts.get("baseline", ""))),
        speed=bool(differ.search(texts.get("speed", ""))),
        answer=verdict.answer.choice in cells,
    )


Draw = Callable[[np.random.Generator, tuple[int, int]], Array]
SPREAD = 0.1
DRAWS: dict[str, Draw] = {
    "normal": lambda rng, shape: np.maximum(1 + SPREAD * rng.normal(size=shape), 0.05),
    "log-normal": lambda rng, shape: np.exp(2 * SPREAD * rng.normal(size=shape)),
    "t3": lambda rng, shape: np.exp(SPREAD * rng.standard_t(3, size=shape)),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case of equal arms.

    Attributes:
        draw: How errors are distributed.
        arms: How many arms.
        failing: The share of trials that come to nothing, half of them stuck and half failed.
        failing_arms: In how many arms, the first first. Where one alone fails, it is in truth the worse one.
        series: How many series are tested; arms differ in each of them, and not on average. 0 for one.
    """

    draw: str
    arms: int = 2
    failing: float = 0.0
    failing_arms: int = 0
    series: int = 0

    @property
    def name(self) -> str:
        fails = f", {self.failing_arms} failing {self.failing:.0%}" if self.failing_arms else ""
        series = f", {self.series} series" if self.series else ""
        return f"{self.arms} arms, {self.draw}{series}{fails}"


CASES = (
    *(Case(draw=draw, arms=arms) for arms in (2, 6) for draw in DRAWS),
    *(Case(draw="normal", failing=share, failing_arms=2) for share in (0.05, 0.2)),
    *(Case(draw="normal", failing=share, failing_arms=1) for share in (0.05, 0.2)),
    Case(draw="log-normal", series=10),
    *(Case(draw="log-normal", series=10, failing=share, failing_arms=2) for share in (0.05, 0.2)),
)


def count_claims(case: Case, seeds: int, tries: int) -> dict[str, float]:
    """The share of tries in which something was claimed of arms that are equal."""
    rng = np.random.default_rng([seeds, CASES.index(case)])
    claims = []
    for _ in range(tries):
        shape = (case.arms, seeds)
        errors, times = BASELINE * DRAWS[case.draw](rng, shape), DRAWS[case.draw](rng, shape)
        errors /= _find_center(case)
        if case.series:
            errors = errors[:, :, None] * np.exp(SPREAD * rng.normal(size=(case.arms, 1, case.series)))
            errors *= np.exp(SPREAD * rng.normal(size=errors.shape))
        lost = rng.random(shape) < case.failing
        lost[case.failing_arms :] = False
        failed = lost & (rng.random(shape) < 0.5)
        errors[lost & ~failed] *= STUCK_ERROR
        claims.append(read_claims(make_comparison(errors, times, failed)))
    return {
        key: float(np.mean([getattr(one, key) for one in claims])) for key in ("error", "baseline", "speed", "answer")
    }


@cache
def _find_center(case: Case) -> float:
    """What errors are divided by, so that the baseline's is the arms' own.

    It is their geometric mean or, where all arms fail now and then, what half of all trials are above, lost ones too.
    """
    drawn = DRAWS[case.draw](np.random.default_rng(0), (1000, 1000))
    if case.failing_arms == case.arms:
        return float(np.quantile(drawn, 0.5 / (1 - case.failing)))
    return float(np.exp(np.log(drawn).mean()))


def main(tries: int) -> None:
    """Print the table of all cases."""
    table = Table(
        title=f"Share of {tries} tries with a claim, in %, of arms that are equal: error, baseline, speed, answer"
    )
    table.add_column("case")
    sizes = (3, 5, 10, 20)
    for seeds in sizes:
        table.add_column(f"{seeds} seeds", justify="right")
    for case in CASES:
        rows: Sequence[dict[str, float]] = [count_claims(case, seeds, tries) for seeds in sizes]
        table.add_row(case.name, *(", ".join(f"{100 * share:.1f}" for share in row.values()) for row in rows))
    Console(width=110).print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
