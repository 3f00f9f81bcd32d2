"""The processor that kernels are compiled for: its SIMD width (AVX-512, AVX2, NEON), registers, and tile sizes."""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass

import llvmlite.binding as llvm

from grubench.kernels.tile import Tile


@dataclass(frozen=True, kw_only=True)
class Processor:
    """A processor, as far as the code depends on it.

    Attributes:
        name: LLVM's name of it.
        features: LLVM's list of its instruction sets.
        lanes: Floats in a vector register.
        registers: Vector registers.
    """

    name: str
    features: str
    lanes: int
    registers: int

    def tiles(self, gates: int) -> tuple[Tile, ...]:
        """The tiles of a cell, the largest first: sums, a row of weights and one value share the registers.

        Many rows a tile save reading the weights, which lie in a slow cache where a layer is large: rather than fewer
        rows, a tile has fewer gates at a time.
        """
        many = self.registers >= 32
        largest, at_once = {1: (8, 1), 3: (8 if many else 4, 3), 4: (6, 4 if many else 2)}[gates]
        inner = {1: 8, 3: 8 if many else 4, 4: 6 if many else 2}[gates]
        return tuple(
            Tile(rows=rows, gates=at_once, columns=min(4, (self.registers - 1) // (rows + 1)), inner=inner)
            for rows in (largest, 4 if largest > 4 else 2)
        )


@functools.cache
def detect_processor() -> Processor | None:
    """This machine's processor; None where it lacks the vector instructions that the kernels need."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    if platform.machine().lower() in ("arm64", "aarch64"):  # all have NEON, even where LLVM does not list it
        return Processor(name=llvm.get_host_cpu_name(), features=features.flatten(), lanes=4, registers=32)
    instruction_sets = (("avx512f", "fma", 16, 32), ("avx2", "fma", 8, 16))
    for vectors, fused, lanes, registers in instruction_sets:
        if features.get(vectors) and features.get(fused):
            return Processor(
                name=llvm.get_host_cpu_name(), features=features.flatten(), lanes=lanes, registers=registers
            )
    return None
