"""What processes of trials will need, prepared in the background: Keras loaded, fused kernels compiled."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from grubench.backends import gpus
from grubench.execution import forkservers
from grubench.spec.kernel_rules import explain_no_fused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.spec.experiment import Experiment


def preload(specs: Sequence[Experiment]) -> None:
    """Start to load Keras with each backend and to compile the fused kernels; harmless to call again."""
    for backend in dict.fromkeys(spec.training.backend for spec in specs):
        forkservers.warm_up(backend)
    _compile_kernels(specs)


def _compile_kernels(specs: Sequence[Experiment]) -> None:
    from grubench.kernels.cells import select_cell

    cells = {
        select_cell(layer.cell, reset_after=spec.model.reset_after)
        for spec in specs
        for layer in spec.model.stack
        if not explain_no_fused(spec.model, spec.training, layer)
    }
    if not cells or gpus.list_visible_cards():
        return
    from grubench.kernels.compiler import load_or_compile
    from grubench.kernels.processor import detect_processor

    processor = detect_processor()
    if processor is not None:
        for cell in cells:
            threading.Thread(target=load_or_compile, args=(cell, processor), daemon=True).start()
