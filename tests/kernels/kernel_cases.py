"""Helpers of the kernels' tests: cells, and processors with shorter vectors. NumPy alone, for emulated processors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grubench.kernels.processor import Processor, detect_processor

HOST = detect_processor()
needs_kernels = pytest.mark.skipif(HOST is None, reason="needs a processor with AVX2 or NEON")
CELLS = ("gru", "gru_reset_before", "lstm", "rnn")


def with_shorter_vectors(lanes: int, registers: int) -> Processor:
    """This processor, as one with shorter vectors."""
    assert HOST is not None
    return replace(HOST, lanes=lanes, registers=registers)
