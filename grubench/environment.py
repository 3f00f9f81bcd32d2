"""The machine and the software that a trial runs on, without loading any of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("grubench", "tensorflow", "keras", "numpy", "pandas")


def versions() -> dict[str, str]:
    """The installed version of Python and of each package that decides a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def machine() -> dict[str, Any]:
    """The software and the processor: two trials with the same can be compared in error and in time."""
    return {"versions": versions(), "processor": processor(), "cores": os.cpu_count()}


def processor() -> str:
    """The processor's name, as far as the operating system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """Everything about where a trial ran that does not need Keras."""
    return machine() | {"system": platform.platform(), "commit": commit(), "command": command()}


def command() -> str:
    """The command line of this process."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def commit() -> str | None:
    """The commit of the checkout that grubench runs from, with a + where it was changed; None outside one."""
    folder = Path(__file__).parent.parent
    if not (folder / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_bytes() -> int | None:
    """The most memory that this process has held; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
