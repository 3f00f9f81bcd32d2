"""Datasets: one module each, a catalog of what there is, and the user's own tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

# Each of these registers itself.
from grubench.data.datasets import activities, bankex, bitcoin, energy, waves  # noqa: F401
from grubench.data.datasets.catalog import CATALOG, Source, find, register
from grubench.data.input_files import MAX_TABLE_MB, check_file
from grubench.errors import DataError, SpecError, UsageError
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from grubench.data.series import Dataset, Series
    from grubench.spec.sections import Data

# Names stand in tables, pictures and files.
MAX_NAME_LETTERS = 255

__all__ = ["CATALOG", "Source", "find", "load", "register"]


def load(
    spec: Data, name: str, file: Path | None = None, *, max_mb: int = MAX_TABLE_MB, frame: pd.DataFrame | None = None
) -> Dataset:
    """Read the dataset or the file that a spec names, with its rules applied.

    Args:
        spec: What to read.
        name: What to call the dataset.
        file: New data of the same shape to read in its place.
        max_mb: The largest table of the user's own that is read, in MB.
        frame: The table to read in place of a file.

    Raises:
        UsageError: There is no such dataset, file or column.
        DataError: The data cannot be had, or not trained on.
        SpecError: Inputs are to be made from timestamps, and there are none.
    """
    from grubench.data.series import Dataset

    if file is not None and frame is None:
        check_file(file, "--csv", max_mb)
    series = _read_table(spec, file, max_mb, frame) if spec.file else _read_source(spec, file)
    _check_names(name, series)
    return Dataset(name=name, series=tuple(series))


def _check_names(name: str, every: Sequence[Series]) -> None:
    """Refuse names that two series share, or that are too long for tables, pictures and files."""
    seen: set[str] = set()
    for series in every:
        if series.name in seen:
            raise UsageError(f"{name}: two series are called {series.name!r}.", "Give each its own name.")
        seen.add(series.name)
        for text in (series.name, *series.columns):
            if len(text) > MAX_NAME_LETTERS:
                raise DataError(
                    f"{name}: the name {quote(text)} has {len(text):,} letters, and at most {MAX_NAME_LETTERS} "
                    "are recorded.",
                    "Rename the series or the column.",
                )


def _read_table(spec: Data, file: Path | None, max_mb: int, frame: pd.DataFrame | None) -> list[Series]:
    from grubench.data.datasets import tables

    return tables.read(spec, file or Path(spec.file), max_mb=max_mb, frame=frame)


def _read_source(spec: Data, file: Path | None) -> list[Series]:
    from grubench.data.datasets.download import fetch

    source = find(spec.dataset)
    if spec.time_features and not source.has_timestamps:
        raise SpecError(
            f"data.time_features: {source.name} has no timestamps to make {', '.join(spec.time_features)} from.",
            "Leave the features out.",
        )
    return source.read(spec, [file] if file else fetch(source))
