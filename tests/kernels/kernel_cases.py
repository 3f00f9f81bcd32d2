"""Helpers of the kernels' tests: layers of every cell, and processors with shorter vectors."""

from __future__ import annotations

from dataclasses import replace

import keras
import pytest

from grubench.backends.loader import backend
from grubench.kernels.processor import Processor, detect_processor

HOST = detect_processor()
needs_kernels = pytest.mark.skipif(
    HOST is None or bool(backend().gpus()), reason="needs a machine without a GPU, and a processor with AVX2 or NEON"
)
LAYERS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}
CELLS = ("gru", "gru_reset_before", "lstm", "rnn")


def make_layer(cell: str, units: int, **settings: object) -> keras.layers.RNN:
    """Keras's own layer of a cell."""
    if cell.startswith("gru"):
        settings["reset_after"] = cell == "gru"
    return LAYERS[cell.removesuffix("_reset_before")](units, **settings)


def with_shorter_vectors(lanes: int, registers: int) -> Processor:
    """This processor, as one with shorter vectors."""
    assert HOST is not None
    return replace(HOST, lanes=lanes, registers=registers)
