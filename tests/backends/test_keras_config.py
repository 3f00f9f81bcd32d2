"""keras.json: what a user set for other work does not decide a trial, and a broken one is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from grubench.backends import loader
from grubench.errors import GrubenchError
try:
    loader.start("tensorflow")
except GrubenchError as error:
    print(error)
else:
    import keras
    print(keras.config.floatx(), keras.config.epsilon(), keras.config.max_epochs())
"""


def load(home: Path, text: str) -> str:
    """What a process says that loads Keras with a keras.json."""
    (home / "keras.json").write_text(text)
    environment = os.environ | {"KERAS_HOME": str(home), "KERAS_MAX_EPOCHS": "1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("text", ['{"floatx": "float99"}', '{"epsilon": 1}', "[1]"])
def test_a_broken_one_is_named(tmp_path: Path, text: str) -> None:
    said = load(tmp_path, text)
    assert str(tmp_path / "keras.json") in said
    assert "Fix or remove it." in said


@pytest.mark.slow
def test_a_trial_is_not_decided_by_it(tmp_path: Path) -> None:
    assert load(tmp_path, '{"floatx": "float64", "epsilon": 0.1}').split() == ["float32", "1e-07", "None"]
