"""Locks of folders: one process at a time writes a thing, out of sight, and renames it when it is complete.

The system frees a lock when the process that holds it is gone, however it ended. What it left half written is removed
by the next one that acquires the lock.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from grubench.errors import RunError
from grubench.runs.files import os_errors

if TYPE_CHECKING:
    from pathlib import Path

    from filelock import BaseFileLock

LOCKS = ".locks"
CHECKPOINTS = ".checkpoints"
PARTIAL = ".partial-"
OLD = "-old"
PARTIAL_NAME = re.compile(rf"{re.escape(PARTIAL)}(.*)-[0-9a-f]{{8}}(?:{OLD})?", re.DOTALL)


class FolderLock:
    """The right to write one thing into a folder; `acquire` makes it.

    Args:
        root: The folder.
        key: What is locked; it is part of file names.
        lock: The lock, held.

    Attributes:
        partial: The folder to fill; `publish` gives it its name.
    """

    def __init__(self, root: Path, key: str, lock: BaseFileLock) -> None:
        self.root = root
        self.key = key
        self._lock = lock
        self._clean()
        self.partial = root / f"{PARTIAL}{key}-{uuid.uuid4().hex[:8]}"

    def _clean(self) -> None:
        """Remove what a process left half written; an older folder that it was replacing gets its name back."""
        for path in self.root.iterdir():
            if _key_of(path.name) != self.key:
                continue
            target = self.root / self.key
            # Where it died between the two renamings.
            if path.name.endswith(OLD) and not os.path.lexists(target) and not path.is_symlink():
                path.rename(target)
            _remove(path)

    def publish(self, name: str) -> Path:
        """Rename `partial`; an older folder of that name, or a link, is replaced.

        Raises:
            RunError: It cannot be renamed.
        """
        target = self.root / name
        old = self.partial.with_name(f"{self.partial.name}{OLD}")
        with os_errors(target):
            if target.is_symlink():
                target.unlink()
            elif target.exists():
                target.rename(old)
            self.partial.rename(target)
        _remove(old)
        return target

    def release(self) -> None:
        """Let others acquire it; what was not published is removed."""
        _remove(self.partial)
        self._lock.release()


def _key_of(name: str) -> str:
    """The key under whose lock a partial folder was written; empty for other names."""
    match = PARTIAL_NAME.fullmatch(name)
    return match[1] if match else ""


def _remove(path: Path) -> None:
    """Remove a folder with all that is in it, or a link: what that leads to stays as it is."""
    if path.is_symlink():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def refuse_link(folder: Path) -> None:
    """Refuse a hidden folder that is a link: it could lead what is written and removed to another place.

    Raises:
        RunError: It is one.
    """
    if folder.is_symlink():
        raise RunError(f"{folder} is a link, and grubench writes nothing through it.", "Remove it.")


def make_hidden(folder: Path) -> None:
    """Make a hidden folder of locks or checkpoints, if it is not there.

    Raises:
        RunError: It cannot be made, or is a link.
    """
    refuse_link(folder)
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _check_lock_file(path: Path) -> None:
    """Refuse a lock that is a link, hard or soft, or a pipe: opening it may wait, or change another file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise RunError(f"{path} is no lock of grubench's but a link or a pipe.", "Remove it.")


def acquire(root: Path, key: str, *, wait: bool = False) -> FolderLock | None:
    """Lock something in a folder; None where another process or thread has it locked.

    Args:
        root: The folder; it is made if need be.
        key: What is locked; it must be fit for a file's name.
        wait: Wait until it is free.

    Raises:
        RunError: The folder cannot be written, or its locks are links.
    """
    from filelock import FileLock, Timeout

    make_hidden(root / LOCKS)
    with os_errors(root):
        path = root / LOCKS / f"{key}.lock"
        _check_lock_file(path)
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return None
    return FolderLock(root, key, lock)


def remove_partial(root: Path) -> None:
    """Remove what processes that are gone left half written in a folder."""
    for key in {_key_of(path.name) for path in root.iterdir()} - {""}:
        with suppress(RunError):
            lock = acquire(root, key)
            if lock is not None:
                lock.release()
