"""The finished runs of a folder by their specs: what a comparison need not train again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.errors import RunError, UsageError
from grubench.runs.folder import DIGEST_DIGITS, DIGEST_START, list_folders
from grubench.runs.records import Machine
from grubench.runs.run import RunReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from grubench.runs.run import Run
    from grubench.spec.experiment import Experiment


class RunStore:
    """The runs of a folder by their specs: only those are read that are asked for.

    Args:
        root: The folder.
        machine: The machine as a backend uses it; runs made on another are not found.
    """

    def __init__(self, root: Path, machine: Callable[[str], Machine]) -> None:
        self.root, self.machine = root, machine
        self._names: dict[str, list[str]] = {}
        self._reader = RunReader()
        for name in list_folders(root):
            start = DIGEST_START.search(name)
            if start:
                self._names.setdefault(start[1], []).append(name)

    def find(self, spec: Experiment, fingerprint: str) -> Run | None:
        """The newest run of a spec, if there is one.

        Args:
            spec: The spec.
            fingerprint: Of the data; runs on other data are not found.
        """
        for name in self._names.get(spec.digest[:DIGEST_DIGITS], ()):
            try:
                run = self._reader.read(self.root / name, spec)
            except (UsageError, RunError):
                continue
            if self._fits(run, spec, fingerprint):
                return run
        return None

    def find_again(self, spec: Experiment, fingerprint: str) -> Run | None:
        """The same, where another process may have put it there since."""
        return RunStore(self.root, self.machine).find(spec, fingerprint)

    def may_have(self, spec: Experiment) -> bool:
        """Whether there is something of the right name, unread."""
        return spec.digest[:DIGEST_DIGITS] in self._names

    def _fits(self, run: Run, spec: Experiment, fingerprint: str) -> bool:
        # A trial that shared its machine may have run on any node of a cluster: its times are not compared anyway.
        machine = self.machine(spec.training.backend)
        fields = ("versions",) if run.environment.shared else Machine.__struct_fields__
        return (
            run.metrics.digest == spec.digest
            and run.metrics.data.fingerprint == fingerprint
            and all(getattr(run.environment, field) == getattr(machine, field) for field in fields)
        )
