"""Datasets: one module each, a catalog of what there is, and the reader's own tables."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from grubench.data.datasets.catalog import CATALOG, Source, find
from grubench.errors import UsageError
from grubench.text import is_file

if TYPE_CHECKING:
    from pathlib import Path

    from grubench.data.series import Dataset
    from grubench.spec.sections import Data

__all__ = ["CATALOG", "Source", "find", "load"]


def load(spec: Data, name: str, file: Path | None = None) -> Dataset:
    """Read the dataset or the file that a spec names, with its rules applied.

    Args:
        spec: What to read.
        name: What to call the dataset.
        file: New data of the same shape to read in its place.

    Raises:
        UsageError: There is no such dataset, file or column.
        DataError: The data cannot be had, or not trained on.
    """
    from grubench.data.series import Dataset

    if file is not None and not is_file(file):
        raise UsageError(f"There is no file {file}.", "Check the path given with --csv.")
    module = "tables" if spec.file else find(spec.dataset).name
    series = import_module(f"grubench.data.datasets.{module}").read(spec, file)
    names = [one.name for one in series]
    if len(set(names)) < len(names):
        raise UsageError(f"{name}: two series are called {max(names, key=names.count)!r}.", "Give each its own name.")
    return Dataset(name=name, series=tuple(series))
