"""What cannot fit this machine, told from counts before anything is built: the least memory of a trial, its threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grubench.backends.gpus import list_visible_cards
from grubench.backends.machine import count_cores, count_memory_bytes
from grubench.errors import UsageError
from grubench.spec.optimizers import OPTIMIZERS
from grubench.spec.parameter_count import count_outputs, count_stack
from grubench.text import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Layer

FLOAT_BYTES = 4
GIGABYTE = 10**9
# More threads than this for each core only wait for each other.
THREADS_PER_CORE = 16


@dataclass(frozen=True, kw_only=True)
class Need:
    """The least memory that training takes, in bytes; what takes more is not counted.

    Attributes:
        parameters: The trainable parameters.
        weights_bytes: They, their gradients, and what the optimizer keeps for each.
        batch_bytes: The inputs of a batch, and each layer's output at every step, which the backward pass needs.
    """

    parameters: int
    weights_bytes: int
    batch_bytes: int


def estimate(spec: Experiment, stack: Sequence[Layer], *, inputs: int, batch: int, length: int) -> Need:
    """The least memory that a step of training takes.

    Args:
        spec: The spec.
        stack: The layers.
        inputs: Inputs a step of a sequence.
        batch: Sequences.
        length: Steps of a sequence.
    """
    parameters = count_stack(spec, stack, inputs)
    copies = 2 + OPTIMIZERS[spec.training.optimizer].slots
    directions = 2 if spec.model.bidirectional else 1
    # The last layer's outputs are kept too, whether the head sees one or all of them.
    values = inputs + directions * sum(layer.units for layer in stack)
    outputs = batch * count_outputs(spec) * (length if spec.window.every_step else 1)
    # In mixed precision outputs have half the bytes.
    value_bytes = FLOAT_BYTES if spec.training.precision in ("float32", "tf32") else FLOAT_BYTES // 2
    return Need(
        parameters=parameters,
        weights_bytes=parameters * FLOAT_BYTES * copies,
        batch_bytes=batch * length * values * value_bytes + outputs * FLOAT_BYTES,
    )


def check_memory(stack: Sequence[Layer], need: Need, sizes: str, flags: str) -> None:
    """Refuse what needs more memory than this machine has; nothing is said of machines with a GPU.

    Args:
        stack: The layers.
        need: The least that it needs.
        sizes: The batch and the length, in words.
        flags: The flags that would make it smaller.

    Raises:
        UsageError: It cannot fit.
    """
    memory = count_memory_bytes()
    total = need.weights_bytes + need.batch_bytes
    if memory is None or total <= memory or list_visible_cards():
        return
    raise UsageError(
        f"{list_names(stack)} with {sizes} needs at least {total / GIGABYTE:,.0f} GB of memory, and this machine has "
        f"{memory / GIGABYTE:,.0f} GB: {need.weights_bytes / GIGABYTE:,.1f} GB for {need.parameters:,} parameters, "
        f"{need.batch_bytes / GIGABYTE:,.1f} GB for a batch.",
        f"Give smaller {flags}.",
    )


def check_threads(threads: int) -> None:
    """Refuse more threads than this machine can have a use for.

    Raises:
        UsageError: There are.
    """
    highest = THREADS_PER_CORE * count_cores()
    if threads > highest:
        raise UsageError(
            f"training.threads: {threads:,} threads on {count_cores()} cores would only wait for each other.",
            f"Give --threads of at most {highest}, or leave it out for all cores.",
        )
