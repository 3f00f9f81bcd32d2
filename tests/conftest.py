"""What tests share: small series, small specs, and one trained run of each cell."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import hypothesis
import numpy as np
import pytest
from msgspec import structs
from typer.testing import CliRunner, Result

from grubench.backends import registry
from grubench.comparison.comparison import Comparison
from grubench.data.series import Dataset, Series
from grubench.execution.options import ExecutionOptions
from grubench.runs.records import LayerKernel
from grubench.runs.run import Run
from grubench.spec.arms import Arm
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Data, Model, Training, Window

# Trials in this process: what a test of one trial wants.
IN_PROCESS = ExecutionOptions(executor="in-process")
# A deadline is a timing assertion, and this suite has none.
hypothesis.settings.register_profile("grubench", deadline=None)
hypothesis.settings.load_profile("grubench")
# Some tests import Keras before anything of grubench loads it.
registry.set_load_variables(registry.chosen())


def make_series(name: str = "one", length: int = 120, seed: int = 0, features: int = 1) -> Series:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(length, features)).cumsum(axis=0) + 50
    columns = ("target", *(f"feature{number}" for number in range(1, features)))
    return Series(name=name, values=values, columns=columns, time=np.arange(length))


def make_dataset(*series: Series) -> Dataset:
    return Dataset(name="made", series=series or (make_series(),))


def visible(folder: Path) -> list[str]:
    """What a person sees in a folder; locks and checkpoints are hidden."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def half_done(folder: Path) -> list[Path]:
    """What was left half written, anywhere below a folder."""
    return [path for path in folder.rglob("*") if "partial" in path.name]


def tiny(**training: object) -> Experiment:
    """A trial of about a second: two thousandths of the default's work."""
    settings = {"epochs": 2, "batch_size": 32} | training
    return Experiment(
        data=Data(dataset="activities", train_series=("activity0",), test_series=("activity0", "activity3"), period=7),
        window=Window(lookback=14, horizon=3, stride=9),
        model=Model(layers=("gru:4",)),
        training=Training(**settings),  # type: ignore[arg-type]
    )


def kernels_with(spec: Experiment, *, gpu: bool) -> list[LayerKernel]:
    """What a spec's layers should run on, as if there were a GPU with cuDNN here, or none."""
    from grubench.backends.loader import backend
    from grubench.training.kernel_check import plan_kernels

    with pytest.MonkeyPatch.context() as patch:
        lacking = "" if gpu else "this machine has no GPU that TensorFlow can use"
        patch.setattr(backend(), "lacks_cudnn", lambda: lacking)
        return plan_kernels(spec)


def run_with(run: Run, *, seed: int = 0, error: float = 1.0, epoch_s: float = 1.0, kernel: str = "fused") -> Run:
    """A run with other values, as if another trial of one call had given them."""
    series = {name: {**scores, "rmse_scaled": error} for name, scores in run.metrics.test.series.items()}
    overall = {**run.metrics.test.overall, "rmse_scaled": error}
    test = structs.replace(run.metrics.test, overall=overall, series=series)
    timing = structs.replace(run.metrics.timing, epoch_s=epoch_s)
    metrics = structs.replace(run.metrics, test=test, timing=timing)
    layer = LayerKernel(layer="gru:4", kernel=kernel, reasons=())
    environment = structs.replace(run.environment, kernels=(layer,), call="one", place=seed)
    return replace(run, experiment=run.experiment.with_seed(seed), metrics=metrics, environment=environment)


def arm(name: str) -> Arm:
    """An arm of this name; words with an equals sign are its settings."""
    words = name.split(" ")
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    cell = " ".join(word for word in words if "=" not in word)
    return Arm(name=name, cell=cell, settings=settings)


def compare_runs(arms: dict[str, list[Run]], **more: object) -> Comparison:
    """A comparison of arms with these names."""
    return Comparison(arms={arm(name): runs for name, runs in arms.items()}, **more)  # type: ignore[arg-type]


def made(trained: dict[str, Run], values: dict[str, list[tuple[float, float]]], **more: object) -> Comparison:
    arms = {
        name: [run_with(trained[name.lower()], seed=k, error=e, epoch_s=t) for k, (e, t) in enumerate(pairs)]
        for name, pairs in values.items()
    }
    return compare_runs(arms, **more)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A finished run of each cell, trained once in this process."""
    from grubench.api import train

    root = tmp_path_factory.mktemp("runs")
    return {cell: train(tiny().with_cell(cell), output=root, options=IN_PROCESS) for cell in ("gru", "lstm")}


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    """Keras with its backend."""
    from grubench.backends.loader import backend

    backend()
    import keras

    return keras


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Call the command line in an empty folder."""
    from grubench.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


@pytest.fixture
def real_data() -> Path:
    """The folder of the real files; the test skips where there is none."""
    folder = os.environ.get("GRUBENCH_DATA_DIR")
    if not folder:
        pytest.skip("needs the real files: set GRUBENCH_DATA_DIR")
    return Path(folder)
