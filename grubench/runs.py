"""The run folder: written complete or not at all, read, found and listed. JSON, TOML and CSV; never pickle."""

from __future__ import annotations

import csv
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grubench.errors import RunError, SpecError, UsageError
from grubench.experiment import Experiment

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
# A run's name ends with the start of its spec's digest, and a number where that name was taken.
DIGEST_DIGITS = 6
DIGEST_START = re.compile(rf"-([0-9a-f]{{{DIGEST_DIGITS}}})(?:-\d+)?$")
FILES = (
    "experiment.toml",
    "environment.json",
    "history.csv",
    "metrics.json",
    "scaling.json",
    "predictions.csv",
    "model.keras",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A finished trial, read from its folder.

    Attributes:
        folder: Where it lies.
        experiment: The whole spec.
        metrics: What was measured (metrics.json).
        environment: What it was measured on (environment.json).
    """

    folder: Path
    experiment: Experiment
    metrics: dict[str, Any]
    environment: dict[str, Any]

    def __repr__(self) -> str:
        """The folder: the metrics would fill pages."""
        return f"Run({str(self.folder)!r})"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def history(self) -> dict[str, list[float]]:
        """The columns of history.csv: epoch, loss, val_loss (where there was validation), seconds, speed."""
        with (self.folder / "history.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {key: [float(row[key]) for row in rows] for key in (rows[0] if rows else ())}

    def scalings(self) -> dict[str, dict[str, list[float]]]:
        """The scaling of each series, by name, as `Scaling.from_dict` takes it."""
        tree: dict[str, dict[str, list[float]]] = read_json(self.folder / "scaling.json")["series"]
        return tree


def load(folder: Path, spec: Experiment | None = None) -> Run:
    """Read a run folder.

    Args:
        folder: The folder.
        spec: Its spec where it is known already: where the digests agree, experiment.toml is not read.

    Raises:
        UsageError: It is not a run folder.
        RunError: It is damaged, or a newer grubench wrote it.
    """
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent:
        what = "there is no such folder" if not folder.is_dir() else f"it has no {absent[0]}"
        raise UsageError(f"{folder} is not a run: {what}.", "`grubench runs` lists the runs there are.")
    metrics = read_json(folder / "metrics.json")
    schema = metrics.get("schema") if isinstance(metrics, dict) else None
    if not isinstance(schema, int):
        raise RunError(f"{folder / 'metrics.json'} names no schema.", "The run is damaged; train it again.")
    if schema > SCHEMA:
        raise RunError(
            f"{folder} was written by a newer grubench (schema {schema}; this one reads up to {SCHEMA}).",
            "Update with: pip install -U grubench",
        )
    if spec is None or metrics.get("digest") != spec.digest:
        spec = _spec(folder)
    return Run(folder=folder, experiment=spec, metrics=metrics, environment=read_json(folder / "environment.json"))


def _spec(folder: Path) -> Experiment:
    try:
        return Experiment.from_toml((folder / "experiment.toml").read_text(encoding="utf-8"))
    except (SpecError, UnicodeDecodeError) as error:
        raise RunError(
            f"{folder / 'experiment.toml'} cannot be read: {error}", "The run is damaged; train it again."
        ) from error


def shared(run: Run) -> str:
    """What the trial shared its machine with while it was timed, in words; empty where it had it for itself."""
    return str(run.environment.get("shared", ""))


def folder_of(given: Path, root: Path) -> Path:
    """The folder that a person means: a path, or the name of a run below `root`."""
    return root / given if not given.is_dir() and (root / given).is_dir() else given


def listed(root: Path) -> list[Run]:
    """All runs below a folder, newest first; what is not a complete run is passed over."""
    found = []
    for name in _names(root):
        with suppress(UsageError, RunError):
            found.append(load(root / name))
    return found


class Shelf:
    """The runs of a folder by their specs: only those are read that are asked for.

    Args:
        root: The folder.
        machine: Versions, processor and cards; a run made with others is another.
        fingerprint: Of the data; a run on other data is another. It may be told later.
    """

    def __init__(self, root: Path, machine: dict[str, Any], fingerprint: str = "") -> None:
        self.root, self.machine, self.fingerprint = root, machine, fingerprint
        self._names: dict[str, list[str]] = {}
        for name in _names(root):
            start = DIGEST_START.search(name)
            if start:
                self._names.setdefault(start[1], []).append(name)

    def find(self, spec: Experiment) -> Run | None:
        """The newest run of a spec, if there is one."""
        for name in self._names.get(spec.digest[:DIGEST_DIGITS], ()):
            try:
                run = load(self.root / name, spec)
            except (UsageError, RunError):
                continue
            if self._fits(run, spec):
                return run
        return None

    def find_again(self, spec: Experiment) -> Run | None:
        """The same, where another process may have put it there since."""
        return Shelf(self.root, self.machine, self.fingerprint).find(spec)

    def may_have(self, spec: Experiment) -> bool:
        """Whether there is something of the right name, unread."""
        return spec.digest[:DIGEST_DIGITS] in self._names

    def _fits(self, run: Run, spec: Experiment) -> bool:
        data = run.metrics.get("data")
        return (
            run.metrics.get("digest") == spec.digest
            and isinstance(data, dict)
            and data.get("fingerprint") == self.fingerprint
            and all(run.environment.get(key) == value for key, value in self.machine.items())
        )


def _names(root: Path) -> list[str]:
    """The names of what may be runs, newest first."""
    if not root.is_dir():
        return []
    return sorted((path.name for path in root.iterdir() if not path.name.startswith(".")), reverse=True)


def free_name(root: Path, middle: str, digest: str) -> str:
    """A folder name not yet taken: the time, what it is, and the start of the digest."""
    name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{middle}-{digest[:DIGEST_DIGITS]}"
    number = 1
    while (root / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return name if number == 1 else f"{name}-{number}"


def write_json(path: Path, tree: Any) -> None:
    """Write JSON that a person can read; NaN becomes null."""
    path.write_text(json.dumps(plain(tree), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows with the same keys as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def plain(tree: Any) -> Any:
    """The tree with text keys and lists, and null for what JSON has no number for."""
    if isinstance(tree, dict):
        return {str(key): plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    return None if isinstance(tree, float) and not abs(tree) < float("inf") else tree


def read_json(path: Path) -> Any:
    """The tree in a JSON file.

    Raises:
        RunError: It cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}.", "The run is damaged; train it again.") from error
