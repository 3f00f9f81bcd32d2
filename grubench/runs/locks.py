"""Who may write what into a folder, and writing it whole: claimed, filled out of sight, and renamed.

A claim is a lock that the system frees when the process that holds it is gone, however it went. What is filled belongs
to the claim: whoever takes it next clears away what the one before left half done.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from grubench.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock

LOCKS = ".claims"
PARTIAL = ".partial-"
OLD = "-old"
LEFT = re.compile(rf"{re.escape(PARTIAL)}(.*)-[0-9a-f]{{8}}(?:{OLD})?", re.DOTALL)


class Claim:
    """The right to write one thing into a folder.

    Args:
        root: The folder.
        key: What is claimed, fit for a file's name.
        lock: The lock, held.
    """

    def __init__(self, root: Path, key: str, lock: BaseFileLock) -> None:
        self.root = root
        self.key = key
        self._lock = lock
        for left in root.iterdir():
            if _key_of(left.name) != key:
                continue
            if left.name.endswith(OLD) and not (root / key).exists():  # died between the two renamings
                left.rename(root / key)
            shutil.rmtree(left, ignore_errors=True)
        self.aside = root / f"{PARTIAL}{key}-{uuid.uuid4().hex[:8]}"

    def publish(self, name: str) -> Path:
        """Give what was filled in `aside` its name; an older thing of that name goes.

        Raises:
            RunError: It cannot be renamed.
        """
        target = self.root / name
        old = self.aside.with_name(f"{self.aside.name}{OLD}")
        with os_errors(target):
            if target.exists():
                target.rename(old)
            self.aside.rename(target)
        shutil.rmtree(old, ignore_errors=True)
        return target

    def release(self) -> None:
        """Let others take it; what was not published vanishes."""
        shutil.rmtree(self.aside, ignore_errors=True)
        self._lock.release()


def _key_of(name: str) -> str:
    """The key whose claim left something of this name; empty where it is none."""
    found = LEFT.fullmatch(name)
    return found[1] if found else ""


def take(root: Path, key: str, *, wait: bool = False) -> Claim | None:
    """Claim something; None where another process or thread has it.

    Args:
        root: The folder to write into; it is made if need be.
        key: What is claimed, fit for a file's name.
        wait: Wait until it is free.

    Raises:
        RunError: The folder cannot be written.
    """
    from filelock import FileLock, Timeout

    with os_errors(root):
        (root / LOCKS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / LOCKS / f"{key}.lock", thread_local=False)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return None
    return Claim(root, key, lock)


@contextmanager
def written_aside(root: Path, name: str) -> Iterator[Path]:
    """A folder to fill, which appears as `root / name` when the block ends well and vanishes when it does not.

    An older folder of that name is replaced. Who writes the same at the same time comes after.

    Raises:
        RunError: The disk is full, or the folder cannot be written.
    """
    claim = take(root, name, wait=True)
    assert claim is not None
    try:
        with os_errors(root / name):
            claim.aside.mkdir()
            yield claim.aside
        claim.publish(name)
    finally:
        claim.release()


def sweep(root: Path) -> None:
    """Remove what processes that are gone have left half done."""
    for key in {_key_of(path.name) for path in root.iterdir()} - {""}:
        with suppress(RunError):
            claim = take(root, key)
            if claim is not None:
                claim.release()


def check_writable(root: Path) -> None:
    """Make the folder if need be, and refuse one that cannot be written, before any work is put in.

    Raises:
        RunError: Naming the folder and the reason.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"The output folder {root} cannot be written: {reason}.", "Choose another with --output."
        ) from error


@contextmanager
def file_aside(path: Path, remedy: str) -> Iterator[Path]:
    """A path to write to, which is renamed to `path` when the block ends well: that file is whole or is not there.

    Raises:
        RunError: It cannot be written.
    """
    aside = path.with_name(f".{path.name}.partial{path.suffix}")
    with os_errors(path, remedy):
        try:
            yield aside
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def os_errors(path: Path, remedy: str = "Free some space, or choose another --output.") -> Iterator[None]:
    """Turn what the system says when it cannot write into an error that names the place.

    Raises:
        RunError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{path} could not be written: {reason}.", remedy) from error
