"""Where trials run: in processes of this machine, on a Ray cluster, or in this process for debugging."""

from __future__ import annotations

from grubench.execution.base import Executor, Job
from grubench.execution.forkservers import warm_up
from grubench.execution.in_process import InProcess
from grubench.execution.processes import Processes

__all__ = ["Executor", "InProcess", "Job", "Processes", "warm_up"]
