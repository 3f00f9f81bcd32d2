"""The machine and the software that a trial runs on, without loading any of it."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from grubench.spec.backends import BACKENDS

PACKAGES = ("grubench", "keras", "numpy", "pandas")
# Where Linux shows the driver's cards.
DRIVER = Path("/proc/driver/nvidia/gpus")
# What CUDA is told of the cards that it may see.
VISIBLE = "CUDA_VISIBLE_DEVICES"


def versions(backend: str = "tensorflow") -> dict[str, str]:
    """The installed version of Python and of each package that decides a result on a backend."""
    found = {"python": platform.python_version()}
    found |= {package: version(package) or "absent" for package in (*PACKAGES, *BACKENDS[backend].packages)}
    return found | {package: there for package in BACKENDS[backend].cuda_packages if (there := version(package))}


def version(package: str) -> str:
    """The installed version of a package; empty where there is none of that name."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def machine(backend: str = "tensorflow") -> dict[str, Any]:
    """The software, the processor and the cards: trials with the same can be compared in error and in time."""
    return {"versions": versions(backend), "processor": processor(), "cores": os.cpu_count(), "cards": cards(backend)}


def cards(backend: str = "tensorflow") -> list[str]:
    """The NVIDIA cards that the driver shows, and what chooses of them for a backend, without loading it."""
    variables = (VISIBLE, *BACKENDS[backend].device_variables)
    return [*installed_cards(), *(f"{name}={os.environ[name]}" for name in variables if name in os.environ)]


def hidden_cards() -> str:
    """What hides all cards that there are; empty where nothing does."""
    chosen = os.environ.get(VISIBLE)
    return f"{VISIBLE}={chosen}" if chosen in ("", "-1") and installed_cards() else ""


def installed_cards() -> list[str]:
    """The NVIDIA cards that the driver shows, whatever may be seen of them."""
    return [_field(path, "Model") for path in sorted(DRIVER.glob("*/information"))] or list(_cards_by_tool())


@cache
def _cards_by_tool() -> tuple[str, ...]:
    """What the driver's own tool names, where the system shows no files of the driver: on Windows, and in sandboxes."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    words = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


def visible_cards() -> list[str]:
    """The NVIDIA cards that trials may use, each as CUDA_VISIBLE_DEVICES names it."""
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        return [str(number) for number in range(len(installed_cards()))]
    return [name.strip() for name in chosen.split(",") if name.strip()]


def cores() -> int:
    """The processor's cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name, as far as the operating system tells it."""
    return _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()


def _field(path: Path, name: str) -> str:
    """The first value behind `name:` in a file of the kernel; empty where there is none."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def describe(backend: str = "tensorflow") -> dict[str, Any]:
    """Everything about where a trial ran that does not need Keras."""
    return machine(backend) | {"system": platform.platform(), "commit": commit(), "command": command()}


def command() -> str:
    """The command line of this process."""
    name = Path(sys.argv[0]).name
    return shlex.join(["grubench" if name == "__main__.py" else name, *sys.argv[1:]])


def commit() -> str | None:
    """The commit of the checkout that grubench runs from, with a + where it was changed; None outside one."""
    folder = Path(__file__).parents[2]
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
    held = _field(Path("/proc/self/status"), "VmHWM")  # Linux: what rusage says starts with the parent's
    if held:
        return int(held.split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
