"""The cache of compiled kernels on the disk, keyed by the sources, the versions of LLVM, and the processor."""

from __future__ import annotations

import contextlib
import hashlib
from importlib import metadata
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import platformdirs

from grubench.errors import RunError
from grubench.kernels.processor import Processor
from grubench.runs import atomic

DIGEST_BYTES = 32


def read_code(cell: str, processor: Processor) -> bytes | None:
    """The object code of a cell from the cache; None where there is none, or it is damaged."""
    try:
        content = _code_path(cell, processor).read_bytes()
    except OSError:
        return None
    digest, code = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def write_code(cell: str, processor: Processor, code: bytes) -> None:
    """Write the object code of a cell atomically; without a writable cache, each process compiles."""
    path = _code_path(cell, processor)
    with contextlib.suppress(OSError, RunError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.write_file(path) as temporary:
            temporary.write_bytes(hashlib.sha256(code).digest() + code)


def _code_path(cell: str, processor: Processor) -> Path:
    """The file of a cell's object code."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    key = [
        metadata.version("grubench").encode(),
        llvmlite.__version__.encode(),
        repr(llvm.llvm_version_info).encode(),
        repr(processor).encode(),
        *sources,
    ]
    digest = hashlib.sha256(b"\0".join(key)).hexdigest()[:32]
    return Path(platformdirs.user_cache_dir("grubench")) / "kernels" / f"{cell}-{digest}.o"
