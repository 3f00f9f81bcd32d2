"""What is registered once is seen everywhere: a made-up dataset, cell and metric in lists, tables and exports."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from grubench.data.datasets import CATALOG, Source, register
from grubench.data.series import Series
from grubench.spec.cells import CELLS, Cell
from grubench.training import metrics
from grubench.training.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from grubench.spec.sections import Data

SMALL = ("--epochs", 1, "--units", 2, "--seeds", 1, "--in-process")


def read_tides(spec: Data, files: Sequence[Path]) -> list[Series]:
    level = np.sin(np.arange(200.0) / 2) + 3
    return [Series(name="harbor", values=level[:, None], columns=("level",), time=np.arange(200), unit=spec.unit)]


@pytest.fixture
def tides() -> Iterator[Source]:
    """A dataset that grubench does not come with."""
    source = Source(
        name="tides",
        read=read_tides,
        summary="Water level",
        size="1 series x 200 hours",
        origin="made up",
        defaults={"data": {"unit": "cm", "period": 12}, "window": {"lookback": 9, "horizon": 2}},
    )
    register(source)
    yield source
    del CATALOG[source.name]


def test_a_dataset_is_listed_and_described(call, tides: Source) -> None:
    assert "Water level" in call("datasets").output
    described = call("datasets", "tides").output
    for part in ("tides: Water level", "harbor", "Target: level in cm"):
        assert part in described


def test_a_dataset_is_named_where_another_is_not_known(call, tides: Source) -> None:
    assert "tides" in call("train", "--dataset", "tide").output
    assert "tides" in call("train", "--dataset", "tides", "--time", "date").output


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A cell that grubench does not come with."""
    cell = Cell(
        name="plain", label="Plain", keras_class="SimpleRNN", color="#000000", gates=1, has_recurrent_activation=False
    )
    monkeypatch.setitem(CELLS, cell.name, cell)
    return cell


@pytest.fixture
def bias() -> Iterator[Metric]:
    """A metric that grubench does not come with."""
    metric = Metric(
        key="bias",
        heading="bias",
        unit="data",
        explanation="the mean of forecast minus actual",
        function=lambda series: float(np.mean(series.unit_predicted - series.unit_actual)),
    )
    metrics.register(metric)
    yield metric
    del metrics.METRICS[metric.key]


def test_all_of_them_are_compared_and_exported(call, tides: Source, plain: Cell, bias: Metric) -> None:
    exports = [word for ending in ("json", "csv", "md") for word in ("--export", f"a.{ending}")]
    result = call("compare", "--dataset", "tides", "--cells", "gru,plain", "--match", "params", *SMALL, *exports)
    assert result.exit_code == 0, result.output
    for part in ("tides: 9 steps in, 2 out", "Test error, in cm", " Plain ", " bias "):
        assert part in result.output
    assert "bias: the mean of forecast minus actual" in " ".join(result.output.split())
    assert "tides: 9 steps in, 2 out" in Path("a.md").read_text()
    assert "| Plain |" in Path("a.md").read_text()
    assert "| bias |" in Path("a.md").read_text()
    with Path("a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows] == ["GRU", "Plain", "persistence", "linear"]
    assert all(math.isfinite(float(row["bias"])) for row in rows)
    exported = json.loads(Path("a.json").read_text())
    assert all("bias" in row["values"] for row in exported["rows"] if row["values"])
    data = exported["spec"]["data"]
    assert (data["dataset"], data["unit"], data["period"]) == ("tides", "cm", 12)


def test_a_cell_is_named_where_another_is_not_known(call, plain: Cell) -> None:
    assert "gru, lstm, rnn, plain" in call("train", "--cell", "plane").output
    assert "gru, lstm, rnn, plain" in call("compare", "--cells", "gru,plane").output


def test_a_name_is_registered_once(tides: Source) -> None:
    with pytest.raises(ValueError, match="There is a dataset 'tides' already"):
        register(tides)
