"""The records of cells, against Keras's own layers."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from grubench.spec.backends import BACKENDS
from grubench.spec.cells import CELLS, REFERENCE, Cell

if TYPE_CHECKING:
    from types import ModuleType

cells = pytest.mark.parametrize("cell", CELLS.values(), ids=lambda cell: cell.name)


@cells
def test_a_record_says_which_settings_the_layer_has(keras: ModuleType, cell: Cell) -> None:
    arguments = inspect.signature(getattr(keras.layers, cell.keras_class)).parameters
    assert cell.has_recurrent_activation == ("recurrent_activation" in arguments)
    assert cell.has_reset_after == ("reset_after" in arguments)
    assert bool(cell.cudnn_backends) == ("use_cudnn" in arguments)


@cells
@pytest.mark.parametrize("reset_after", [True, False])
def test_parameters_are_counted_as_keras_counts(keras: ModuleType, cell: Cell, reset_after: bool) -> None:
    settings = {"reset_after": reset_after} if cell.has_reset_after else {}
    layer = getattr(keras.layers, cell.keras_class)(5, **settings)
    layer.build((None, 4, 3))
    assert cell.count_parameters(5, 3, reset_after=reset_after) == layer.count_params()


@cells
def test_a_cell_is_registered_under_its_name_with_backends_that_there_are(cell: Cell) -> None:
    assert CELLS[cell.name] is cell
    assert {*cell.cudnn_backends, *cell.own_loop_backends} <= set(BACKENDS)


def test_cells_are_told_apart_by_label_and_color() -> None:
    assert len({cell.label for cell in CELLS.values()}) == len({cell.color for cell in CELLS.values()}) == len(CELLS)
    assert REFERENCE in CELLS
