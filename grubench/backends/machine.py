"""The machine and the software that a trial runs on; no backend is loaded for it."""

from __future__ import annotations

import math
import os
import platform
import sys
from pathlib import Path

from msgspec import structs

from grubench.backends.gpus import list_cards
from grubench.backends.proc_files import read_field
from grubench.backends.provenance import find_commit, format_command
from grubench.backends.versions import list_versions
from grubench.runs.records import Machine, Provenance

# Where Linux shows a container the most memory that it may take: the two versions of control groups.
CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# And how many microseconds of all cores it may take, in how many; the first is no number where it may take any.
CORE_QUOTAS = (
    (Path("/sys/fs/cgroup/cpu.max"),),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)


def describe_machine(backend: str) -> Machine:
    """The software, the processor and the cards: trials with the same can be compared in error and in time.

    All of the machine's cores are counted, whatever this process may run on: a run is found again under any affinity.
    """
    return Machine(
        versions=list_versions(backend),
        processor=find_processor_name(),
        cores=os.cpu_count(),
        cards=tuple(list_cards(backend)),
    )


def describe_provenance(backend: str) -> Provenance:
    """The machine, and what was called on it."""
    return Provenance(
        **structs.asdict(describe_machine(backend)),
        system=platform.platform(),
        commit=find_commit(),
        command=format_command(),
    )


def count_cores() -> int:
    """How many threads are of use: the cores that this process may run on, or the container's share of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = (" ".join(map(_read_limit, paths)).split() for paths in CORE_QUOTAS)
    shares = [math.ceil(int(quota[0]) / int(quota[1])) for quota in quotas if len(quota) == 2 and quota[0].isdecimal()]
    return max(1, min([cores, *shares]))


def count_memory_bytes() -> int | None:
    """The memory of this machine, with its swap space, or of the container; None where the system does not say."""
    total, swap = (read_field(Path("/proc/meminfo"), name) for name in ("MemTotal", "SwapTotal"))
    if not total:
        return None
    limits = [int(text) for text in map(_read_limit, CONTAINER_LIMITS) if text.isdecimal()]
    return min([int(total.split()[0]) * 1024, *limits]) + int((swap or "0").split()[0]) * 1024


def _read_limit(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def find_processor_name() -> str:
    """The processor's name, as far as the operating system tells it."""
    return read_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()


def measure_peak_memory_bytes() -> int | None:
    """The most memory that this process has held; None where the system does not say."""
    peak = read_field(Path("/proc/self/status"), "VmHWM")  # Linux: what rusage says starts with the parent's
    if peak:
        return int(peak.split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(maximum if sys.platform == "darwin" else maximum * 1024)


def count_memory_kills() -> int | None:
    """How many processes the system has killed since it started because memory ran out; None where it does not say."""
    path = Path("/proc/vmstat")  # Linux
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
