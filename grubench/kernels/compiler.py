"""The compiler of the kernels: from emitted LLVM code to machine code of this processor, loaded into this process."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass

import llvmlite.binding as llvm

from grubench.kernels import code_cache
from grubench.kernels.modules import emit_ir, list_functions
from grubench.kernels.processor import Processor

SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
OPTIMIZATION_LEVEL = 3
ELF = b"\x7fELF"
# How many bytes at the beginning of an object file are the same for all of a machine: its kind and its processor.
ELF_BYTES, OTHER_BYTES = 20, 2
_LOCK = threading.Lock()

Function = Callable[[int, int, int, int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """The compiled functions of a module.

    Attributes:
        addresses: The address of each function, by its name.
        functions: The functions, to be called from Python.
        engine: LLVM's engine, which keeps the code in memory.
    """

    addresses: dict[str, int]
    functions: dict[str, Function]
    engine: llvm.ExecutionEngine


def load_program(module: str, processor: Processor) -> Program:
    """Load the functions of a module, from the cache or compiled now (about a second); once in a process."""
    with _LOCK:  # with two engines for the same code, the code goes when the first of them is freed
        return _load_program(module, processor)


@functools.cache
def _load_program(module: str, processor: Processor) -> Program:
    code = _read_code(module, processor)
    if code is not None:
        with contextlib.suppress(OSError, LookupError), code_cache.mark_loading(module, processor):
            return _link(code, module, processor)
    return _link(_compile_to_cache(module, processor), module, processor)


def _link(code: bytes, module: str, processor: Processor) -> Program:
    """Link the code of a module into this process.

    Raises:
        LookupError: A function is not in it.
    """
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _create_target(processor))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    addresses = {name: engine.get_function_address(name) for name in list_functions(module, processor)}
    for name, address in addresses.items():
        if not address:
            raise LookupError(f"There is no function {name} in the compiled code.")
    functions: dict[str, Function] = {name: SIGNATURE(address) for name, address in addresses.items()}
    return Program(addresses=addresses, functions=functions, engine=engine)


def load_or_compile(module: str, processor: Processor) -> bytes:
    """The object code of a module for a processor, from the cache, or compiled now and written to it."""
    return _read_code(module, processor) or _compile_to_cache(module, processor)


def _read_code(module: str, processor: Processor) -> bytes | None:
    """The code from the cache, if it seems to be an object file for this machine with all functions of the module."""
    code = code_cache.read_code(module, processor)
    if code is None:
        return None
    empty: bytes = _create_target(processor).emit_object(llvm.parse_assembly(""))
    header = empty[: ELF_BYTES if empty.startswith(ELF) else OTHER_BYTES]
    fits = code.startswith(header) and all(name.encode() in code for name in list_functions(module, processor))
    return code if fits else None


def _compile_to_cache(module: str, processor: Processor) -> bytes:
    code = compile_module(module, processor)
    code_cache.write_code(module, processor, code)
    return code


def compile_module(module: str, processor: Processor) -> bytes:
    """Compile the object code of a module for a processor."""
    target = _create_target(processor)
    parsed = llvm.parse_assembly(emit_ir(module, processor))
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(OPTIMIZATION_LEVEL))
    builder.getModulePassManager().run(parsed, builder)
    code: bytes = target.emit_object(parsed)
    return code


def _create_target(processor: Processor) -> llvm.TargetMachine:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=processor.name, features=processor.features, opt=OPTIMIZATION_LEVEL, jit=True
    )
