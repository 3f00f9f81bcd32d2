"""Keras models from a spec."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import keras

from grubench.backends.loader import backend
from grubench.spec.cells import CELLS
from grubench.spec.losses import LOSSES
from grubench.spec.optimizers import OPTIMIZERS
from grubench.training.kernel_check import check, plan_kernels
from grubench.training.precision import layer_precision, uses_tf32

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from grubench.runs.records import LayerKernel
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Layer, Training


def build_model(spec: Experiment, lookback: int, feature: int, outputs: int) -> keras.Sequential:
    """Build and compile the stack of a spec; stock Keras layers only, so that the file loads anywhere.

    Args:
        spec: The spec.
        lookback: Steps in.
        feature: Inputs a step.
        outputs: Values of the Dense head: the horizon, or 1 at every step.

    Raises:
        UsageError: A kernel, a precision or devices were asked for that cannot be had.
    """
    check(spec)
    with uses_tf32(spec), layer_precision(spec), strategy(spec):
        return _build(spec, lookback, feature, outputs)


def _build(spec: Experiment, lookback: int, feature: int, outputs: int) -> keras.Sequential:
    plan = plan_kernels(spec)
    model = build_stack(spec, lookback, feature, outputs, plan)
    # Keras's own jit_compile="auto" would compile a SimpleRNN and not a GRU, and times would compare compilers.
    compiled = spec.training.jit or backend().always_compiles
    model.compile(
        optimizer=_build_optimizer(spec.training), loss=LOSSES[spec.training.loss].identifier, jit_compile=compiled
    )
    return model


def build_stack(
    spec: Experiment, lookback: int, feature: int, outputs: int, plan: Sequence[LayerKernel]
) -> keras.Sequential:
    """Build the stack of a spec on Keras's own loops or cuDNN, not compiled, in the dtype policy that is set.

    Args:
        spec: The spec.
        lookback: Steps in.
        feature: Inputs a step.
        outputs: Values of the Dense head.
        plan: The kernel of each recurrent layer.
    """
    model = keras.Sequential(name=spec.model.cell.replace("-", "_"))
    model.add(keras.layers.Input((lookback, feature)))
    stack = spec.model.stack
    for position, (layer, kernel) in enumerate(zip(stack, plan, strict=True)):
        sequences = spec.window.every_step or position < len(stack) - 1
        model.add(_build_recurrent(spec, layer, sequences=sequences, cudnn=kernel.kernel == "cudnn"))
        if spec.model.dropout[position]:
            model.add(keras.layers.Dropout(spec.model.dropout[position]))
    if spec.model.head_activation != "linear":
        model.add(keras.layers.Activation(spec.model.head_activation))
    # In mixed precision the head stays in float32, as Keras's guide has it.
    model.add(keras.layers.Dense(outputs, dtype="float32"))
    return model


def _build_recurrent(spec: Experiment, layer: Layer, *, sequences: bool, cudnn: bool) -> keras.layers.Layer:
    model = spec.model
    settings: dict[str, object] = {
        "units": layer.units,
        "activation": model.activation,
        "kernel_initializer": model.kernel_initializer,
        "recurrent_initializer": model.recurrent_initializer,
        "recurrent_dropout": model.recurrent_dropout,
        "return_sequences": sequences,
    }
    cell = CELLS[layer.cell]
    if cell.has_recurrent_activation:
        settings["recurrent_activation"] = model.recurrent_activation
    if cell.cudnn_backends:
        settings["use_cudnn"] = _use_cudnn(spec, layer, cudnn=cudnn)
    if cell.has_reset_after:
        settings["reset_after"] = model.reset_after
    recurrent = getattr(keras.layers, cell.keras_class)(**settings)
    return keras.layers.Bidirectional(recurrent) if model.bidirectional else recurrent


def _use_cudnn(spec: Experiment, layer: Layer, *, cudnn: bool) -> bool | str:
    """What Keras is told of cuDNN for a layer.

    True makes Keras itself refuse a layer that cannot have it, should our rules be behind Keras's. "auto" gives a layer
    without cuDNN the loop of PyTorch's and JAX's backends that multiplies the inputs of all steps at once, False the
    generic loop over cells. On JAX a call of cuDNN that cannot be compiled is not caught: it must not be made.
    """
    if cudnn:
        return True if spec.training.kernel == "cudnn" else "auto"
    generic = spec.training.kernel in ("fused", "keras")
    if backend().name == "tensorflow":
        return False if generic or spec.training.jit else "auto"
    return "auto" if not generic and backend().name in CELLS[layer.cell].own_loop_backends else False


def _build_optimizer(training: Training) -> keras.optimizers.Optimizer:
    optimizer = getattr(keras.optimizers, OPTIMIZERS[training.optimizer].keras_class)
    return optimizer(
        learning_rate=training.learning_rate,
        clipnorm=training.clipnorm or None,
        clipvalue=training.clipvalue or None,
    )


def strategy(spec: Experiment) -> AbstractContextManager[object]:
    """What spreads a model over devices, as the spec says: the model is made in it.

    Raises:
        UsageError: The spec asks for several devices, and there are not.
    """
    return contextlib.nullcontext() if spec.training.strategy == "one" else backend().mirrored()
