"""Where and how the trials of a comparison run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grubench.backends import registry
from grubench.backends.capacity import check_threads
from grubench.data.input_files import MAX_TABLE_MB
from grubench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grubench.spec.experiment import Experiment

EXECUTORS = ("processes", "ray", "in-process")
# The flags that choose them.
FLAGS = {"ray": "--executor ray", "in-process": "--in-process"}


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """Where and how trials run. Nothing of it changes a result; what would is refused.

    Attributes:
        executor: `processes` of this machine, `ray`, or `in-process`, for debugging.
        jobs: How many processes run at a time.
        ray_address: The Ray cluster's address; one is started on this machine where it is empty.
        retries: How often Ray retries a trial whose worker or node died.
        checkpoint_every: Epochs between checkpoints of a trial; 0 for none.
        max_table_mb: The largest table of the user's own that is read, in MB.
    """

    executor: str = "processes"
    jobs: int = 1
    ray_address: str = ""
    retries: int = 3
    checkpoint_every: int = 0
    max_table_mb: int = MAX_TABLE_MB

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            UsageError: Naming the flag.
        """
        rules = (
            (self.executor not in EXECUTORS, f"--executor: unknown value {self.executor!r}.", "Valid: processes, ray."),
            (self.max_table_mb < 1, f"--max-table: {self.max_table_mb} is too small.", "Give at least 1 (MB)."),
            (self.jobs < 1, f"--jobs: {self.jobs} is too few.", "Give at least 1."),
            (
                self.jobs > 1 and self.executor != "processes",
                f"--jobs: {self.jobs} processes do not go with {FLAGS.get(self.executor)}.",
                "Leave --jobs out; Ray runs as many trials as its nodes have room for.",
            ),
            (
                self.executor == "ray" and self.checkpoint_every > 0,
                "--checkpoint-every: Ray's nodes share no folder to keep a checkpoint in.",
                "Leave it out.",
            ),
            (bool(self.ray_address) and self.executor != "ray", "--ray-address is for Ray.", "Add --executor ray."),
        )
        for applies, message, remedy in rules:
            if applies:
                raise UsageError(message, remedy)

    def check(self, specs: Iterable[Experiment], match: str = "units") -> None:
        """Refuse specs whose trials cannot run so.

        Raises:
            UsageError: Naming the setting.
        """
        specs = list(specs)
        backends = dict.fromkeys(spec.training.backend for spec in specs)
        if self.executor == "in-process" and len(backends) > 1:
            raise UsageError(
                f"training.backend: one process cannot load {' and '.join(backends)}.",
                "Leave out --in-process.",
            )
        if self.executor != "ray":  # whose nodes are other machines
            for backend in backends:
                registry.check_installed(backend)
            check_threads(max(spec.training.threads for spec in specs))
        for spec in specs:
            self._check_devices(spec, match)

    def _check_devices(self, spec: Experiment, match: str) -> None:
        """Refuse a spec whose trials need a machine, or all its devices, for themselves."""
        if self.jobs == 1 and self.executor != "ray":
            return
        how = FLAGS["ray"] if self.executor == "ray" else f"--jobs {self.jobs}"
        if match == "time" or spec.training.seconds:
            raise UsageError(
                f"training.seconds: with {how} other trials run at the same time, and a trial's time, "
                "and so its weights, would depend on them.",
                "Train one at a time (--jobs 1), or for --epochs.",
            )
        if spec.training.strategy == "mirrored":
            raise UsageError(
                f"training.strategy: mirrored takes every GPU, and {how} gives each trial its own.", "Leave one out."
            )
