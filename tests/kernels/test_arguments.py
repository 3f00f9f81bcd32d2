"""The argument tables of the compiled functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kernel_cases import needs_kernels
from network_cases import NetworkCase

from grubench.kernels.arguments import BACKWARD, FORWARD, ArgumentTable

if TYPE_CHECKING:
    from grubench.kernels.arguments import Entry

pytestmark = needs_kernels


@pytest.mark.parametrize("series", [np.zeros((50, 2)), np.zeros((2, 50), "f4").T])
def test_arrays_of_another_type_or_order_are_refused(series: np.ndarray) -> None:
    network = NetworkCase(cells=("gru",), units=(4,), settings={}).make_network()
    with pytest.raises(ValueError, match="C-contiguous arrays of float32"):
        network.train(series, np.zeros((1, 1), np.int64))


def test_every_entry_of_a_table_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that is not set would be the address of nothing."""
    tables, make = [], ArgumentTable.__init__

    def record(table: ArgumentTable, names: tuple[str, ...], **entries: Entry) -> None:
        tables.append((set(names), set(entries)))
        make(table, names, **entries)

    monkeypatch.setattr(ArgumentTable, "__init__", record)
    case = NetworkCase(
        cells=("lstm", "gru_reset_before"), units=(2, 3), settings={"clipnorm": 1.0, "activation": "tanh"}
    )
    case.make_network(dropout=0.5).train(case.series, case.draw_starts(2, 3))
    assert {*FORWARD, *BACKWARD} <= set().union(*(names for names, _ in tables))
    assert all(names == entries for names, entries in tables)
