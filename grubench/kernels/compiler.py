"""The compiler of the kernels: from emitted LLVM code to machine code of this processor, loaded into this process."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

import llvmlite.binding as llvm
from llvmlite import ir

from grubench.kernels import code_cache, packing
from grubench.kernels.arguments import BACKWARD, FORWARD
from grubench.kernels.backward import emit_backward
from grubench.kernels.cells import CELLS
from grubench.kernels.emitter import I64, Emitter
from grubench.kernels.forward import emit_forward
from grubench.kernels.processor import Processor
from grubench.kernels.tile import RowGroup, Tile

# A function takes the address of its argument table, the group's first row, and the addresses of its scratch memory
# and its weight gradients.
SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
OPTIMIZATION_LEVEL = 3
ELF = b"\x7fELF"
# How many bytes at the beginning of an object file are the same for all of a machine: its kind and its processor.
ELF_BYTES, OTHER_BYTES = 20, 2
PACKING = {
    "pack": packing.emit_pack,
    "pack_transposed": packing.emit_pack_transposed,
    "sum_parts": packing.emit_sum_parts,
}
_LOCK = threading.Lock()

Function = Callable[[int, int, int, int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """The compiled functions of a cell.

    Attributes:
        forward: The forward pass of a group, by its rows.
        backward: The backward pass of a group, by its rows.
        pack: Packs weights into the kernels' layout.
        pack_transposed: The same, transposed.
        sum_parts: Sums the gradients of the parts of a batch, in Keras's layout.
        engine: LLVM's engine, which keeps the code in memory.
    """

    forward: dict[int, Function]
    backward: dict[int, Function]
    pack: Function
    pack_transposed: Function
    sum_parts: Function
    engine: llvm.ExecutionEngine


def load_program(cell: str, processor: Processor) -> Program:
    """Load the functions of a cell, from the cache or compiled now (about a second); once in a process."""
    with _LOCK:  # with two engines for the same code, the code goes when the first of them is freed
        return _load_program(cell, processor)


@functools.cache
def _load_program(cell: str, processor: Processor) -> Program:
    code = _read_code(cell, processor)
    if code is not None:
        with contextlib.suppress(OSError, LookupError), code_cache.mark_loading(cell, processor):
            return _link(code, cell, processor)
    return _link(_compile_to_cache(cell, processor), cell, processor)


def _link(code: bytes, cell: str, processor: Processor) -> Program:
    """Link the code of a cell into this process.

    Raises:
        LookupError: A function is not in it.
    """
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _create_target(processor))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    group_sizes = _list_group_sizes(cell, processor)

    def look_up(name: str) -> Function:
        address = engine.get_function_address(name)
        if not address:
            raise LookupError(f"There is no function {name} in the compiled code.")
        return SIGNATURE(address)

    return Program(
        forward={rows: look_up(f"forward_{rows}") for rows in group_sizes},
        backward={rows: look_up(f"backward_{rows}") for rows in group_sizes},
        pack=look_up("pack"),
        pack_transposed=look_up("pack_transposed"),
        sum_parts=look_up("sum_parts"),
        engine=engine,
    )


def load_or_compile(cell: str, processor: Processor) -> bytes:
    """The object code of a cell for a processor, from the cache, or compiled now and written to it."""
    return _read_code(cell, processor) or _compile_to_cache(cell, processor)


def _read_code(cell: str, processor: Processor) -> bytes | None:
    """The code from the cache, if it seems to be an object file for this machine with all functions of the cell."""
    code = code_cache.read_code(cell, processor)
    if code is None:
        return None
    empty: bytes = _create_target(processor).emit_object(llvm.parse_assembly(""))
    passes = [f"{name}_{rows}" for name in ("forward", "backward") for rows in _list_group_sizes(cell, processor)]
    header = empty[: ELF_BYTES if empty.startswith(ELF) else OTHER_BYTES]
    fits = code.startswith(header) and all(name.encode() in code for name in (*PACKING, *passes))
    return code if fits else None


def _compile_to_cache(cell: str, processor: Processor) -> bytes:
    code = compile_cell(cell, processor)
    code_cache.write_code(cell, processor, code)
    return code


def _list_group_sizes(cell: str, processor: Processor) -> list[int]:
    return [tile.rows for tile in processor.tiles(CELLS[cell].gates)]


def compile_cell(cell: str, processor: Processor) -> bytes:
    """Compile the object code of a cell for a processor."""
    target = _create_target(processor)
    module = llvm.parse_assembly(emit_ir(cell, processor))
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(OPTIMIZATION_LEVEL))
    builder.getModulePassManager().run(module, builder)
    code: bytes = target.emit_object(module)
    return code


def emit_ir(cell: str, processor: Processor) -> str:
    """Emit the functions of a cell as LLVM's intermediate representation, in text."""
    module = ir.Module(name=cell)
    module.triple = llvm.get_process_triple()
    for name, emit_body in PACKING.items():
        emit, arguments = _add_function(module, name, processor)
        emit_body(emit, arguments[0])
        emit.builder.ret_void()
    for tile in processor.tiles(CELLS[cell].gates):
        _emit_passes(module, cell, tile, processor)
    # Without it LLVM halves the vectors of processors on which it expects long ones to be slower. They are faster here.
    bits = processor.lanes * 32
    width = f'"prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
    return re.sub(r"^(define .*\))$", rf"\1 {width}", str(module), flags=re.MULTILINE)


def _emit_passes(module: ir.Module, cell: str, tile: Tile, processor: Processor) -> None:
    """Emit the forward pass and the backward pass of groups of one size."""
    emit, (table, first_row, scratch, _) = _add_function(module, f"forward_{tile.rows}", processor)
    emit_forward(RowGroup(emit, CELLS[cell], tile, names=FORWARD, table=table, first_row=first_row), scratch)
    emit.builder.ret_void()
    emit, (table, first_row, scratch, gradients) = _add_function(module, f"backward_{tile.rows}", processor)
    group = RowGroup(emit, CELLS[cell], tile, names=BACKWARD, table=table, first_row=first_row)
    emit_backward(group, scratch, gradients)
    emit.builder.ret_void()


def _add_function(module: ir.Module, name: str, processor: Processor) -> tuple[Emitter, tuple[ir.Argument, ...]]:
    """Add a function to a module; its emitter and its arguments."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 4), name=name)
    return Emitter(ir.IRBuilder(function.append_basic_block("entry")), processor.lanes), function.args


def _create_target(processor: Processor) -> llvm.TargetMachine:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=processor.name, features=processor.features, opt=OPTIMIZATION_LEVEL, jit=True
    )
