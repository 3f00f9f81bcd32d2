"""The other backends, where they are installed: the whole job on each, and one model the same on all.

A process has one backend, and this one may have TensorFlow: everything here runs in processes of its own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from conftest import tiny, visible

from grubench import api
from grubench.backends import registry
from grubench.errors import TrainingError, UsageError
from grubench.execution.options import ExecutionOptions
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model
from grubench.training.events import EpochEnd, Event

BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(not registry.installed(name), reason=f"{name} is not installed"))
    for name in ("tensorflow", "torch", "jax")
]
OTHERS = BACKENDS[1:]
pytestmark = pytest.mark.slow


def grubench(folder: Path, *words: object, **env: str) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, "-m", "grubench", *map(str, words)]
    return subprocess.run(given, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | env)


def run_script(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, which can import the tests' helpers."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])}
    words = [sys.executable, "-c", script]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=env)


def weights(run: Run) -> dict[str, np.ndarray]:
    """The weights in a run's model file, by their places in it; no backend is needed to read them."""
    found: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(run.folder / "model.keras") as archive, archive.open("model.weights.h5") as file:
        h5py.File(file).visititems(
            lambda name, one: found.update({name: np.array(one)}) if isinstance(one, h5py.Dataset) else None
        )
    return {name: one for name, one in found.items() if name.startswith("layers/")}


def stack(*layers: str, **model: object) -> Experiment:
    spec = tiny()
    return replace(spec, model=Model(layers=layers, **model))  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", OTHERS)
def test_the_whole_job_runs_on_each(backend: str, tmp_path: Path) -> None:
    """Train, compare, forecast, examine, time; and KERAS_BACKEND, which may be set for other work, decides nothing."""
    small = ["--backend", backend, "--units", 4, "--epochs", 2, "--stride", 9]
    env = {"KERAS_BACKEND": "numpy"}
    done = grubench(tmp_path, "compare", "--seeds", 2, *small, **env)
    assert done.returncode == 0, done.stderr
    title = {"torch": "PyTorch on CPU, kernel keras", "jax": "JAX on CPU, kernel xla"}[backend]
    if "on CPU" in done.stdout:
        assert title in " ".join(done.stdout.split())
    (folder,) = (tmp_path / "runs").glob("*-gru-s0-*")
    where = json.loads((folder / "environment.json").read_text())
    assert (where["backend"], where["jit_compile"]) == (backend, backend == "jax")
    assert backend in where["versions"]
    assert "tensorflow" not in where["versions"]
    again = grubench(tmp_path, "compare", "--seeds", 2, *small)
    assert "[1/" not in again.stderr
    assert grubench(tmp_path, "predict", folder, "--steps", 3, **env).returncode == 0
    assert grubench(tmp_path, "doctor", *small, **env).returncode == 0
    timed = grubench(
        tmp_path, "bench", "--backend", backend, "--units", 2, "--length", 3, "--rounds", 2, "--kernels", "keras"
    )
    assert timed.returncode == 0, timed.stderr


TRAIN = """
import sys
from grubench import ExecutionOptions, Experiment, predict, train
run = train(Experiment.from_dict({tree!r}), options=ExecutionOptions(executor="in-process"))
predict(run, steps=1)
print("tensorflow" in sys.modules, run.environment.backend)
"""
TIME = """
import sys
from grubench.cli import app
found = {{}}
for kernels in ("fused", "auto"):
    try:
        app(["bench", "--backend", {name!r}, "--kernels", kernels, "--units", "2", "--length", "3", "--rounds", "2"])
    except SystemExit as ended:
        found[kernels] = ended.code
print("tensorflow" in sys.modules, *found.values())
"""


@pytest.mark.parametrize("backend", OTHERS)
def test_tensorflow_is_not_loaded_for_another(backend: str, tmp_path: Path) -> None:
    trained = TRAIN.format(tree=tiny(backend=backend).to_dict())
    for script, said in ((trained, f"False {backend}"), (TIME.format(name=backend), "False 0 0")):
        done = run_script(script, tmp_path)
        assert done.stdout.splitlines()[-1:] == [said], done.stderr


