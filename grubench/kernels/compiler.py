"""From emitted functions to machine code of this processor: vector width, compilation, and a cache on the disk."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import platformdirs
from llvmlite import ir

from grubench.kernels import packing
from grubench.kernels.backward import backward
from grubench.kernels.cells import CELLS
from grubench.kernels.emitter import I64, Emitter
from grubench.kernels.forward import forward
from grubench.kernels.tile import BACKWARD, FORWARD, Group, Tile

# A function takes the address of its table, the group's first row, and the addresses of its scratch and gradients.
SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
DIGEST_BYTES = 32
OPTIMIZE = 3
PACKING = {"pack": packing.pack, "pack_across": packing.pack_across, "gather": packing.gather}
_LOCK = threading.Lock()

Function = Callable[[int, int, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What of the processor decides the code.

    Attributes:
        name: LLVM's name of it.
        features: LLVM's list of what it can do.
        lanes: Floats in a vector.
        registers: Vector registers.
    """

    name: str
    features: str
    lanes: int
    registers: int

    def tiles(self, gates: int) -> tuple[Tile, ...]:
        """The tiles of a cell, the largest first: sums, a row of weights and one value share the registers."""
        free = self.registers - 1
        most = {1: 8, 3: 8 if free >= 27 else 4, 4: 6 if free >= 28 else 2}[gates]
        small = max(2, 4 if most > 4 else 2)
        inner = {1: 8, 3: most, 4: 6 if free >= 28 else 2}[gates]
        return tuple(
            Tile(rows=rows, columns=max(1, min(4, (free - 4) // rows)), inner=inner)
            for rows in dict.fromkeys((most, small))
        )


@functools.cache
def processor() -> Processor | None:
    """This machine's processor; None where it lacks what the kernels need."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    if platform.machine().lower() in ("arm64", "aarch64"):  # it has NEON, whatever LLVM finds out about it
        return Processor(name=llvm.get_host_cpu_name(), features=features.flatten(), lanes=4, registers=32)
    known = (("avx512f", "fma", 16, 32), ("avx2", "fma", 8, 16))
    for vectors, fused, lanes, registers in known:
        if features.get(vectors) and features.get(fused):
            return Processor(
                name=llvm.get_host_cpu_name(), features=features.flatten(), lanes=lanes, registers=registers
            )
    return None


@dataclass(frozen=True, eq=False)
class Program:
    """The compiled functions of a cell.

    Attributes:
        forward: The way forward, by rows.
        backward: The way back, by rows.
        pack: Weights into the kernels' order.
        pack_across: The same, transposed.
        gather: The slots' gradients added up, in Keras's order.
        engine: What keeps their code in memory.
    """

    forward: dict[int, Function]
    backward: dict[int, Function]
    pack: Function
    pack_across: Function
    gather: Function
    engine: llvm.ExecutionEngine


def program(cell: str, machine: Processor) -> Program:
    """The functions of a cell, from the cache or compiled now (a second or so); each once in a process."""
    with _LOCK:  # an engine that is made twice takes its code away when the first of the two is dropped
        return _program(cell, machine)


def ready(cell: str, machine: Processor) -> bytes:
    """The object code of a cell for a processor, from the cache or compiled now and put there."""
    return _cached(cell, machine) or _keep(cell, machine, compiled(cell, machine))


@functools.cache
def _program(cell: str, machine: Processor) -> Program:
    code = ready(cell, machine)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target(machine))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    rows = [tile.rows for tile in machine.tiles(CELLS[cell].gates)]
    ways: dict[str, dict[int, Function]] = {
        way: {count: SIGNATURE(engine.get_function_address(f"{way}_{count}")) for count in rows}
        for way in ("forward", "backward")
    }
    others: dict[str, Function] = {name: SIGNATURE(engine.get_function_address(name)) for name in PACKING}
    return Program(**ways, **others, engine=engine)  # type: ignore[arg-type]


def compiled(cell: str, machine: Processor) -> bytes:
    """The object code of a cell for a processor."""
    target = _target(machine)
    module = llvm.parse_assembly(text(cell, machine))
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(OPTIMIZE))
    builder.getModulePassManager().run(module, builder)
    code: bytes = target.emit_object(module)
    return code


def text(cell: str, machine: Processor) -> str:
    """The functions of a cell in LLVM's language."""
    module = ir.Module(name=cell)
    module.triple = llvm.get_process_triple()
    kind = ir.FunctionType(ir.VoidType(), [I64] * 4)
    for name, body in PACKING.items():
        function = ir.Function(module, kind, name=name)
        emit = Emitter(ir.IRBuilder(function.append_basic_block("entry")), machine.lanes)
        body(emit, function.args[0])
        emit.builder.ret_void()
    for tile in machine.tiles(CELLS[cell].gates):
        for way in ("forward", "backward"):
            function = ir.Function(module, kind, name=f"{way}_{tile.rows}")
            emit = Emitter(ir.IRBuilder(function.append_basic_block("entry")), machine.lanes)
            table, first, scratch, gradients = function.args
            names = FORWARD if way == "forward" else BACKWARD
            group = Group(emit, CELLS[cell], tile, names=names, table=table, first=first)
            if way == "forward":
                forward(group, scratch)
            else:
                backward(group, scratch, gradients)
            emit.builder.ret_void()
    # Without it LLVM halves the vectors of processors that it holds to be slower with long ones. They are not here.
    bits = machine.lanes * 32
    width = f'"prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
    return re.sub(r"^(define .*\))$", rf"\1 {width}", str(module), flags=re.MULTILINE)


def _target(machine: Processor) -> llvm.TargetMachine:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=machine.name, features=machine.features, opt=OPTIMIZE, jit=True)


def _cached(cell: str, machine: Processor) -> bytes | None:
    """The object code from the disk, if it is there and whole."""
    try:
        kept = _path(cell, machine).read_bytes()
    except OSError:
        return None
    digest, code = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def _keep(cell: str, machine: Processor, code: bytes) -> bytes:
    """Put the object code on the disk, whole or not at all; where that cannot be, the next process compiles again."""
    path = _path(cell, machine)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            Path(aside).replace(path)
        finally:
            Path(aside).unlink(missing_ok=True)
    return code


def _path(cell: str, machine: Processor) -> Path:
    """Where the object code of a cell is kept: by the source, LLVM and the processor."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    what = [
        metadata.version("grubench").encode(),
        llvmlite.__version__.encode(),
        repr(llvm.llvm_version_info).encode(),
        repr(machine).encode(),
        *sources,
    ]
    digest = hashlib.sha256(b"\0".join(what)).hexdigest()[:32]
    return Path(platformdirs.user_cache_dir("grubench")) / "kernels" / f"{cell}-{digest}.o"
