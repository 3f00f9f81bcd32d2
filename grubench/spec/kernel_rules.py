"""What rules a kernel out on any machine; each reason names the flag to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.spec.backends import BACKENDS
from grubench.spec.cells import CELLS

if TYPE_CHECKING:
    from grubench.spec.cells import Cell
    from grubench.spec.sections import Layer, Model, Training

# The activations before the Dense head that `kernels/head_activation.py` has.
FUSED_HEAD_ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid")


def explain_no_cudnn(model: Model, training: Training, layer: Layer) -> list[str]:
    """Why a layer cannot run on cuDNN on any machine; empty where it can.

    References:
        `cudnn_ok` in keras/src/backend/tensorflow/rnn.py, and the layers' `inner_loop`.
    """
    cell, backend = CELLS[layer.cell], BACKENDS[training.backend]
    has_cudnn_kernel = training.backend in cell.cudnn_backends
    rules = (
        (training.kernel in ("fused", "keras"), f"--kernel {training.kernel} forces another kernel"),
        (training.jit and backend.jit_excludes_cudnn, "XLA cannot compile cuDNN's layers (leave out --jit)"),
        (not has_cudnn_kernel, _explain_no_cudnn_kernel(cell, training.backend)),
        (
            has_cudnn_kernel and not backend.has_mixed_cudnn and training.precision.startswith("mixed"),
            f"{backend.title} has cuDNN in float32 alone (set --precision float32 or tf32)",
        ),
        *_list_shared_rules("cuDNN", model, layer),
        (
            cell.has_reset_after and not model.reset_after,
            "cuDNN applies the reset gate after the product (set --reset-after)",
        ),
    )
    return [reason for applies, reason in rules if applies]


def explain_no_fused(model: Model, training: Training, layer: Layer) -> list[str]:
    """Why a layer cannot run on the fused CPU kernel on any machine; empty where it can."""
    backend = BACKENDS[training.backend]
    is_own = not backend.fused_by_default and training.kernel != "fused"
    rules = (
        (training.kernel in ("cudnn", "keras"), f"--kernel {training.kernel} forces another kernel"),
        (not CELLS[layer.cell].has_fused_kernel, f"there is none for {layer.cell}"),
        (is_own, f"{backend.title} is asked for its own loop (--kernel fused takes it)"),
        (training.jit, "XLA compiles Keras's loop (leave out --jit)"),
        (training.precision != "float32", "it computes in float32 (set --precision float32)"),
        (training.strategy == "mirrored", "it runs on one device (set --strategy one)"),
        (
            model.head_activation not in FUSED_HEAD_ACTIVATIONS,
            f"it has no {model.head_activation} before the head (set --head-activation "
            f"{' or '.join(FUSED_HEAD_ACTIVATIONS)})",
        ),
        *_list_shared_rules("it", model, layer),
    )
    return [reason for applies, reason in rules if applies]


def _explain_no_cudnn_kernel(cell: Cell, backend: str) -> str:
    """That Keras has no cuDNN kernel for a cell on a backend, and which cells and backends have one."""
    cells = f"--cell {' or '.join(other.name for other in CELLS.values() if backend in other.cudnn_backends)}"
    if not cell.cudnn_backends:
        return f"Keras has no cuDNN kernel for {cell.keras_class} (use {cells})"
    backends = f"--backend {' or '.join(cell.cudnn_backends)}"
    return f"Keras has no cuDNN kernel for {cell.keras_class} on {BACKENDS[backend].title} (use {backends}, or {cells})"


def needs_machine_check(training: Training) -> bool:
    """Whether only a check of the machine, with the backend loaded, can tell that a training can run there."""
    return training.kernel in ("cudnn", "fused") or training.precision in ("mixed_float16", "tf32")


def _list_shared_rules(what: str, model: Model, layer: Layer) -> tuple[tuple[bool, str], ...]:
    """The rules that cuDNN and the fused kernel share."""
    gates = CELLS[layer.cell].has_recurrent_activation and model.recurrent_activation != "sigmoid"
    return (
        (model.recurrent_dropout > 0, f"{what} has no recurrent dropout (set --recurrent-dropout 0)"),
        (model.activation != "tanh", f"{what} has no {model.activation} activation (set --activation tanh)"),
        (gates, f"{what} has no {model.recurrent_activation} gates (set --recurrent-activation sigmoid)"),
    )
