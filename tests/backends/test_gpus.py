"""The NVIDIA cards, found without a backend."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grubench.backends import gpus
from grubench.backends.loader import backend
from grubench.backends.provenance import find_program


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the tool")
def test_cards_are_found_by_the_drivers_files_or_its_tool(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(gpus.VISIBLE_VARIABLE, raising=False)
    monkeypatch.setattr(gpus, "DRIVER_FOLDER", tmp_path / "gpus")
    monkeypatch.setenv("PATH", str(tmp_path))
    gpus._list_cards_by_tool.cache_clear()
    assert gpus.list_cards("tensorflow") == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200'\necho 'NVIDIA L4'\n")
    tool.chmod(0o755)
    gpus._list_cards_by_tool.cache_clear()
    assert gpus.list_cards("tensorflow") == ["NVIDIA H200", "NVIDIA L4"]
    assert gpus.list_visible_cards() == ["0", "1"]
    monkeypatch.setenv(gpus.VISIBLE_VARIABLE, "")
    monkeypatch.setenv("KERAS_TORCH_DEVICE", "cpu")
    assert gpus.describe_hiding() == "CUDA_VISIBLE_DEVICES="
    assert "hides this machine's card (unset it)" in backend().lacks_gpu()
    assert gpus.list_cards("tensorflow") == ["NVIDIA H200", "NVIDIA L4", "CUDA_VISIBLE_DEVICES="]
    assert gpus.list_cards("torch")[-1] == "KERAS_TORCH_DEVICE=cpu"
    monkeypatch.delenv(gpus.VISIBLE_VARIABLE)
    assert "tensorflow[and-cuda]" in backend().lacks_gpu()
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    (tmp_path / "gpus" / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA A10\n")
    assert gpus.list_cards("tensorflow") == ["NVIDIA A10"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    gpus._list_cards_by_tool.cache_clear()
    assert gpus._list_cards_by_tool() == ()
    gpus._list_cards_by_tool.cache_clear()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the tool")
def test_a_program_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".:")
    assert find_program("nvidia-smi") is None
    monkeypatch.setenv("PATH", f".:{tmp_path}")  # a folder that the user names
    assert find_program("nvidia-smi") == str(tool)