@pytest.mark.skipif(not registry.installed("torch"), reason="torch is not installed")
def test_a_batch_is_not_copied_on_its_way_to_torch(tmp_path: Path) -> None:
    script = (
        "import os; os.environ['GRUBENCH_BACKEND'] = 'torch'\n"
        "import numpy as np; from types import SimpleNamespace; from grubench.backends.loader import backend\n"
        "cut = np.ones((3, 4, 2), 'f4'), np.ones((3, 1), 'f4')\n"
        "given = backend().stream(SimpleNamespace(batch=lambda number: cut), ahead=0)[0]\n"
        "print(*(one.data_ptr() == values.ctypes.data for one, values in zip(given, cut, strict=True)))"
    )
    done = run_script(script, tmp_path)
    assert done.stdout.strip() == "True True", done.stderr


@pytest.mark.parametrize("backend", OTHERS)
def test_looking_at_a_layer_draws_nothing(backend: str, tmp_path: Path) -> None:
    """With recurrent dropout a layer draws though it is not training: the trial after it must not notice."""
    script = (
        f"import os; os.environ['GRUBENCH_BACKEND'] = {backend!r}\n"
        "from conftest import tiny; from dataclasses import replace; import numpy as np\n"
        "from grubench.training.kernel_check import observe_kernels; from grubench.training.model import build_model\n"
        "from grubench.backends.loader import backend; import keras\n"
        "from grubench.spec.sections import Model\n"
        f"spec = replace(tiny(backend={backend!r}), model=Model(layers=('gru:4', 'lstm:3'), recurrent_dropout=0.2))\n"
        "model = build_model(spec, 14, 1, 3)\n"
        "def state(): return [keras.ops.convert_to_numpy(one) for one in model.variables] + "
        "list(backend().random_state().values())\n"
        "before = state(); observe_kernels(model, spec)\n"
        "print(all(np.array_equal(*pair) for pair in zip(before, state(), strict=True)))"
    )
    done = run_script(script, tmp_path)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("trained_on", BACKENDS)
def test_one_model_forecasts_the_same_on_all(trained_on: str, backend: str, tmp_path: Path) -> None:
    """Models load across backends, and their forecasts agree to the precision of float32."""
    if backend == trained_on:
        pytest.skip("forecast so by every other test")
    spec = replace(stack("gru:5", "lstm:4", "rnn:3"), training=replace(tiny().training, backend=trained_on))
    for number, one in enumerate(
        (spec, replace(spec, model=replace(spec.model, bidirectional=True, reset_after=False)))
    ):
        run = api.train(one, output=tmp_path)
        done = grubench(tmp_path, "predict", run.folder, "--backend", backend, "--export", f"{number}.csv")
        assert done.returncode == 0, done.stderr
        theirs = pd.read_csv(tmp_path / f"{number}.csv")["predicted"].to_numpy()
        ours = pd.read_csv(run.folder / "predictions.csv")["predicted"].to_numpy()
        np.testing.assert_allclose(theirs, ours, rtol=2e-5, atol=2e-5 * np.abs(ours).max())


@pytest.mark.parametrize("backend", OTHERS)
def test_a_trial_is_the_same_again_and_goes_on_to_the_same_weights(backend: str, tmp_path: Path) -> None:
    spec = replace(
        stack("gru:4", "lstm:3", dropout=(0.2,)), training=replace(tiny().training, backend=backend, epochs=4)
    )
    never = weights(api.train(spec, output=tmp_path / "never"))

    def kill(event: Event) -> None:
        if isinstance(event, EpochEnd) and event.epoch == 3:
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]

    with pytest.raises(TrainingError, match="SIGKILL"):
        api.train(spec, output=tmp_path, options=ExecutionOptions(checkpoint_every=1), on_event=kill)
    run = api.train(spec, output=tmp_path, options=ExecutionOptions(checkpoint_every=1))
    assert run.metrics.timing.resumed_after_epochs
    found = weights(run)
    assert never.keys() == found.keys()
    for name, one in never.items():
        np.testing.assert_array_equal(one, found[name])


