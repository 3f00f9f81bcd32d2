"""The run folder: written complete or not at all, read, found and listed. JSON, TOML and CSV; never pickle."""

from __future__ import annotations

import csv
import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grubench.errors import RunError, SpecError, UsageError
from grubench.runs.files import read_json, text_of
from grubench.runs.schema import (
    ANY,
    DAMAGED,
    ERROR,
    FIGURE,
    FLAG,
    NUMBER,
    POSITIVE,
    SIMPLE,
    SPAN,
    TEXT,
    VALUE,
    WHOLE,
    Form,
    check_form,
    check_schema,
    number,
)
from grubench.spec.experiment import MOST_TOML, Experiment
from grubench.text import list_names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SCHEMA = 1
# A run's name ends with the start of its spec's digest, and a number where that name was taken.
DIGEST_DIGITS = 6
DIGEST_START = re.compile(rf"-([0-9a-f]{{{DIGEST_DIGITS}}})(?:-\d+)?$")
# Trees that are kept to be shared, by their text.
MOST_READ = 1024
_READ: dict[str, Any] = {}
FILES = (
    "experiment.toml",
    "environment.json",
    "history.csv",
    "metrics.json",
    "scaling.json",
    "predictions.csv",
    "model.keras",
)
MEASURES: dict[str, Any] = {"rmse_scaled": ERROR, "directional_accuracy": FIGURE, ANY: FIGURE}
STEPS: Form = [{"step": WHOLE, "rmse_scaled": ERROR, "rmse": FIGURE, ANY: FIGURE}]
PART: dict[str, Any] = {"overall": MEASURES, "series": {ANY: MEASURES}, "horizon": STEPS}
METRICS: Form = {
    "digest": TEXT,
    "data": {
        "fingerprint": TEXT,
        "unit": TEXT,
        "windows": {"train": WHOLE, "test": WHOLE, ANY: WHOLE},
        "series": {ANY: {"duplicated": WHOLE, "missing": WHOLE, ANY: FIGURE}},
    },
    "parameters": {"trainable": WHOLE},
    "loss": {"train": FIGURE, "validation": FIGURE, "epochs": WHOLE},
    "test": PART | {"overall": MEASURES | {"skill": FIGURE}},
    "baselines": {"persistence": PART, ANY: PART},
    "timing": {
        "first_step_s": NUMBER,
        "epoch_s": POSITIVE,
        "sequences_per_s": NUMBER,
        "train_s": NUMBER,
        "total_s": NUMBER,
        "steady_epochs": WHOLE,
        "resumed_after_epochs?": [WHOLE],
    },
    "size": {ANY: FIGURE},
}
ENVIRONMENT: Form = {
    "versions": {ANY: TEXT},
    **dict.fromkeys(("processor", "system", "command", "commit", "cores"), SIMPLE),
    "threads?": SIMPLE,
    "devices": [TEXT],
    "shared?": TEXT,
    "replicas?": WHOLE,
    **dict.fromkeys(("backend?", "precision?"), TEXT),
    "jit_compile?": FLAG,
    "kernels": [
        {"layer": TEXT, "kernel": TEXT, "reasons?": [TEXT], "fused_reasons?": [TEXT], "operation?": TEXT},
    ],
}
SCALINGS: Form = {"series": {ANY: {"offset": [VALUE], "factor": [SPAN]}}}


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
        path = self.folder / "history.csv"
        try:
            head, *rows = csv.reader(text_of(path).splitlines(), strict=True)
            found = {key: [float(row[place]) for row in rows] for place, key in enumerate(head)}
        except (csv.Error, ValueError, IndexError) as error:
            raise RunError(f"{path} cannot be read: {list_names([error])}.", DAMAGED) from error
        lacking = [key for key in ("epoch", "loss", "seconds") if not found.get(key)]
        if lacking or not all(number(value) for column in found.values() for value in column):
            what = f"it has no {lacking[0]}" if lacking else "it holds what is no number"
            raise RunError(f"{path} cannot be read: {what}.", DAMAGED)
        return found

    def predictions(self) -> dict[str, dict[str, NDArray[Any]]]:
        """The columns `step`, `time`, `actual` and `predicted` of predictions.csv, by series.

        Raises:
            RunError: It cannot be read.
        """
        import pandas as pd

        path = self.folder / "predictions.csv"
        kinds: dict[str, Any] = {
            "series": str,
            "time": str,
            "step": "int64",
            "actual": "float64",
            "predicted": "float64",
        }
        try:
            frame = pd.read_csv(path, dtype=kinds, usecols=list(kinds), na_filter=False)
            clock = not frame["time"].str.fullmatch(r"-?\d{1,18}").all()
            frame["time"] = _stamps(frame["time"]) if clock else frame["time"].astype("int64")
        except (ValueError, OverflowError, OSError) as error:
            raise RunError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}.", DAMAGED) from error
        keys = ("step", "time", "actual", "predicted")
        found = {
            str(name): {key: rows[key].to_numpy() for key in keys} for name, rows in frame.groupby("series", sort=False)
        }
        if not found or not all(map(_whole_forecasts, found.values())):
            raise RunError(f"{path} holds no whole forecasts.", DAMAGED)
        return found

    def scalings(self) -> dict[str, dict[str, list[float]]]:
        """The scaling of each series, by name, as `Scaling.from_dict` takes it.

        Raises:
            RunError: It cannot be read.
        """
        path = self.folder / "scaling.json"
        tree = read_json(path)
        check_form(tree, SCALINGS, path)
        found: dict[str, dict[str, list[float]]] = tree["series"]
        if not found or any(not one["offset"] or len(one["offset"]) != len(one["factor"]) for one in found.values()):
            raise RunError(f"{path} has no offset and factor for each input.", DAMAGED)
        return found


