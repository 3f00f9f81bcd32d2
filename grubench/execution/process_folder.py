"""The temporary folder of this process: what its helpers leave there goes with it, or with the next call after a kill.

Its lock is held as long as the process lives; the system frees it when the process is gone, however it ended.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

PREFIX = "grubench-"
# As `tempfile.mkdtemp` writes it: a folder of the user's with another name is never looked into.
NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")
LOCK = "process.lock"


@cache
def process_folder() -> Path:
    """The folder, made by the first call, and removed when the process ends; those of processes that are gone go too.

    Raises:
        OSError: It cannot be made.
    """
    sweep()
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(folder / LOCK, thread_local=False)
        lock.acquire()
        if (folder / LOCK).is_file():
            break
        lock.release()  # another process swept it before it was locked
    # After `multiprocessing` has removed its sockets (-100). It documents neither the class nor the number.
    Finalize(None, _remove, (folder, lock), exitpriority=-200)
    return folder


def sweep() -> None:
    """Remove the temporary folders that processes of this user left when they were killed."""
    for folder in _list_own_folders(Path(tempfile.gettempdir())):
        with suppress(OSError, Timeout):
            lock = FileLock(folder / LOCK, thread_local=False)
            lock.acquire(timeout=0)
            _remove(folder, lock)


def _list_own_folders(root: Path) -> Iterator[Path]:
    """The temporary folders of this user's processes; others may write to the folder that they lie in."""
    with suppress(OSError):
        for path in root.glob(f"{PREFIX}*"):
            status = path.lstat()
            is_own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
            if is_own and stat.S_ISDIR(status.st_mode) and NAME.fullmatch(path.name) and (path / LOCK).is_file():
                yield path


def _remove(folder: Path, lock: BaseFileLock) -> None:
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)
