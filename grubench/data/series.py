"""The values that all data are read into: a series, and a dataset of one or more series."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from grubench.errors import UsageError
from grubench.text import write_on_one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from grubench.data.zones import Zone


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Values over time, the target first.

    Attributes:
        name: What tables and files call it.
        values: `(time, feature)`, float64; column 0 is the target.
        columns: A name for each feature; the first is the target's.
        time: `(time,)`, datetime64 in rising order (in UTC where there is a zone), or int64 step numbers.
        unit: The unit of the target, or an empty string.
        duplicated: Rows whose timestamp an earlier row has too, before the rule for them was applied.
        missing: Timestamps missing from the regular grid, before the rule for them was applied.
        empty: Empty cells, before the rule for them was applied.
        dropped: Rows with empty cells that the rule left out.
        filled: `(time,)`, whether the target's value is a copy of an earlier one because the source has none; such a
            value is an input, and no forecast is measured by it. None is, where this is left out.
        source_row: `(time,)`, the data row of the file that each row came from, counted from 1.
        notes: What its reader guessed, and what looks wrong: a sentence each, which every view shows.
        zone: The zone of the timestamps; None where they have no offsets.
        categories: The texts of each column of text, whose values are places in them, until `categories.encode`.
    """

    name: str
    values: NDArray[np.float64]
    columns: tuple[str, ...]
    time: NDArray[np.datetime64] | NDArray[np.int64]
    unit: str = ""
    duplicated: int = 0
    missing: int = 0
    empty: int = 0
    dropped: int = 0
    filled: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    source_row: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: tuple[str, ...] = ()
    zone: Zone | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Number the rows, and take none for filled, where nothing else is said."""
        if not len(self.filled):
            object.__setattr__(self, "filled", np.zeros(len(self.values), bool))
        if not len(self.source_row):
            object.__setattr__(self, "source_row", np.arange(1, len(self.values) + 1))

    def __len__(self) -> int:
        """The number of time steps."""
        return len(self.values)

    @property
    def target(self) -> NDArray[np.float64]:
        """The target's values, `(time,)`."""
        return self.values[:, 0]

    @property
    def local_time(self) -> NDArray[np.datetime64] | NDArray[np.int64]:
        """The timestamps as clocks show them, `(time,)`, or the step numbers."""
        return self.zone.to_local(self.time) if self.zone else self.time

    @property
    def calendar_time(self) -> NDArray[np.datetime64] | NDArray[np.int64]:
        """The timestamps by which the steps are counted: local time for days, UTC for hours."""
        from grubench.data.zones import choose_clock

        clock = choose_clock(self.time, self.zone)
        return clock.to_local(self.time) if clock else self.time

    @property
    def has_timestamps(self) -> bool:
        """Whether the rows carry timestamps and not just step numbers."""
        return bool(np.issubdtype(self.time.dtype, np.datetime64))


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """One or more series with the same columns.

    Attributes:
        name: The dataset's name or the file's.
        series: The series, in the order of the source.
        categories: The texts of each column of text, once there is an input for each of them.
    """

    name: str
    series: tuple[Series, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the readers of the series guessed, and what looks wrong, a line each; one that several have once."""
        return tuple(dict.fromkeys(write_on_one_line(note) for series in self.series for note in series.notes))

    @property
    def unit(self) -> str:
        """The unit of the target, or an empty string where the series differ."""
        units = {series.unit for series in self.series}
        return units.pop() if len(units) == 1 else ""

    def have_one_unit(self, names: Collection[str]) -> bool:
        """Whether the targets of these series are of one unit: the same one, or of the same column where none is named.

        Several columns of a table are different quantities, unless it is said that they have one unit.
        """
        targets = {(series.unit, series.unit or series.columns[0]) for series in self.series if series.name in names}
        return len(targets) <= 1

    def select(self, names: tuple[str, ...], key: str) -> tuple[Series, ...]:
        """The series of these names, in this order; all if there are no names.

        Raises:
            UsageError: No series has that name; `key` says which setting asked for it.
        """
        by_name = {series.name: series for series in self.series}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise UsageError(f"{key}: {self.name} has no series {unknown[0]!r}.", f"It has: {', '.join(by_name)}.")
        return tuple(by_name[name] for name in names) if names else self.series

    def fingerprint(self) -> str:
        """A hash of all names, times, values and which are filled: equal ones are of the same data."""
        digest = hashlib.sha256()
        for series in self.series:
            digest.update(repr((series.name, series.columns, series.values.shape)).encode())
            digest.update(np.ascontiguousarray(series.values).tobytes())
            digest.update(np.ascontiguousarray(series.time.view(np.int64)).tobytes())
            digest.update(np.packbits(series.filled).tobytes())
            digest.update(repr(dict(series.categories)).encode() if series.categories else b"")
        return digest.hexdigest()