def load(folder: Path, spec: Experiment | None = None) -> Run:
    """Read a run folder.

    Args:
        folder: The folder.
        spec: Its spec where it is known already: where the digests agree, experiment.toml is not read.

    Raises:
        UsageError: It is not a run folder.
        RunError: It is damaged, or a newer grubench wrote it.
    """
    present = file_names(folder)
    absent = [name for name in FILES if name not in present]
    if absent:
        raise UsageError(f"{folder} is not a run: it has no {absent[0]}.", "`grubench runs` lists the runs there are.")
    metrics = read_json(folder / "metrics.json")
    check_schema(metrics, SCHEMA, folder / "metrics.json")
    check_form(metrics, METRICS, folder / "metrics.json")
    _check_measured(metrics, folder / "metrics.json")
    if spec is None or metrics["digest"] != spec.digest:
        spec = _spec(folder)
    environment = read_json(folder / "environment.json")
    check_form(environment, ENVIRONMENT, folder / "environment.json")
    metrics |= {part: _once(metrics[part]) for part in ("data", "baselines")}
    return Run(folder=folder, experiment=spec, metrics=metrics, environment=_once(environment))


def file_names(folder: Path) -> set[str]:
    """The names of the files of a folder that may be a stranger's.

    A link in it could lead what is read, or the picture that is written beside, to another place; a pipe would wait.

    Raises:
        UsageError: There is no such folder.
        RunError: It holds links or pipes, or cannot be read.
    """
    found = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    found.add(entry.name)
                elif not entry.is_dir(follow_symlinks=False):
                    raise RunError(
                        f"{entry.path} is no file but a link or a pipe.", "Put the file itself in its place."
                    )
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a name with a NUL in it
        what = f"{folder} is not a run: there is no such folder."
        raise UsageError(what, "`grubench runs` lists the runs there are.") from error
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror}.", "Mend its permissions.") from error
    return found


def _once(tree: Any) -> Any:
    """A tree, or the equal one that was read before: thousands of runs say the same of their data and their machine."""
    if len(_READ) >= MOST_READ:
        _READ.clear()
    return _READ.setdefault(json.dumps(tree), tree)


def _spec(folder: Path) -> Experiment:
    try:
        return Experiment.from_toml(text_of(folder / "experiment.toml", MOST_TOML))
    except SpecError as error:
        raise RunError(f"{folder / 'experiment.toml'} cannot be read: {error}", DAMAGED) from error


def _check_measured(metrics: dict[str, Any], path: Path) -> None:
    """Every forecaster is measured on the same series and steps: the views set them side by side."""
    test = metrics["test"]
    if not test["series"] or not test["horizon"]:
        raise RunError(f"{path} is damaged: test has no series or no step.", DAMAGED)
    for name, one in metrics["baselines"].items():
        if one["series"].keys() != test["series"].keys() or len(one["horizon"]) != len(test["horizon"]):
            raise RunError(
                f"{path} is damaged: {list_names([name])} is measured on other series or steps than test.", DAMAGED
            )


def _stamps(column: Any) -> Any:
    """A column of text as time stamps, or a ValueError."""
    import pandas as pd

    stamps = pd.to_datetime(column, format="ISO8601").to_numpy("datetime64[us]")
    if pd.isna(stamps).any():
        raise ValueError("a time is empty")
    return stamps


def _whole_forecasts(rows: dict[str, NDArray[Any]]) -> bool:
    """Whether the rows of a series are whole forecasts, each counting from step 1 to one horizon, of finite values."""
    import numpy as np

    steps = rows["step"]
    horizon = int(steps.max())
    whole = horizon > 0 and len(steps) % horizon == 0
    return (
        whole
        and bool((steps == np.tile(np.arange(1, horizon + 1), len(steps) // horizon)).all())
        and all(bool(np.isfinite(rows[key]).all()) for key in ("actual", "predicted"))
    )


def shared(run: Run) -> str:
    """What the trial shared its machine with while it was timed, in words; empty where it had it for itself."""
    return str(run.environment.get("shared", ""))


def folder_of(given: Path, root: Path) -> Path:
    """The folder that a person means: a path, or the name of a run below `root`."""
    return root / given if not given.is_dir() and (root / given).is_dir() else given


def listed(root: Path) -> list[Run]:
    """All runs below a folder, newest first; what is not a complete run is passed over."""
    found = []
    for name in names(root):
        with suppress(UsageError, RunError):
            found.append(load(root / name))
    return found


def names(root: Path) -> list[str]:
    """The names of what may be runs, newest first; a link is none, wherever it leads."""
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        found = [one.name for one in entries if not one.name.startswith(".") and one.is_dir(follow_symlinks=False)]
    return sorted(found, reverse=True)


def free_name(root: Path, middle: str, digest: str) -> str:
    """A folder name not yet taken: the time, what it is, and the start of the digest."""
    name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{middle}-{digest[:DIGEST_DIGITS]}"
    number = 1
    while (root / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return name if number == 1 else f"{name}-{number}"
