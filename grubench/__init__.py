"""grubench: rigorous comparison of recurrent networks on sequence data.

The jobs of the command line, for a program:

    from grubench import compare, predict, resolve, train

    spec = resolve("bankex", {"training": {"epochs": 5}})  # a preset and what goes over it, as on the command line
    comparison = compare(spec, cells=["gru", "lstm"], seeds=3)

Nothing heavy is imported before a job needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grubench.api import compare, train
    from grubench.errors import GrubenchError
    from grubench.execution.options import ExecutionOptions
    from grubench.presets import resolve
    from grubench.spec.experiment import Experiment
    from grubench.training.predict import predict

__all__ = ["ExecutionOptions", "Experiment", "GrubenchError", "compare", "predict", "resolve", "train"]

_MODULES = {
    "Experiment": "spec.experiment",
    "GrubenchError": "errors",
    "ExecutionOptions": "execution.options",
    "compare": "api",
    "train": "api",
    "predict": "training.predict",
    "resolve": "presets",
}


def __getattr__(name: str) -> Any:
    """Import a job when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module 'grubench' has no attribute {name!r}")
    return getattr(import_module(f"grubench.{_MODULES[name]}"), name)
