"""What rules cuDNN out whatever the machine, as Keras decides it; each reason names the flag to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grubench.sections import Layer, Model, Training


def reasons(model: Model, training: Training, layer: Layer) -> list[str]:
    """Why a layer cannot run on cuDNN on any machine; empty where it can.

    References:
        `cudnn_ok` in keras/src/backend/tensorflow/rnn.py, and the layers' `inner_loop`.
    """
    gates = layer.cell != "rnn" and model.recurrent_activation != "sigmoid"
    before = layer.cell == "gru" and not model.reset_after
    rules = (
        (training.kernel == "keras", "--kernel keras forces the generic loop"),
        (training.jit, "XLA cannot compile cuDNN's layers (leave out --jit)"),
        (layer.cell == "rnn", "Keras has no cuDNN kernel for SimpleRNN (use --cell gru or lstm)"),
        (model.recurrent_dropout > 0, "cuDNN has no recurrent dropout (set --recurrent-dropout 0)"),
        (model.activation != "tanh", f"cuDNN has no {model.activation} activation (set --activation tanh)"),
        (gates, f"cuDNN has no {model.recurrent_activation} gates (set --recurrent-activation sigmoid)"),
        (before, "cuDNN applies the reset gate after the product (set --reset-after)"),
    )
    return [reason for applies, reason in rules if applies]
