"""The cache of compiled kernels on the disk."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_cases import HOST, needs_kernels, with_shorter_vectors

from grubench.kernels import code_cache, compiler
from grubench.kernels.modules import list_functions

pytestmark = needs_kernels

FUNCTIONS = [*list_functions("rnn", HOST)] if HOST else []


@pytest.fixture(scope="module")
def compiled() -> bytes:
    """The code of a module, compiled once."""
    assert HOST is not None
    return compiler.compile_module("rnn", HOST)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bytes) -> Path:
    """The folder of the cache."""
    monkeypatch.setattr(code_cache.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(compiler, "compile_module", lambda *_: compiled)
    return tmp_path / "cache" / "grubench" / "kernels"


def test_code_is_written_and_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HOST is not None
    code = compiler.load_or_compile("rnn", HOST)
    assert [path.suffix for path in folder.iterdir()] == [".o"]
    monkeypatch.setattr(compiler, "compile_module", lambda *_: pytest.fail("the code was in the cache"))
    assert compiler.load_or_compile("rnn", HOST) == code


def test_damaged_code_is_compiled_again(folder: Path) -> None:
    assert HOST is not None
    code = compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    for damaged in (b"", b"nonsense", path.read_bytes()[:-9]):
        path.write_bytes(damaged)
        assert compiler.load_or_compile("rnn", HOST) == code


def with_checksum(code: bytes) -> bytes:
    return hashlib.sha256(code).digest() + code


@pytest.mark.parametrize("code", [b"", b"nonsense" * 1000, b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(1000)])
def test_what_is_no_code_of_ours_is_not_loaded_but_replaced(folder: Path, code: bytes) -> None:
    """Its checksum is right."""
    assert HOST is not None
    compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    valid = path.read_bytes()
    path.write_bytes(with_checksum(code))
    assert load_anew()
    assert path.read_bytes() == valid
    assert [*folder.iterdir()] == [path]


def test_code_without_a_function_is_replaced(folder: Path) -> None:
    assert HOST is not None
    code = compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    path.write_bytes(with_checksum(code.replace(b"\0pack_bias\0", b"\0pack_bass\0") + b"pack_bias"))
    assert load_anew()
    assert path.read_bytes() == with_checksum(code)


def load_anew() -> compiler.Program:
    """As another process would."""
    assert HOST is not None
    compiler._load_program.cache_clear()
    return compiler.load_program("rnn", HOST)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no harmless question whether a process is there")
def test_code_that_a_process_died_of_is_named_and_compiled_anew(folder: Path) -> None:
    """LLVM ends the process that loads an object file which is cut short."""
    assert HOST is not None
    code = compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    path.write_bytes(with_checksum(code[: len(code) // 2] + b" ".join(name.encode() for name in FUNCTIONS)))
    script = (
        "from grubench.kernels import compiler; from grubench.kernels.processor import detect_processor\n"
        "compiler.load_program('rnn', detect_processor())"
    )
    env = os.environ | {"XDG_CACHE_HOME": str(folder.parents[1])}
    died = subprocess.Popen([sys.executable, "-c", script], env=env, stderr=subprocess.DEVNULL)
    assert died.wait() < 0
    assert code_cache.find_loaded(died.pid) == path
    assert load_anew()
    assert path.read_bytes() == with_checksum(code)
    assert [*folder.iterdir()] == [path]
    assert code_cache.find_loaded(died.pid) is None


def test_a_file_that_another_process_is_loading_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HOST is not None
    compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    mark = path.with_name(f"{path.name}{code_cache.LOADING}{os.getppid()}")
    mark.touch()
    monkeypatch.setattr(compiler, "compile_module", lambda *_: pytest.fail("the code was in the cache"))
    assert load_anew()
    assert mark.exists()


needs_owners = pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX owners")


@needs_owners
def test_the_cache_is_for_its_user_alone(folder: Path) -> None:
    assert HOST is not None
    before = os.umask(0)
    try:
        compiler.load_or_compile("rnn", HOST)
    finally:
        os.umask(before)
    (path,) = folder.iterdir()
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, path)] == [0o700, 0o600]


@needs_owners
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_others_can_write_is_not_read(folder: Path, what: str, mode: int) -> None:
    assert HOST is not None
    compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    (folder if what == "folder" else path).chmod(mode)
    assert code_cache.read_code("rnn", HOST) is None


@needs_owners
def test_another_users_cache_is_neither_read_nor_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HOST is not None
    compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    written = path.stat()
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    assert code_cache.read_code("rnn", HOST) is None
    assert compiler.load_or_compile("rnn", HOST)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_a_link_and_a_pipe_in_the_cache_are_not_read(folder: Path, tmp_path: Path) -> None:
    assert HOST is not None
    code = compiler.load_or_compile("rnn", HOST)
    (path,) = folder.iterdir()
    path.rename(tmp_path / "elsewhere.o")
    for plant in (lambda: path.symlink_to(tmp_path / "elsewhere.o"), lambda: os.mkfifo(path)):
        plant()
        assert code_cache.read_code("rnn", HOST) is None
        path.unlink()
    folder.rmdir()
    (tmp_path / "other").mkdir()
    folder.symlink_to(tmp_path / "other")
    assert compiler.load_or_compile("rnn", HOST) == code
    assert not list((tmp_path / "other").iterdir())


def test_without_a_writable_cache_code_is_compiled(folder: Path) -> None:
    assert HOST is not None
    folder.parent.mkdir(parents=True)
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
