"""What a step benchmark times, and what it has measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from grubench.spec.cells import CELLS
from grubench.spec.experiment import Experiment
from grubench.spec.parameter_count import count_outputs


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a step.

    Attributes:
        batch: Sequences.
        length: Steps of a sequence.
        features: Inputs a step.
        units: Units of each layer.
        outputs: Values of the head.
    """

    batch: int
    length: int
    features: int
    units: tuple[int, ...]
    outputs: int

    def count_multiplications(self, cell: str, *, every_step: bool, directions: int = 1) -> int:
        """The multiplications (each with an addition) of a forward pass."""
        total, inputs = 0, self.features
        for units in self.units:
            total += directions * self.batch * self.length * CELLS[cell].gates * units * (units + inputs)
            inputs = directions * units
        return total + self.batch * (self.length if every_step else 1) * inputs * self.outputs


@dataclass(frozen=True, kw_only=True)
class BenchmarkArm:
    """What is timed: a cell on a kernel; `auto` where no kernel's name says which of Keras's loops that is."""

    cell: str
    kernel: str


@dataclass(frozen=True, kw_only=True)
class StepTiming:
    """The times of an arm at a shape.

    Attributes:
        arm: The arm.
        shape: The shape.
        first_step_s: Seconds of the first step: tracing, compilation and one step of work.
        step_s: Seconds of a step of training, the mean of each round.
        forward_s: Seconds of a forecast of the batch, the mean of each round.
        flops: Floating-point operations of a step of training: three times those of a forecast.
    """

    arm: BenchmarkArm
    shape: Shape
    first_step_s: float
    step_s: list[float] = field(default_factory=list)
    forward_s: list[float] = field(default_factory=list)
    flops: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What was measured.

    Attributes:
        timings: A timing an arm and shape, those that have at least one round.
        limit_flops: Floating-point operations a second of a product of large matrices: what this processor can do.
        spec: What the models have in common.
        complete: Whether every round was run; not so after an interruption.
    """

    timings: list[StepTiming]
    limit_flops: float
    spec: Experiment
    complete: bool


def list_shapes(
    spec: Experiment,
    features: int,
    *,
    batches: Sequence[int] = (),
    lengths: Sequence[int] = (),
    inputs: Sequence[int] = (),
    units: Sequence[int] = (),
    layers: Sequence[int] = (),
) -> list[Shape]:
    """Every combination of the sizes given; what is not given is the spec's.

    Args:
        spec: The spec.
        features: The spec's inputs a step.
        batches: Batch sizes.
        lengths: Steps of a sequence.
        inputs: Inputs a step.
        units: Units of every layer.
        layers: Layers, all of the same units.
    """
    own = tuple(layer.units for layer in spec.model.stack)
    stacks = [
        (width or own[0],) * (count or len(own)) if width or count else own
        for count, width in product(layers or [0], units or [0])
    ]
    return [
        Shape(
            batch=batch,
            length=length,
            features=width,
            units=stack,
            outputs=count_outputs(spec),
        )
        for batch, length, width, stack in product(
            batches or [spec.training.batch_size], lengths or [spec.window.lookback], inputs or [features], stacks
        )
    ]
