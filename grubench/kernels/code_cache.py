"""The cache of compiled kernels on the disk, keyed by the sources, the versions of LLVM, and the processor.

Code from it runs in this process, so it is read only where nobody but the user can have written it. LLVM ends a process
that loads code which it cannot link; a mark beside the file tells the next process, which compiles anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import llvmlite
import llvmlite.binding as llvm
import platformdirs

from grubench.errors import RunError
from grubench.runs import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grubench.kernels.processor import Processor

DIGEST_BYTES = 32
# The code of a module has a hundred thousand.
MAX_BYTES = 2**24
# What follows a file's name in the name of the mark of the process that is loading it.
LOADING = ".loading-"


def read_code(module: str, processor: Processor) -> bytes | None:
    """The object code of a module from the cache.

    None where there is none, it is damaged, a process died while it loaded it, or others could have written it.
    """
    path = _code_path(module, processor)
    try:
        if not (_is_own(path.parent, stat.S_IFDIR) and _is_own(path, stat.S_IFREG)):
            return None
        if path.stat().st_size > MAX_BYTES or _forget_deadly(path):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def write_code(module: str, processor: Processor, code: bytes) -> None:
    """Write the object code of a module atomically; without a cache of the user's own, each process compiles."""
    path = _code_path(module, processor)
    with contextlib.suppress(OSError, RunError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_own(path.parent, stat.S_IFDIR):
            with atomic.write_file(path) as temporary:
                temporary.chmod(0o600)
                temporary.write_bytes(hashlib.sha256(code).digest() + code)


@contextlib.contextmanager
def mark_loading(module: str, processor: Processor) -> Iterator[None]:
    """Mark the file of a module as being loaded by this process: if it dies of it, the mark stays.

    Raises:
        OSError: The mark cannot be written.
    """
    path = _code_path(module, processor)
    mark = path.with_name(f"{path.name}{LOADING}{os.getpid()}")
    mark.touch(mode=0o600)
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def find_loaded(process: int) -> Path | None:
    """The file that a process was loading when it died; None where it died of something else."""
    marks = _folder().glob(f"*{LOADING}{process}") if _folder().is_dir() else ()
    return next((mark.with_name(mark.name.partition(LOADING)[0]) for mark in marks), None)


def _forget_deadly(path: Path) -> bool:
    """Remove a file that a process was loading when it died, and its mark; whether there was one."""
    marks = [mark for mark in path.parent.glob(f"{path.name}{LOADING}*") if not _is_running(mark)]
    for deadly in [path, *marks] if marks else ():
        deadly.unlink(missing_ok=True)
    return bool(marks)


def _is_running(mark: Path) -> bool:
    """Whether the process that a mark names is there; on Windows, which has no harmless question, it is."""
    process = mark.name.partition(LOADING)[2]
    if os.name == "nt" or not process.isdecimal():
        return True
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        pass
    return True


def _is_own(path: Path, kind: int) -> bool:
    """Whether a file or folder, not a link, belongs to this user, and no other may write it."""
    status = path.lstat()
    if stat.S_IFMT(status.st_mode) != kind:
        return False
    if not hasattr(os, "getuid"):  # Windows
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _folder() -> Path:
    return Path(platformdirs.user_cache_dir("grubench")) / "kernels"


@functools.cache
def _hash_sources() -> bytes:
    """The digest of the sources of compiled code; once in a process."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"\0".join(sources)).digest()


def _code_path(module: str, processor: Processor) -> Path:
    """The file of a module's object code."""
    key = [
        metadata.version("grubench").encode(),
        llvmlite.__version__.encode(),
        repr(llvm.llvm_version_info).encode(),
        repr(processor).encode(),
        _hash_sources(),
    ]
    digest = hashlib.sha256(b"\0".join(key)).hexdigest()[:32]
    return _folder() / f"{module}-{digest}.o"
