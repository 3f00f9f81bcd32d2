"""What rules a kernel out whatever the machine; each reason names the flag to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grubench.spec.sections import Layer, Model, Training


def cudnn_reasons(model: Model, training: Training, layer: Layer) -> list[str]:
    """Why a layer cannot run on cuDNN on any machine; empty where it can.

    References:
        `cudnn_ok` in keras/src/backend/tensorflow/rnn.py, and the layers' `inner_loop`.
    """
    rules = (
        (training.kernel in ("fused", "keras"), f"--kernel {training.kernel} forces another kernel"),
        (training.jit and training.backend == "tensorflow", "XLA cannot compile cuDNN's layers (leave out --jit)"),
        (layer.cell == "rnn", "Keras has no cuDNN kernel for SimpleRNN (use --cell gru or lstm)"),
        (
            layer.cell == "gru" and training.backend == "jax",
            "Keras has no cuDNN kernel for GRU on JAX (use --backend tensorflow or torch, or --cell lstm)",
        ),
        (
            layer.cell == "lstm" and training.backend == "jax" and training.precision.startswith("mixed"),
            "JAX has cuDNN in float32 alone (set --precision float32 or tf32)",
        ),
        *_shared("cuDNN", model, layer),
        (
            layer.cell == "gru" and not model.reset_after,
            "cuDNN applies the reset gate after the product (set --reset-after)",
        ),
    )
    return [reason for applies, reason in rules if applies]


def fused_reasons(model: Model, training: Training, layer: Layer) -> list[str]:
    """Why a layer cannot run on the fused CPU kernel on any machine; empty where it can."""
    rules = (
        (training.kernel in ("cudnn", "keras"), f"--kernel {training.kernel} forces another kernel"),
        (training.backend != "tensorflow", "it is built for TensorFlow (set --backend tensorflow)"),
        (training.jit, "XLA compiles Keras's loop (leave out --jit)"),
        (training.precision != "float32", "it computes in float32 (set --precision float32)"),
        (training.strategy == "mirrored", "it runs on one device (set --strategy one)"),
        *_shared("it", model, layer),
    )
    return [reason for applies, reason in rules if applies]


def has_own_loop(backend: str, cell: str) -> bool:
    """Whether Keras has a loop of a backend's own for a cell without cuDNN, beside the generic one over cells.

    References:
        `gru` and `lstm` in keras/src/backend/torch/rnn.py and keras/src/backend/jax/rnn.py.
    """
    return cell in {"torch": ("gru", "lstm"), "jax": ("gru",)}.get(backend, ())


def may_be_refused(training: Training) -> bool:
    """Whether it takes a look at the machine, with the backend loaded, to know that a training can run there."""
    return training.kernel in ("cudnn", "fused") or training.precision in ("mixed_float16", "tf32")


def _shared(what: str, model: Model, layer: Layer) -> tuple[tuple[bool, str], ...]:
    """What neither kernel can do."""
    gates = layer.cell != "rnn" and model.recurrent_activation != "sigmoid"
    return (
        (model.recurrent_dropout > 0, f"{what} has no recurrent dropout (set --recurrent-dropout 0)"),
        (model.activation != "tanh", f"{what} has no {model.activation} activation (set --activation tanh)"),
        (gates, f"{what} has no {model.recurrent_activation} gates (set --recurrent-activation sigmoid)"),
    )
