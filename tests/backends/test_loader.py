"""Keras is loaded when it is asked for, with the backend that was chosen, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest

from grubench.backends import loader, registry
from grubench.errors import UsageError
from grubench.spec.experiment import Experiment
from grubench.training import model


def run(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process whose environment has no backend yet."""
    names = (registry.VARIABLE, registry.KERAS_VARIABLE, *registry.DEFAULTS)
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=clean | env)


def test_importing_the_loader_loads_nothing_and_sets_nothing() -> None:
    done = run(
        "import os, sys; before = dict(os.environ)\n"
        "import grubench.backends.loader, grubench.backends.registry, grubench.backends.base\n"
        "print('keras' in sys.modules, dict(os.environ) == before)"
    )
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_keras_loaded_with_another_backend_is_refused_and_not_used(
    keras: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that imports Keras before a backend was chosen gets Keras's own; its first use of `backend` refuses."""
    monkeypatch.setattr(registry, "installed", lambda name: True)
    monkeypatch.setattr(loader, "_load", loader._load.__wrapped__)  # as if grubench had not loaded it
    monkeypatch.setenv(registry.VARIABLE, "jax")
    with pytest.raises(UsageError, match="jax was asked for, and Keras has loaded tensorflow"):
        model.build_model(Experiment(), 5, 1, 1)


def test_starting_again_gives_the_same_backend() -> None:
    assert loader.start("tensorflow") is loader.start("tensorflow") is loader.backend()
    assert loader.import_s() >= 0


def test_a_second_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    loader.backend()
    monkeypatch.setattr(registry, "installed", lambda name: True)
    with pytest.raises(UsageError, match="a process has one backend"):
        loader.start("jax")
    assert registry.chosen() == "tensorflow"


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    registry.set_load_variables("tensorflow")
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_to_choose_a_backend_sets_no_variable_of_others_and_a_fork_server_preloads_it() -> None:
    """They are set when Keras is loaded: before that, a user's process may still load Keras as it likes.

    KERAS_BACKEND may be set for other work.
    """
    done = run(
        "import os, sys; before = dict(os.environ)\n"
        "from grubench.backends import registry\n"
        "registry.choose('tensorflow')\n"
        "print(sorted(name for name in os.environ if os.environ[name] != before.get(name)))\n"
        "import grubench.execution.forkserver_imports, keras\n"
        "print(keras.config.backend(), 'grubench.training.trial' in sys.modules)\n"
        "print(os.environ[registry.KERAS_VARIABLE], all(name in os.environ for name in registry.DEFAULTS))",
        KERAS_BACKEND="numpy",
    )
    assert done.stdout.splitlines() == ["['GRUBENCH_BACKEND']", "tensorflow True", "tensorflow True"], done.stderr
    assert done.stderr == ""
