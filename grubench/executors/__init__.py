"""Where trials run: in processes of this machine, on a Ray cluster, or in this process for debugging."""

from __future__ import annotations

from grubench.executors.base import Executor, Job
from grubench.executors.here import Here
from grubench.executors.processes import Processes
from grubench.executors.servers import warm_up

__all__ = ["Executor", "Here", "Job", "Processes", "warm_up"]
