"""Equal terms by size: the widths at which another cell has as many parameters as the LSTM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.spec.cells import CELLS, REFERENCE
from grubench.spec.sections import Layer

if TYPE_CHECKING:
    from grubench.spec.experiment import Experiment


def parameters(spec: Experiment) -> int:
    """The trainable parameters of a spec's model.

    Both directions double a layer's parameters and its outputs. The head has `(inputs + 1) outputs`.
    """
    total, width, directions = 0, inputs(spec), 2 if spec.model.bidirectional else 1
    for layer in spec.model.stack:
        cell = CELLS[layer.cell]
        total += directions * cell.count_parameters(layer.units, width, reset_after=spec.model.reset_after)
        width = directions * layer.units
    return total + (width + 1) * outputs(spec)


def outputs(spec: Experiment) -> int:
    """Values of the head: the horizon, or 1 at every step."""
    return 1 if spec.window.every_step else spec.window.horizon


def inputs(spec: Experiment) -> int:
    """Inputs a step: the target, the other columns, the features of the stamps."""
    others = [column for column in spec.data.features if column not in spec.data.target[:1]]
    return 1 + len(others) + len(spec.data.time_features)


def matched(spec: Experiment, cell: str) -> Experiment:
    """The spec with a cell, at the widths whose parameters come nearest to those of the LSTM with the spec's units.

    All layers are widened by one factor, so that the stack keeps its shape; the LSTM keeps its units.
    """
    target = parameters(spec.with_cell(REFERENCE))
    if cell == REFERENCE:
        return spec.with_cell(cell)
    units = [layer.units for layer in spec.model.stack]

    def widened(widest: int) -> Experiment:
        layers = (Layer(cell=cell, units=max(1, round(one * widest / max(units)))) for one in units)
        return spec.with_layers(tuple(map(str, layers)))

    # A SimpleRNN needs about twice the width of an LSTM, a GRU less: three times is out of reach.
    widths = range(1, 3 * max(units) + 1)
    return widened(min(widths, key=lambda widest: abs(parameters(widened(widest)) - target)))
