"""Trials on a Ray cluster: a task each, retried where its worker or node dies.

The data go to the cluster once, through Ray's object store, and a finished run comes back the same way: the nodes share
no file system. Events come through a queue on the driver's node.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from grubench.errors import GrubenchError, RunError, TrainingError, UsageError
from grubench.execution.executor import as_outcome, run_job
from grubench.execution.process_folder import process_folder
from grubench.spec.experiment import Experiment
from grubench.text import advise_install
from grubench.training.options import TrialOptions

if TYPE_CHECKING:
    from grubench.data.series import Dataset
    from grubench.execution.executor import Job, Outcome
    from grubench.training.events import OnEvent, TrialEvent

# Trials that wait in Ray's own queue beside those that run, so that a core that becomes free is not idle.
QUEUED = 2
# Locks (a file each) that any system lets a process hold.
MIN_LOCKS = 200
# The folder that grubench is imported from.
PACKAGE_FOLDER = Path(__file__).parents[2]
# How long a cluster may take to answer, in seconds.
CONNECT_S = 10


class RayCluster:
    """An executor on Ray.

    Args:
        address: The cluster's address, such as `auto`; one is started on this machine where it is empty.
        threads: Cores of a trial.
        retries: How often a trial whose worker or node died is retried.
        on_event: Called with the progress.

    Raises:
        UsageError: Ray is not installed, the cluster cannot be reached, or no node has so many cores.
    """

    def __init__(self, address: str, threads: int, retries: int, on_event: OnEvent) -> None:
        try:
            import ray
        except ImportError as error:
            raise UsageError("--executor ray: Ray is not installed.", advise_install("ray", "ray")) from error
        self._ray, self._on_event = ray, on_event
        self._own_cluster = not ray.is_initialized()
        self._jobs: dict[object, Job] = {}
        if self._own_cluster:
            _connect(ray, address)
        self._threads = threads
        most_cores = max(int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])
        if threads > most_cores:
            self.close()
            raise UsageError(
                f"training.threads: no node of the cluster has {threads} cores; the largest has {most_cores}.",
                f"Use --threads {most_cores} or fewer.",
            )
        self._events = _make_queue(ray)
        self._max_locks = _max_locks()
        # A fresh process for each trial, as everywhere: nothing of the trial before must be left in it, nor its memory.
        self._task = ray.remote(max_calls=1, max_retries=retries, num_gpus=min(1, int(self._total("GPU"))))(_train)
        self._dataset: object = None

    @property
    def slots(self) -> int:
        """As many trials as the cluster has room for, and some that wait; the lock of each is an open file here."""
        room = int(self._total("CPU")) // self._threads
        gpus = int(self._total("GPU"))
        return min(min(room, gpus) if gpus else room, self._max_locks) + QUEUED

    def trial_options(self, spec: Experiment, slot: int) -> TrialOptions:  # noqa: ARG002
        """One core a trial where the spec does not say: more trials at a time finish sooner than faster ones."""
        return TrialOptions(
            threads=spec.training.threads or self._threads, shared="beside other trials on a Ray cluster"
        )

    def start(self, job: Job) -> None:
        """Submit a trial to the cluster."""
        if self._dataset is None and job.dataset is not None:
            self._dataset = self._ray.put(job.dataset)
        task = self._task.options(num_cpus=job.options.threads)
        dataset = self._dataset if job.folder else None
        reference = task.remote(job.spec, dataset, job.options, number=job.number, events=self._events)
        self._jobs[reference] = job

    def wait(self, timeout_s: float) -> list[tuple[int, Outcome]]:
        """Pass events on, and write the folders of the trials that came back."""
        if not self._jobs:
            time.sleep(timeout_s)
            return []
        ready, _ = self._ray.wait(list(self._jobs), num_returns=1, timeout=timeout_s)
        running = {job.number for job in self._jobs.values()}
        for event in self._receive_events():
            if event.trial in running:
                self._on_event(event)
        return [self._collect(reference) for reference in ready]

    def close(self) -> None:
        """Stop what still runs, and leave the cluster, or end it where it was started here."""
        for reference in self._jobs:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._jobs.clear()
        if self._own_cluster:
            self._ray.shutdown()

    def _total(self, resource: str) -> float:
        return float(self._ray.cluster_resources().get(resource, 0))

    def _receive_events(self) -> list[TrialEvent]:
        """The events of trials since the last call; none where the queue is gone, which no trial needs."""
        try:
            size = self._events.qsize()
            events: list[TrialEvent] = self._events.get_nowait_batch(size) if size else []
        except self._ray.exceptions.RayError:
            return []
        return events

    def _collect(self, reference: object) -> tuple[int, Outcome]:
        job = self._jobs.pop(reference)
        try:
            result: dict[str, bytes] | GrubenchError = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            return job.number, as_outcome(error.cause or error)
        except self._ray.exceptions.RayError as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            return job.number, TrainingError(
                f"The trial's worker or node died each time it was started ({reason}).",
                "Give more --retries, or look at Ray's dashboard for the cause.",
            )
        if isinstance(result, GrubenchError):
            return job.number, result
        try:
            if job.folder:
                _unpack(result, job.folder)
        except RunError as error:
            return job.number, error
        return job.number, None


def _connect(ray: ModuleType, address: str) -> None:
    cluster = address or os.environ.get("RAY_ADDRESS") or "local"
    settings = {"include_dashboard": False} if cluster == "local" else {}
    try:
        _check_reachable(cluster)
        # Ray puts the folder that is the current one here on the path of its workers: files in it would run that are
        # named as modules.
        with contextlib.chdir(PACKAGE_FOLDER):
            ray.init(address=cluster, log_to_driver=False, logging_level="error", **settings)
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"--ray-address: the cluster {cluster} could not be reached ({error}).",
            "Start one with: ray start --head, and give its address, or auto on one of its nodes.",
        ) from error


def _max_locks() -> int:
    """How many locks this process may hold: half of the files that the system lets it open, asked for in full."""
    try:
        import resource
    except ImportError:  # Windows
        return MIN_LOCKS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        with contextlib.suppress(ValueError, OSError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return max(MIN_LOCKS, soft // 2)


def _check_reachable(address: str) -> None:
    """Check that something listens at an address of host and port: Ray itself would wait for minutes.

    Raises:
        OSError: Nothing does.
        ValueError: The port is not a number.
    """
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host:
        socket.create_connection((host, int(port)), CONNECT_S).close()


def _make_queue(ray: ModuleType) -> Any:
    """A queue on this node, which exists as long as the driver does."""
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    this_node = NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=False)
    return Queue(actor_options={"num_cpus": 0, "scheduling_strategy": this_node})


def _train(
    spec: Experiment, dataset: Dataset | None, options: TrialOptions, *, number: int, events: Any
) -> dict[str, bytes] | GrubenchError:
    """The body of a task: the files of the run by name, or what ended the trial."""

    def on_event(event: TrialEvent) -> None:
        with contextlib.suppress(Exception):  # progress that does not arrive must not end a trial
            events.put(replace(event, trial=number), timeout=1)

    with tempfile.TemporaryDirectory(dir=process_folder()) as temporary:
        folder = Path(temporary) / "run" if dataset is not None else None
        try:
            run_job(spec, folder, on_event, options, dataset)
        except Exception as error:
            return as_outcome(error)
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder else {}


def _unpack(files: dict[str, bytes], folder: Path) -> None:
    """Write the files of a run; others, whose names could lead elsewhere, are ignored."""
    from grubench.runs.files import os_errors
    from grubench.runs.folder import FILES

    with os_errors(folder.parent):
        folder.mkdir(parents=True)
        for name in FILES:
            (folder / name).write_bytes(files[name])
