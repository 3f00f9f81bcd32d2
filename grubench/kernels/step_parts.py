"""What a training step does beside the layers, emitted as LLVM code: reading its batch, clipping, updating weights."""

from __future__ import annotations

from typing import Any

from grubench.kernels.emitter import Emitter, Vec
from grubench.kernels.integer_emitter import Int
from grubench.kernels.optimizers import UpdateRule
from grubench.kernels.tape import STEP

BATCH = (
    "order",  # (step, row): the start row of each window
    "batch",
    "series",  # (row, feature): all series, scaled
    "features",
    "offset",  # floats from a window's start to what is read
    "rows",  # (row,): the addresses to write
    "shared",
)
UPDATE = (
    "weights",
    "gradients",
    "slot0",
    "slot1",
    "scalars",  # (step, scalar)
    "scalar_count",
    "clip_scale",  # the address of what gradients are multiplied by
    "clip_value",  # the address of the largest gradient
    "shared",
)
CLIP = ("gradients", "count", "limit", "target")


def emit_batch(emit: Emitter, table: Int, rows: tuple[Int, Int]) -> None:
    """Emit the addresses of some rows of the step's batch: windows are read where they lie."""
    a = emit.load_table(BATCH, table)
    first = emit.mul(emit.load_shared(a["shared"], STEP), a["batch"])

    def emit_row(number: Any, _: list[Any]) -> None:
        row = emit.add(rows[0], number)
        start = emit.load_i64(emit.add(a["order"], emit.mul(emit.add(first, row), 8)), 0)
        address = emit.address(a["series"], emit.add(emit.mul(start, a["features"]), a["offset"]))
        emit.store_i64(address, emit.add(a["rows"], emit.mul(row, 8)))

    emit.loop(emit.sub(rows[1], rows[0]), [], emit_row)


def emit_update(emit: Emitter, rule: UpdateRule, table: Int, span: tuple[Int, Int]) -> None:
    """Emit the update of weights, from the first float of a span to the one after its last; whole vectors."""
    a = emit.load_table(UPDATE, table)
    step = emit.load_shared(a["shared"], STEP)
    row = emit.address(a["scalars"], emit.mul(step, a["scalar_count"]))
    # The number of scalars is that of the rule: of the first step, for any learning rate.
    scalars = [emit.broadcast(row, position) for position in range(rule.scalar_count)]
    scale, limit = emit.broadcast(a["clip_scale"]), emit.broadcast(a["clip_value"])

    def emit_vector(offset: Any, _: list[Any]) -> None:
        place = emit.add(span[0], offset)
        gradient = emit.clamp_to(emit.load(a["gradients"], place) * scale, limit)
        slots = [emit.load(a[f"slot{number}"], place) for number in range(len(rule.slots))]
        weights, following = rule.update(emit, emit.load(a["weights"], place), gradient, slots, scalars)
        emit.store(weights, a["weights"], place)
        for number, slot in enumerate(following):
            emit.store(slot, a[f"slot{number}"], place)

    emit.loop(emit.sub(span[1], span[0]), [], emit_vector, step=emit.lanes)


def emit_clip(emit: Emitter, table: Int) -> None:
    """Emit what the gradients of a variable are multiplied by: limit / max(limit, norm), as Keras does."""
    a = emit.load_table(CLIP, table)

    def add(offset: Any, carried: list[Any]) -> list[Vec]:
        gradient = emit.load(a["gradients"], offset)
        return [emit.fma(gradient, gradient, carried[0])]

    squares = emit.loop(a["count"], [emit.constant(0)], add, step=emit.lanes)[0]
    limit = emit.broadcast(a["limit"])
    scale = limit / emit.maximum_of(limit, emit.sqrt(emit.sum_lanes(squares)))
    emit.store_masked(emit.mask_first(1), scale, a["target"])
