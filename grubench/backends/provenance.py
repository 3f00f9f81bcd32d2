"""How this process was started: its command line, and the commit of its code."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path


def format_command() -> str:
    """The command line of this process."""
    name = Path(sys.argv[0]).name
    return shlex.join(["grubench" if name == "__main__.py" else name, *sys.argv[1:]])


def find_commit() -> str | None:
    """The commit of the checkout that grubench runs from, with a + where it was changed; None outside one."""
    folder = Path(__file__).parents[2]
    program = find_program("git")
    if not (folder / ".git").exists() or program is None:
        return None

    def git(*words: str) -> str:
        done = subprocess.run(
            [program, "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def find_program(name: str) -> str | None:
    """The path of a program; never in the current folder, where Windows would look first."""
    path = shutil.which(name)
    return None if path is None or Path(path).absolute().parent == Path.cwd() else path
