"""What processes of trials will need, prepared in the background: Keras loaded, fused kernels compiled."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from grubench.backends import gpus
from grubench.execution import forkservers
from grubench.spec.kernel_rules import explain_no_fused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from grubench.spec.experiment import Experiment


class Preloader:
    """Prepares each backend and each fused kernel once, however often it is asked."""

    def __init__(self) -> None:
        self._backends: set[str] = set()
        self._modules: set[str] = set()

    def preload(self, specs: Sequence[Experiment]) -> None:
        """Start to load Keras with the backends of specs, and to compile their fused kernels."""
        for backend in dict.fromkeys(spec.training.backend for spec in specs):
            if backend not in self._backends:
                self._backends.add(backend)
                forkservers.warm_up(backend)
        modules = _find_modules(specs) - self._modules if specs else set()
        if modules:
            self._modules |= modules
            _compile_modules(modules)


def _find_modules(specs: Sequence[Experiment]) -> set[str]:
    """The modules of compiled code that specs need."""
    from grubench.kernels.cells import COMMON, select_cell

    cells = {
        select_cell(layer.cell, reset_after=spec.model.reset_after)
        for spec in specs
        for layer in spec.model.stack
        if not explain_no_fused(spec.model, spec.training, layer)
    }
    return cells | {COMMON} if cells else cells


def _compile_modules(modules: Iterable[str]) -> None:
    if gpus.list_visible_cards():
        return
    from grubench.kernels.compiler import load_or_compile
    from grubench.kernels.processor import detect_processor

    processor = detect_processor()
    if processor is not None:
        for module in modules:
            threading.Thread(target=load_or_compile, args=(module, processor), daemon=True).start()
