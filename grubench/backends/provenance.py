"""How this process was started: its command line, and the commit of its code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from grubench.text import UNRECORDABLE, is_recordable


def format_command() -> str:
    """The command line of this process."""
    name = Path(sys.argv[0]).name
    return " ".join(map(_quote_word, ["grubench" if name == "__main__.py" else name, *sys.argv[1:]]))


def _quote_word(word: str) -> str:
    """A word as a shell takes it; control characters, and bytes that are not UTF-8, by number as bash takes them."""
    if is_recordable(word):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{UNRECORDABLE.sub(_escape_bytes, escaped)}'"


def _escape_bytes(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", errors="surrogateescape"))


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
    folders = [folder for folder in os.get_exec_path() if Path(folder).is_absolute()]
    path = shutil.which(name, path=os.pathsep.join(folders))
    return path if path and Path(path).is_absolute() else None
