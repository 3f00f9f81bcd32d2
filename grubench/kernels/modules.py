"""The modules of compiled code, each a set of functions: one module for each cell, and one that all networks share.

A function takes four integers: mostly the address of its argument table, two of rows or floats, and the address of
gradients that it adds to.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
from llvmlite import ir

from grubench.kernels import packing
from grubench.kernels.arguments import BACKWARD, FORWARD
from grubench.kernels.backward import emit_backward
from grubench.kernels.cells import CELLS, COMMON
from grubench.kernels.dropout import emit_dropout
from grubench.kernels.emitter import Emitter
from grubench.kernels.forward import emit_forward
from grubench.kernels.head import emit_forecast, emit_head
from grubench.kernels.head_activation import HEAD_ACTIVATIONS, emit_activate, emit_derive
from grubench.kernels.integer_emitter import I64
from grubench.kernels.losses import LOSS_TERMS
from grubench.kernels.optimizers import UPDATE_RULES
from grubench.kernels.step_parts import emit_batch, emit_clip, emit_update
from grubench.kernels.tape import emit_run
from grubench.kernels.tile import RowGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from grubench.kernels.processor import Processor
    from grubench.kernels.tile import Tile

    # Emits the body of a function from its four arguments.
    Body = Callable[[Emitter, Sequence[Any]], None]


def list_functions(module: str, processor: Processor) -> dict[str, Body]:
    """The functions of a module by name."""
    return _list_common() if module == COMMON else _list_of_cell(module, processor)


def _list_common() -> dict[str, Body]:
    functions: dict[str, Body] = {
        "run": lambda emit, a: emit_run(emit, *a),
        "batch": lambda emit, a: emit_batch(emit, a[0], (a[1], a[2])),
        "dropout": lambda emit, a: emit_dropout(emit, a[0], (a[1], a[2])),
        "forecast": lambda emit, a: emit_forecast(emit, a[0], (a[1], a[2])),
        "sum_parts": lambda emit, a: packing.emit_sum_parts(emit, a[0], (a[1], a[2])),
        "transpose": lambda emit, a: packing.emit_transpose(emit, a[0]),
        "clip": lambda emit, a: emit_clip(emit, a[0]),
    }
    for name in HEAD_ACTIVATIONS:
        functions[f"activate_{name}"] = partial(_emit_activate, name)
        functions[f"derive_{name}"] = partial(_emit_derive, name)
    for name in LOSS_TERMS:
        functions[f"head_{name}"] = partial(_emit_head, name)
        functions[f"loss_{name}"] = partial(_emit_loss, name)
    functions |= {f"update_{name}": partial(_emit_update, name) for name in UPDATE_RULES}
    return functions


def _emit_head(loss: str, emit: Emitter, a: Sequence[Any]) -> None:
    emit_head(emit, LOSS_TERMS[loss], a[0], (a[1], a[2]), a[3])


def _emit_loss(loss: str, emit: Emitter, a: Sequence[Any]) -> None:
    emit_head(emit, LOSS_TERMS[loss], a[0], (a[1], a[2]), None)


def _emit_activate(name: str, emit: Emitter, a: Sequence[Any]) -> None:
    emit_activate(emit, name, a[0], (a[1], a[2]))


def _emit_derive(name: str, emit: Emitter, a: Sequence[Any]) -> None:
    emit_derive(emit, name, a[0], (a[1], a[2]))


def _emit_update(optimizer: str, emit: Emitter, a: Sequence[Any]) -> None:
    emit_update(emit, UPDATE_RULES[optimizer], a[0], (a[1], a[2]))


def _list_of_cell(cell: str, processor: Processor) -> dict[str, Body]:
    functions: dict[str, Body] = {
        "pack_bias": lambda emit, a: packing.emit_pack_bias(emit, CELLS[cell], a[0]),
        "sum_bias": lambda emit, a: packing.emit_sum_bias(emit, CELLS[cell], a[0]),
    }
    for tile in processor.tiles(CELLS[cell].gates):
        functions[f"forward_{tile.rows}"] = partial(_emit_forward, cell, tile)
        functions[f"backward_{tile.rows}"] = partial(_emit_backward, cell, tile)
    return functions


def _emit_forward(cell: str, tile: Tile, emit: Emitter, a: Sequence[Any]) -> None:
    emit_forward(RowGroup(emit, CELLS[cell], tile, names=FORWARD, table=a[0], first_row=a[1]), a[2])


def _emit_backward(cell: str, tile: Tile, emit: Emitter, a: Sequence[Any]) -> None:
    emit_backward(RowGroup(emit, CELLS[cell], tile, names=BACKWARD, table=a[0], first_row=a[1]), a[2], a[3])


def emit_ir(name: str, processor: Processor) -> str:
    """Emit the functions of a module as LLVM's intermediate representation, in text."""
    module = ir.Module(name=name)
    module.triple = llvm.get_process_triple()
    for function_name, emit_body in list_functions(name, processor).items():
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 4), name=function_name)
        emit = Emitter(ir.IRBuilder(function.append_basic_block("entry")), processor.lanes)
        emit_body(emit, function.args)
        emit.builder.ret_void()
    # Without it LLVM halves the vectors of processors on which it expects long ones to be slower. They are faster here.
    bits = processor.lanes * 32
    width = f'"prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
    return re.sub(r"^(define .*\))$", rf"\1 {width}", str(module), flags=re.MULTILINE)
