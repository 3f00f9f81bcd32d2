"""Datasets: one module each, a catalog of what there is, and the user's own tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

# Each of these registers itself.
from grubench.data.datasets import activities, bankex, bitcoin, energy, waves  # noqa: F401
from grubench.data.datasets.catalog import CATALOG, Source, find, register
from grubench.errors import SpecError, UsageError
from grubench.text import is_file

if TYPE_CHECKING:
    from grubench.data.series import Dataset, Series
    from grubench.spec.sections import Data

__all__ = ["CATALOG", "Source", "find", "load", "register"]


def load(spec: Data, name: str, file: Path | None = None) -> Dataset:
    """Read the dataset or the file that a spec names, with its rules applied.

    Args:
        spec: What to read.
        name: What to call the dataset.
        file: New data of the same shape to read in its place.

    Raises:
        UsageError: There is no such dataset, file or column.
        DataError: The data cannot be had, or not trained on.
        SpecError: Inputs are to be made from timestamps, and there are none.
    """
    from grubench.data.series import Dataset

    if file is not None and not is_file(file):
        raise UsageError(f"There is no file {file}.", "Check the path given with --csv.")
    series = _read_table(spec, file) if spec.file else _read_source(spec, file)
    names = [member.name for member in series]
    if len(set(names)) < len(names):
        raise UsageError(f"{name}: two series are called {max(names, key=names.count)!r}.", "Give each its own name.")
    return Dataset(name=name, series=tuple(series))


def _read_table(spec: Data, file: Path | None) -> list[Series]:
    from grubench.data.datasets import tables

    return tables.read(spec, file or Path(spec.file))


def _read_source(spec: Data, file: Path | None) -> list[Series]:
    from grubench.data.datasets.download import fetch

    source = find(spec.dataset)
    if spec.time_features and not source.has_timestamps:
        raise SpecError(
            f"data.time_features: {source.name} has no timestamps to make {', '.join(spec.time_features)} from.",
            "Leave the features out.",
        )
    return source.read(spec, [file] if file else fetch(source))
