"""Atomic writes: a file or a folder is complete or is not there, whatever happens to the process that writes it."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from grubench.errors import RunError
from grubench.runs import locks
from grubench.runs.files import os_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A partial file that was not changed for a day belongs to a process that was killed.
ABANDONED_S = 24 * 60 * 60
# A path has at most 4,096 bytes on Linux; runs and their files need the rest.
MAX_ROOT_BYTES = 3_500


@contextmanager
def write_file(path: Path, remedy: str = "Free some space, or give another path.") -> Iterator[Path]:
    """A new empty file to write to, which is renamed to `path` when the block ends well and removed when it does not.

    Args:
        path: The file; an older one is replaced.
        remedy: What to do where it cannot be written.

    Raises:
        RunError: It cannot be written, or is no file.
    """
    temporary = path.with_name(f"{_prefix(path)}{uuid.uuid4().hex}{path.suffix}")
    if path.exists() and not path.is_file():
        raise RunError(f"{path} is no file but a folder, a pipe or a device.", remedy)
    with os_errors(path, remedy):
        remove_partial(path, min_age_s=ABANDONED_S)
        temporary.touch(exist_ok=False)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_partial(path: Path, *, min_age_s: float = 0.0) -> None:
    """Remove what processes that were killed in `write_file` left.

    Args:
        path: The file; no other process may be writing to it, unless an age is given.
        min_age_s: How long ago a partial file must have been changed last.
    """
    for partial in path.parent.iterdir() if path.parent.is_dir() else ():
        if partial.name.startswith(_prefix(path)):
            with suppress(OSError):
                if time.time() - partial.stat(follow_symlinks=False).st_mtime >= min_age_s:
                    partial.unlink()


def _prefix(path: Path) -> str:
    return f".{path.name}.partial-"


@contextmanager
def write_folder(root: Path, name: str) -> Iterator[Path]:
    """A new folder to fill, which is renamed to `root / name` when the block ends well and removed when it does not.

    An older folder of that name is replaced. Who writes the same one at the same time waits.

    Raises:
        RunError: The disk is full, or the folder cannot be written.
    """
    lock = locks.acquire(root, name, wait=True)
    assert lock is not None
    try:
        with os_errors(root / name):
            lock.partial.mkdir()
            yield lock.partial
        lock.publish(name)
    finally:
        lock.release()


def check_writable(root: Path) -> None:
    """Make a folder of runs if need be, and refuse one that cannot be written, before any work is done.

    Raises:
        RunError: Naming the folder and the reason.
    """
    length = len(os.fsencode(root.absolute()))
    if length > MAX_ROOT_BYTES:
        raise RunError(
            f"--output: the path of the folder has {length:,} bytes.", f"At most {MAX_ROOT_BYTES:,} are used."
        )
    try:
        for name in (locks.LOCKS, locks.CHECKPOINTS):
            locks.refuse_link(root / name)
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"The output folder {root} cannot be written: {reason}.", "Choose another with --output."
        ) from error
