"""The columns of the tables that every view shows: one record each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from grubench.training.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from grubench.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of numbers.

    Attributes:
        key: The key of its values in a row and in exports.
        heading: Its heading.
        explanation: What stands about it under the table; empty where the heading says it all.
        is_timed: Whether its values are times, and are marked where trials shared a machine.
        is_score: Whether it stays where no row has a number: a score that is not defined is a result.
        is_detail: Whether a comparison shows it with --details alone.
    """

    key: str
    heading: str
    explanation: str = ""
    is_timed: bool = False
    is_score: bool = False
    is_detail: bool = False


C = TypeVar("C", bound=Column)


@dataclass(frozen=True, kw_only=True)
class CostColumn(Column):
    """A column of what training took, which baselines have no values for.

    Attributes:
        read: Reads its value from a run; None where the run has none, or where the line above the table says it.
    """

    read: Callable[[Run], float | None]


def list_test_columns() -> tuple[Column, ...]:
    """A column for each metric that the tables show."""
    return tuple(
        Column(
            key=metric.key,
            heading=metric.column,
            explanation=metric.explanation,
            is_score=True,
            is_detail=metric.is_detail,
        )
        for metric in METRICS.values()
        if metric.heading
    )


def _read_epochs(run: Run) -> float | None:
    training = run.experiment.training
    return run.metrics.loss.epochs if training.patience or training.seconds else None


def _read_steady_s(run: Run) -> float | None:
    timing = run.metrics.timing
    return timing.train_s - timing.first_step_s if run.experiment.training.seconds else None


def _read_total_s(run: Run) -> float | None:
    return None if run.experiment.training.seconds else run.metrics.timing.total_s


def _read_gpu_mb(run: Run) -> float | None:
    peak_bytes = run.metrics.size.peak_gpu_memory_bytes
    return peak_bytes / 1e6 if peak_bytes else None


def choose_columns(columns: Sequence[C], *, details: bool) -> list[C]:
    """The columns that are shown: all with details, else the few that the answer rests on."""
    return [column for column in columns if details or not column.is_detail]


COST_COLUMNS = (
    CostColumn(key="parameters", heading="parameters", read=lambda run: run.metrics.parameters.trainable),
    CostColumn(key="train_loss", heading="train loss", is_detail=True, read=lambda run: run.metrics.loss.train),
    CostColumn(
        key="validation_loss", heading="val. loss", is_detail=True, read=lambda run: run.metrics.loss.validation
    ),
    CostColumn(
        key="first_step_s",
        heading="first step s",
        is_timed=True,
        is_detail=True,
        read=lambda run: run.metrics.timing.first_step_s,
    ),
    CostColumn(
        key="epoch_s",
        heading="s/epoch",
        explanation="median of the epochs after the first",
        is_timed=True,
        read=lambda run: run.metrics.timing.epoch_s,
    ),
    CostColumn(
        key="sequences_per_s", heading="windows/s", is_timed=True, read=lambda run: run.metrics.timing.sequences_per_s
    ),
    CostColumn(key="total_s", heading="total s", is_timed=True, is_detail=True, read=_read_total_s),
    CostColumn(key="epochs", heading="epochs", read=_read_epochs),
    CostColumn(key="steady_s", heading="trained s", is_timed=True, read=_read_steady_s),
    CostColumn(key="gpu_mb", heading="GPU MB", read=_read_gpu_mb),
)
