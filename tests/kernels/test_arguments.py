"""The argument tables of the compiled functions."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import Case, needs_kernels

from grubench.kernels import recurrence, weight_layout
from grubench.kernels.arguments import BACKWARD, FORWARD, ArgumentTable
from grubench.kernels.recurrence import Recurrence

pytestmark = needs_kernels


@pytest.mark.parametrize("x", [np.zeros((2, 3, 2)), np.zeros((3, 2, 2), "f4").swapaxes(0, 1)])
def test_arrays_of_another_type_or_order_are_refused(x: np.ndarray) -> None:
    case = Case("gru", (2, 3, 2, 4), sequences=False)
    with pytest.raises(ValueError, match="C-contiguous arrays of float32"):
        Recurrence("gru").forward(x, case.weights, case.states)


def test_every_entry_of_a_table_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that is not set would be the address of nothing."""
    tables = []

    class RecordingTable(ArgumentTable):
        def __init__(self, names: tuple[str, ...], **entries: object) -> None:
            tables.append((set(names), set(entries)))
            super().__init__(names, **entries)  # type: ignore[arg-type]

    monkeypatch.setattr(recurrence, "ArgumentTable", RecordingTable)
    monkeypatch.setattr(weight_layout, "ArgumentTable", RecordingTable)
    Case("lstm", (2, 2, 2, 2), sequences=True).run(Recurrence("lstm"))
    assert {*FORWARD, *BACKWARD} <= set().union(*(names for names, _ in tables))
    assert all(names == entries for names, entries in tables)