@pytest.mark.parametrize("backend", OTHERS)
def test_fused_training_is_the_same_on_all(backend: str, tmp_path: Path) -> None:
    """From the same weights, bit for bit; each draws initial weights of its own."""
    script = (
        f"import os; os.environ['GRUBENCH_BACKEND'] = {backend!r}\n"
        "import hashlib; import numpy as np; from dataclasses import replace; from conftest import make_dataset, tiny\n"
        "from grubench.backends.loader import backend; backend()\n"
        "from grubench.data import windows; from grubench.spec.experiment import Experiment\n"
        "from grubench.spec.sections import Model, Window\n"
        "from grubench.training.fit import fit, forecast; from grubench.training.fused_fit import FusedModel\n"
        "from grubench.training.model import build_model\n"
        f"training = tiny(backend={backend!r}, kernel='fused', optimizer='nadam').training\n"
        "model = Model(layers=('gru:4', 'lstm:3'), dropout=(0.2,))\n"
        "spec = Experiment(window=Window(lookback=5), model=model, training=training)\n"
        "cut = windows.build(make_dataset(), spec)\n"
        "model = build_model(spec, cut.lookback, cut.feature, cut.outputs); draw = np.random.default_rng(0)\n"
        "for one in model.trainable_variables: one.assign(draw.normal(size=tuple(one.shape)).astype('f4'))\n"
        "fused = FusedModel(model, cut, spec, 2); fit(model, cut, spec, lambda event: None, fused=fused)\n"
        "predicted = forecast(model, cut, cut.index('test'), spec, fused)\n"
        "print(hashlib.sha256(fused.network.weights.tobytes() + predicted.tobytes()).hexdigest())"
    )
    found = [run_script(text, tmp_path) for text in (script, script.replace(repr(backend), "'tensorflow'"))]
    assert found[0].stdout, found[0].stderr
    assert found[0].stdout == found[1].stdout, found[1].stderr


@pytest.mark.parametrize("backend", OTHERS)
def test_backends_are_compared(backend: str, tmp_path: Path) -> None:
    if not registry.installed("tensorflow"):
        pytest.skip("tensorflow is not installed")
    found = api.compare(tiny(), cells=["gru"], vary={"backend": ["tensorflow", backend]}, seeds=2, output=tmp_path)
    assert [arm.name for arm in found.arms] == ["GRU backend=tensorflow", f"GRU backend={backend}"]
    assert [run.environment.backend for run in found.runs] == ["tensorflow"] * 2 + [backend] * 2
    assert not found.failures


@pytest.mark.parametrize("backend", OTHERS)
def test_threads_and_mixed_precision_are_taken(backend: str, tmp_path: Path) -> None:
    run = api.train(tiny(backend=backend, precision="mixed_bfloat16", threads=1), output=tmp_path)
    assert (run.environment.threads, run.environment.precision) == (1, "mixed_bfloat16")
    assert np.isfinite(run.history()["loss"]).all()
    assert {one.dtype for one in weights(run).values()} <= {np.dtype("f4"), np.dtype("u4"), np.dtype("i8")}


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_processor_cannot_give_is_refused_on_each(backend: str, tmp_path: Path) -> None:
    probe = grubench(tmp_path, "doctor", "--backend", backend)
    if "devices    CPU" not in probe.stdout:
        pytest.skip("needs a machine without a GPU")
    for setting in ({"precision": "tf32"}, {"precision": "mixed_float16"}, {"kernel": "cudnn"}):
        if (backend, setting) == ("jax", {"kernel": "cudnn"}):
            continue  # a GRU on JAX is refused by the spec itself
        with pytest.raises(UsageError, match=f"training.{next(iter(setting))}"):
            api.compare(tiny(backend=backend, **setting), cells=["lstm"], output=tmp_path)
    assert not visible(tmp_path)
