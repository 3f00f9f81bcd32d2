"""The cache of compiled kernels on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_cases import HOST, needs_kernels, with_shorter_vectors

from grubench.kernels import code_cache, compiler

pytestmark = needs_kernels


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache."""
    monkeypatch.setattr(code_cache.platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    return tmp_path / "kernels"


def test_code_is_written_and_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HOST is not None
    code = compiler.load_or_compile("rnn", HOST)
    assert [path.suffix for path in folder.iterdir()] == [".o"]
    monkeypatch.setattr(compiler, "compile_cell", lambda *_: pytest.fail("the code was in the cache"))
    assert compiler.load_or_compile("rnn", HOST) == code


def test_damaged_code_is_compiled_again(folder: Path) -> None:
    assert HOST is not None
    code = compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    for damaged in (b"", b"nonsense", path.read_bytes()[:-9]):
        path.write_bytes(damaged)
        assert compiler.load_or_compile("rnn", HOST) == code


def test_without_a_writable_cache_code_is_compiled(folder: Path) -> None:
    assert HOST is not None
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    assert compiler.load_or_compile("rnn", HOST)


def test_another_processor_has_code_of_its_own(folder: Path) -> None:
    assert HOST is not None
    compiler.load_or_compile("rnn", HOST)
    compiler.load_or_compile("rnn", with_shorter_vectors(4, 32))
    assert len(list(folder.iterdir())) == 2


@pytest.mark.slow
def test_processes_that_compile_at_the_same_time_agree(tmp_path: Path) -> None:
    """Each writes a temporary file and renames it; the last one wins, with the same code."""
    script = (
        "from grubench.kernels.compiler import load_or_compile\n"
        "from grubench.kernels.processor import detect_processor\n"
        "print(len(load_or_compile('lstm', detect_processor())))"
    )
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len(set(outputs)) == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.suffix for path in files] == [".o"]
