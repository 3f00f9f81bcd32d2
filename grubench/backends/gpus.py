"""The NVIDIA cards of this machine, and what chooses among them; no backend is loaded for it."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from grubench.backends.proc_files import read_field
from grubench.backends.provenance import find_program
from grubench.spec.backends import BACKENDS

# Where Linux shows the driver's cards.
DRIVER_FOLDER = Path("/proc/driver/nvidia/gpus")
# What CUDA is told of the cards that it may see.
VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"


def list_cards(backend: str) -> list[str]:
    """The NVIDIA cards that the driver shows, and what chooses of them for a backend, without loading it."""
    variables = (VISIBLE_VARIABLE, *BACKENDS[backend].device_variables)
    return [*list_installed_cards(), *(f"{name}={os.environ[name]}" for name in variables if name in os.environ)]


def describe_hiding() -> str:
    """What hides all cards that there are; empty where nothing does."""
    chosen = os.environ.get(VISIBLE_VARIABLE)
    return f"{VISIBLE_VARIABLE}={chosen}" if chosen in ("", "-1") and list_installed_cards() else ""


def list_installed_cards() -> list[str]:
    """The NVIDIA cards that the driver shows, whatever may be seen of them."""
    shown = [read_field(path, "Model") for path in sorted(DRIVER_FOLDER.glob("*/information"))]
    return shown or list(_list_cards_by_tool())


@cache
def _list_cards_by_tool() -> tuple[str, ...]:
    """What the driver's own tool names, where the system shows no files of the driver: on Windows, and in sandboxes."""
    tool = find_program("nvidia-smi")
    if tool is None:
        return ()
    words = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


def list_visible_cards() -> list[str]:
    """The NVIDIA cards that trials may use, each as CUDA_VISIBLE_DEVICES names it."""
    chosen = os.environ.get(VISIBLE_VARIABLE)
    if chosen is None:
        return [str(number) for number in range(len(list_installed_cards()))]
    return [name.strip() for name in chosen.split(",") if name.strip()]
