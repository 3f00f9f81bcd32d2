"""The run folder: written complete or not at all, read, found and listed. JSON, TOML and CSV; never pickle."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grubench.errors import RunError, SpecError, UsageError
from grubench.experiment import Experiment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA = 1
PARTIAL = ".partial-"
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


def load(folder: Path) -> Run:
    """Read a run folder.

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
    try:
        spec = Experiment.from_toml((folder / "experiment.toml").read_text(encoding="utf-8"))
    except (SpecError, UnicodeDecodeError) as error:
        raise RunError(
            f"{folder / 'experiment.toml'} cannot be read: {error}", "The run is damaged; train it again."
        ) from error
    return Run(folder=folder, experiment=spec, metrics=metrics, environment=read_json(folder / "environment.json"))


def folder_of(given: Path, root: Path) -> Path:
    """The folder that a person means: a path, or the name of a run below `root`."""
    return root / given if not given.is_dir() and (root / given).is_dir() else given


def listed(root: Path) -> list[Run]:
    """All runs below a folder, newest first; what is not a complete run is passed over."""
    found = []
    for folder in sorted(root.iterdir(), reverse=True) if root.is_dir() else ():
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            found.append(load(folder))
        except (UsageError, RunError):
            continue
    return found


def find(known: Iterable[Run], digest: str, fingerprint: str, machine: dict[str, Any]) -> Run | None:
    """The run of this spec on this data, made with these versions on this kind of machine, if there is one."""
    for run in known:
        same = run.metrics.get("digest") == digest and run.metrics.get("data", {}).get("fingerprint") == fingerprint
        if same and all(run.environment.get(key) == value for key, value in machine.items()):
            return run
    return None


def free_name(root: Path, middle: str, digest: str) -> str:
    """A folder name not yet taken: the time, what it is, and the start of the digest."""
    name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{middle}-{digest[:6]}"
    number = 1
    while (root / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return name if number == 1 else f"{name}-{number}"


@contextmanager
def written_aside(root: Path, name: str) -> Iterator[Path]:
    """A folder to fill, which appears as `root / name` when the block ends well and vanishes when it does not.

    An older folder of that name is replaced.

    Raises:
        RunError: The disk is full, or the folder cannot be written.
    """
    aside = root / f"{PARTIAL}{os.getpid()}-{name}"
    try:
        check_writable(root)
        _sweep(root)
        aside.mkdir()
        try:
            yield aside
            _replace(aside, root / name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"{root / name} could not be written: {reason}.", "Free some space, or choose another --output."
        ) from error


def check_writable(root: Path) -> None:
    """Make the folder if need be, and refuse one that cannot be written, before any work is put in.

    Raises:
        RunError: Naming the folder and the reason.
    """
    probe = root / f"{PARTIAL}{os.getpid()}-probe"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"The output folder {root} cannot be written: {reason}.", "Choose another with --output."
        ) from error


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


def _replace(aside: Path, target: Path) -> None:
    old = aside.with_name(f"{aside.name}-old")
    if target.exists():
        target.rename(old)
    aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what processes that are gone have left behind."""
    for path in root.glob(f"{PARTIAL}*"):
        pid = path.name.removeprefix(PARTIAL).partition("-")[0]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":  # signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
