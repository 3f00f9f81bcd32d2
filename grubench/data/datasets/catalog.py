"""What datasets there are: where each comes from, its files with their checksums, its defaults, and what reads it.

A dataset is one module of this package, which registers itself. Nothing here imports anything heavy, and each dataset
imports it where it reads, so that `grubench datasets` and the checking of flags are quick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from grubench.errors import UsageError
from grubench.spec.fields import Tree

if TYPE_CHECKING:
    from grubench.data.series import Series
    from grubench.spec.sections import Data

# Reads the series out of the dataset's files, under the rules of the settings.
Reader = Callable[["Data", Sequence[Path]], "list[Series]"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One dataset.

    Attributes:
        name: What flags and folders call it.
        read: Reads its series. It is given the settings and the dataset's files, or a file of the user's own with the
            same columns in their place; generated data has no files.
        summary: One line of what it is.
        size: Its series and rows, in words.
        origin: Who published it, under what licence.
        url: The folder the files are fetched from, ending in a slash; empty for generated data.
        files: SHA-256 by path below `url`.
        has_timestamps: Whether its rows have timestamps, from which inputs can be made.
        has_columns: Whether its target and its further inputs can be chosen among columns.
        defaults: Settings that fit the data, as the spec's nested dictionaries.
    """

    name: str
    read: Reader
    summary: str
    size: str
    origin: str
    url: str = ""
    files: dict[str, str] = field(default_factory=dict)
    has_timestamps: bool = False
    has_columns: bool = False
    defaults: dict[str, Tree] = field(default_factory=dict)

    @property
    def is_generated(self) -> bool:
        """Whether grubench makes the data itself."""
        return not self.url


CATALOG: dict[str, Source] = {}


def register(source: Source) -> None:
    """Add a dataset to the catalog.

    A program can add its own; trials then have to run in its process, because others have the datasets of grubench.

    Raises:
        ValueError: The catalog has one of this name.
    """
    if source.name in CATALOG:
        raise ValueError(f"There is a dataset {source.name!r} already.")
    CATALOG[source.name] = source


def find(name: str) -> Source:
    """The dataset of this name.

    Raises:
        UsageError: There is none; the message lists those that there are.
    """
    if name not in CATALOG:
        raise UsageError(
            f"data.dataset: there is no dataset {name!r}.",
            f"There are: {', '.join(CATALOG)}. A file of your own goes in with --csv FILE.",
        )
    return CATALOG[name]
