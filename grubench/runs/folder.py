"""Folders of runs: which files they have, what they are called, and how they are listed."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from grubench.errors import RunError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

# A run's name ends with the start of its spec's digest, and a number where that name was taken.
DIGEST_DIGITS = 6
DIGEST_START = re.compile(rf"-([0-9a-f]{{{DIGEST_DIGITS}}})(?:-\d+)?$")
# Of a file name's 255 bytes, those that the data's name and the cells' may take each.
MAX_PART_BYTES = 80
FILES = (
    "experiment.toml",
    "environment.json",
    "history.csv",
    "metrics.json",
    "scaling.json",
    "predictions.csv",
    "model.keras",
)


def list_files(folder: Path) -> set[str]:
    """The names of the files of a folder that may be untrusted.

    A link in it could lead what is read, or the picture that is written beside, to another place; a pipe would wait.

    Raises:
        UsageError: There is no such folder.
        RunError: It holds links or pipes, or cannot be read.
    """
    names = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    names.add(entry.name)
                elif not entry.is_dir(follow_symlinks=False):
                    raise RunError(
                        f"{entry.path} is no file but a link or a pipe.", "Put the file itself in its place."
                    )
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a name with a NUL in it
        what = f"{folder} is not a run: there is no such folder."
        raise UsageError(what, "`grubench runs` lists the runs there are.") from error
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror}.", "Fix its permissions.") from error
    return names


def list_folders(root: Path) -> list[str]:
    """The names of what may be runs, newest first; links are left out, wherever they lead."""
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)]
    return sorted(names, reverse=True)


def resolve(path: Path, root: Path) -> Path:
    """The folder that a user means: a path, or the name of a run below `root`."""
    return root / path if not path.is_dir() and (root / path).is_dir() else path


def shorten(part: str) -> str:
    """A part of a folder's name, cut where it is long: the digest tells folders apart, not the part."""
    return part if len(part.encode()) <= MAX_PART_BYTES else part.encode()[:MAX_PART_BYTES].decode(errors="ignore")


def free_name(root: Path, middle: str, digest: str) -> str:
    """A folder name that is not taken: the time, what it is, and the start of the digest."""
    name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{middle}-{digest[:DIGEST_DIGITS]}"
    number = 1
    while os.path.lexists(root / (name if number == 1 else f"{name}-{number}")):
        number += 1
    return name if number == 1 else f"{name}-{number}"
