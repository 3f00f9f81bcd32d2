"""predictions.csv: forecasts in the data's unit, as text and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grubench.data.zones import Zone, parse_offsets
from grubench.errors import RunError
from grubench.runs.files import DAMAGED

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    Times = NDArray[np.generic]  # timestamps (datetime64) or step numbers (int64)

COLUMNS = {
    "series": "str",
    "origin": "str",
    "step": "int64",
    "time": "str",
    "actual": "str",  # empty where it is not known
    "predicted": "str",
}
# A row has the name of a series, two times and three numbers.
MAX_ROW_BYTES = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastRows:
    """Forecasts of one series, `(row,)` each: the steps of a forecast follow one another, from step 1.

    Attributes:
        origin: The time of the last value seen before the forecast: a timestamp, or the number of a step.
        step: The step of the horizon, from 1.
        time: The time that is forecast.
        actual: The actual value, in the data's unit; NaN where it is not known, such as where it was filled.
        predicted: The forecast, in the data's unit.
        zone: The zone in which timestamps are shown; they are in UTC then.
    """

    origin: Times
    step: NDArray[np.int64]
    time: Times
    actual: NDArray[np.float64]
    predicted: NDArray[np.float64]
    zone: Zone | None = None

    @property
    def local_time(self) -> Times:
        """The time that is forecast, as clocks show it."""
        return self.zone.to_local(self.time) if self.zone else self.time

    def labels(self) -> list[str]:
        """The time that is forecast as text, with its offset from UTC where it has one."""
        return self.zone.format(self.time) if self.zone else [str(time) for time in self.time]

    @property
    def has_timestamps(self) -> bool:
        """Whether the times are timestamps and not numbers of steps."""
        return bool(np.issubdtype(self.time.dtype, np.datetime64))


def format_csv(rows: Mapping[str, ForecastRows]) -> str:
    """The forecasts of each series as CSV: series, origin, step, time, actual, predicted.

    A number is the shortest text that reads back equal; an actual value that is not known is an empty cell.
    """
    import pandas as pd

    frames = [pd.DataFrame({"series": name} | _write_columns(columns)) for name, columns in rows.items()]
    return pd.concat(frames).to_csv(index=False, lineterminator="\n")


def _write_columns(rows: ForecastRows) -> dict[str, Any]:
    """The columns of a series; timestamps with a zone as text, local with their offset."""
    columns = {key: getattr(rows, key) for key in COLUMNS if key != "series"}
    if rows.zone is None:
        return columns
    return columns | {key: rows.zone.format(columns[key]) for key in ("origin", "time")}


def read_csv(path: Path, rows: int) -> dict[str, ForecastRows]:
    """The forecasts of each series.

    Args:
        path: The file.
        rows: How many rows it has to have.

    Raises:
        RunError: The file cannot be read, has other rows, or a forecast in it is not complete.
    """
    import pandas as pd

    try:
        if path.stat().st_size > MAX_ROW_BYTES * (rows + 1):
            raise ValueError(f"it has more bytes than {rows:,} rows take")
        frame = pd.read_csv(path, dtype=COLUMNS, usecols=list(COLUMNS), na_filter=False, nrows=rows + 1)
        if len(frame) != rows:
            raise ValueError(f"it has not the {rows:,} rows that metrics.json says")
        has_timestamps = not frame["time"].str.fullmatch(r"-?\d{1,18}").all()
        # As text: the parser of numbers that pandas had for long may be off in the last digit.
        predicted = frame["predicted"].to_numpy(np.float64)
        actual = frame["actual"].mask(frame["actual"] == "").to_numpy(np.float64)
        parsed = {key: _parse_times(frame[key], has_timestamps=has_timestamps) for key in ("origin", "time")}
        times = {key: time for key, (time, _) in parsed.items()}
    except (ValueError, OverflowError, OSError) as error:
        raise RunError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}.", DAMAGED) from error
    by_series = {
        str(name): ForecastRows(
            origin=times["origin"][positions],
            step=frame["step"].to_numpy()[positions],
            time=times["time"][positions],
            actual=actual[positions],
            predicted=predicted[positions],
            zone=_find_zone(times["time"], parsed["time"][1], positions),
        )
        for name, positions in frame.groupby("series", sort=False).indices.items()
    }
    if not by_series or not all(map(_is_complete, by_series.values())):
        raise RunError(f"{path} holds no complete forecasts.", DAMAGED)
    return by_series


def _parse_times(column: pd.Series[str], *, has_timestamps: bool) -> tuple[Times, NDArray[np.timedelta64] | None]:
    """A column of text as timestamps or step numbers, and the offsets of those that have one; or a ValueError."""
    import pandas as pd

    if not has_timestamps:
        return column.astype("int64").to_numpy(), None
    offsets = parse_offsets(column.tolist())
    zoned = ~np.isnat(offsets)
    if zoned.any() and not zoned.all():
        raise ValueError("some times have an offset from UTC, and some have none")
    parsed = pd.to_datetime(column, format="ISO8601", utc=bool(zoned.any()))
    times = (parsed.dt.tz_localize(None) if zoned.any() else parsed).to_numpy("datetime64[us]")
    if pd.isna(times).any():
        raise ValueError("a time is empty")
    return times, offsets if zoned.any() else None


def _find_zone(time: Times, offsets: NDArray[np.timedelta64] | None, rows: Any) -> Zone | None:
    return None if offsets is None else Zone.from_offsets(time[rows].astype("datetime64[us]"), offsets[rows])


def _is_complete(rows: ForecastRows) -> bool:
    """Whether the rows of a series are complete forecasts: from step 1 to the same horizon, of finite values."""
    horizon = int(rows.step.max())
    return (
        horizon > 0
        and len(rows.step) % horizon == 0
        and bool((rows.step == np.tile(np.arange(1, horizon + 1), len(rows.step) // horizon)).all())
        and bool(np.isfinite(rows.predicted).all() and not np.isinf(rows.actual).any())
    )
