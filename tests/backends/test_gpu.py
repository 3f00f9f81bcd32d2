"""What needs an NVIDIA card: cuDNN seen to run on every backend that is installed, precisions, memory.

`make test-gpu`. Everything runs in processes of its own; without a card all of it skips.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import tiny

from grubench import api
from grubench.backends import gpus, registry
from grubench.execution.options import ExecutionOptions
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not gpus.list_visible_cards(), reason="needs an NVIDIA card"),
]
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(not registry.installed(name), reason=f"{name} is not installed"))
    for name in ("tensorflow", "torch", "jax")
]
OPERATIONS = {"tensorflow": "CudnnRNNV3", "torch": "aten::_cudnn_rnn", "jax": "rnn_fwd"}
# What stands in cuDNN's place.
LOOP = {"tensorflow": "keras", "torch": "keras", "jax": "xla"}


def spec_of(backend: str, cell: str, training: dict | None = None, **model: object) -> Experiment:
    spec = tiny(backend=backend, **(training or {}))
    return replace(spec, model=Model(layers=(f"{cell}:16",), **model))  # type: ignore[arg-type]


def forecasts(run: Run) -> np.ndarray:
    return pd.read_csv(run.folder / "predictions.csv")["predicted"].to_numpy()


def on_the_processor(run: Run, folder: Path) -> np.ndarray:
    words = [sys.executable, "-m", "grubench", "predict", str(run.folder), "--export", str(folder / "cpu.csv")]
    env = os.environ | {gpus.VISIBLE_VARIABLE: "", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return pd.read_csv(folder / "cpu.csv")["predicted"].to_numpy()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_plain_layer_runs_on_cudnn(backend: str, cell: str, bidirectional: bool, tmp_path: Path) -> None:
    run = api.train(spec_of(backend, cell, bidirectional=bidirectional), output=tmp_path)
    (found,) = run.environment.kernels
    if (backend, cell) == ("jax", "gru"):
        assert found["kernel"] == "xla"
        assert "Keras has no cuDNN kernel for GRU on JAX" in found["reasons"][0]
        return
    assert (found["kernel"], found["operation"], found["reasons"]) == ("cudnn", OPERATIONS[backend], [])
    assert run.environment.devices != ("CPU",)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"recurrent_dropout": 0.1}, "--recurrent-dropout 0"),
        ({"activation": "relu"}, "--activation tanh"),
        ({"recurrent_activation": "hard_sigmoid"}, "--recurrent-activation sigmoid"),
        ({"training": {"kernel": "keras"}}, "--kernel keras"),
    ],
)
def test_what_loses_cudnn_is_seen_and_named(backend: str, settings: dict, flag: str, tmp_path: Path) -> None:
    run = api.train(spec_of(backend, "lstm", **settings), output=tmp_path)
    (found,) = run.environment.kernels
    assert found["kernel"] == LOOP[backend]
    assert flag in found["reasons"][0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_float32_is_float32(backend: str, cell: str, tmp_path: Path) -> None:
    """A card computes what the processor does; TF32, which every backend has on somewhere of itself, would not."""
    run = api.train(spec_of(backend, cell), output=tmp_path)
    ours = forecasts(run)
    np.testing.assert_allclose(on_the_processor(run, tmp_path), ours, rtol=0, atol=3e-5 * np.abs(ours).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["tf32", "mixed_bfloat16", "mixed_float16"])
def test_every_precision_trains(backend: str, precision: str, tmp_path: Path) -> None:
    run = api.train(spec_of(backend, "lstm", {"precision": precision}), output=tmp_path)
    assert np.isfinite(run.history()["loss"]).all()
    assert run.environment.precision == precision
    if precision == "tf32":
        assert run.environment.kernels[0].kernel == "cudnn"
    ours = forecasts(run)
    np.testing.assert_allclose(on_the_processor(run, tmp_path), ours, rtol=0, atol=0.05 * np.abs(ours).max())


@pytest.mark.parametrize("backend", BACKENDS)
def test_trials_share_a_card_and_its_memory_is_measured(backend: str, tmp_path: Path) -> None:
    found = api.compare(spec_of(backend, "lstm"), seeds=2, output=tmp_path, options=ExecutionOptions(jobs=2))
    assert not found.failures
    peaks = [run.metrics.size.peak_gpu_memory_bytes for run in found.runs]
    assert all(0 < peak < 1e9 for peak in peaks)


def test_the_fused_kernel_agrees_with_cudnn(tmp_path: Path) -> None:
    if not registry.installed("tensorflow"):
        pytest.skip("tensorflow is not installed")
    cudnn, fused = (
        api.train(spec_of("tensorflow", "gru", {"kernel": kernel}), output=tmp_path) for kernel in ("cudnn", "fused")
    )
    assert fused.environment.kernels[0].kernel == "fused"
    np.testing.assert_allclose(forecasts(fused), forecasts(cudnn), rtol=0, atol=1e-3 * np.abs(forecasts(cudnn)).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("other", BACKENDS)
def test_a_model_forecasts_the_same_on_every_backend_of_a_card(backend: str, other: str, tmp_path: Path) -> None:
    """And on its own as in the trial: a forecast is float32 too."""
    run = api.train(spec_of(backend, "gru"), output=tmp_path)
    words = [sys.executable, "-m", "grubench", "predict", str(run.folder), "--backend", other, "--export", "other.csv"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours, theirs = forecasts(run), pd.read_csv(tmp_path / "other.csv")["predicted"].to_numpy()
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=3e-5 * np.abs(ours).max())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_that_is_timed_is_the_one_that_ran(backend: str, tmp_path: Path) -> None:
    words = ["bench", "--backend", backend, "--cells", "lstm", "--units", "8", "--length", "9", "--rounds", "2"]
    given = [sys.executable, "-m", "grubench", *words, "--kernels", "cudnn,keras"]
    done = subprocess.run(given, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
