"""The parameters of a spec's model, and the widths at which another cell has as many as the LSTM."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from grubench.spec.cells import CELLS, REFERENCE
from grubench.spec.sections import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.spec.experiment import Experiment


def count_parameters(spec: Experiment) -> int:
    """The trainable parameters of a spec's model.

    Both directions double a layer's parameters and its outputs. The head has `(inputs + 1) outputs`.
    """
    return count_stack(spec, spec.model.stack, count_inputs(spec))


def count_stack(spec: Experiment, stack: Sequence[Layer], inputs: int) -> int:
    """The trainable parameters of another stack with a spec's settings.

    Args:
        spec: The spec; its layers do not count.
        stack: The layers.
        inputs: Inputs a step.
    """
    total, directions = 0, 2 if spec.model.bidirectional else 1
    for layer in stack:
        cell = CELLS[layer.cell]
        total += directions * cell.count_parameters(layer.units, inputs, reset_after=spec.model.reset_after)
        inputs = directions * layer.units
    return total + (inputs + 1) * count_outputs(spec)


def count_outputs(spec: Experiment) -> int:
    """Values of the head: the horizon, or 1 at every step."""
    return 1 if spec.window.every_step else spec.window.horizon


def count_inputs(spec: Experiment) -> int:
    """Inputs a step: the target, the other columns, the features of the timestamps."""
    others = [column for column in spec.data.features if column not in spec.data.target[:1]]
    return 1 + len(others) + len(spec.data.time_features)


def match_parameters(spec: Experiment, cell: str) -> Experiment:
    """The spec with a cell, at the widths whose parameters come nearest to those of the LSTM with the spec's units.

    All layers are widened by one factor, so that the stack keeps its shape; the LSTM keeps its units. Of two widths
    that come equally near it is the smaller.
    """
    reference = spec.with_cell(REFERENCE)
    if cell == REFERENCE:
        return reference
    target = count_parameters(reference)
    units = [layer.units for layer in spec.model.stack]

    def widen(widest: int) -> list[Layer]:
        return [Layer(cell=cell, units=max(1, round(width * widest / max(units)))) for width in units]

    def count(widest: int) -> int:
        return count_stack(spec, widen(widest), count_inputs(spec))

    # The count rises with the width: the nearest is the first that reaches the target, or the one before.
    highest = 1
    while count(highest) < target:
        highest *= 2
    reaching = bisect_left(range(highest), target, lo=1, key=count)
    nearest = min((max(1, reaching - 1), reaching), key=lambda widest: abs(count(widest) - target))
    return spec.with_layers(tuple(map(str, widen(nearest))))
