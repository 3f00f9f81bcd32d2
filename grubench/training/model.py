"""Keras models from a spec, and which kernel runs each of their recurrent layers, and why."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import keras
from msgspec.structs import replace

from grubench.backends.base import TF32_CAPABILITY
from grubench.backends.loader import backend
from grubench.errors import KernelError, UsageError
from grubench.runs.records import LayerKernel
from grubench.spec import kernel_rules
from grubench.spec.cells import CELLS
from grubench.spec.losses import LOSSES
from grubench.spec.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Layer, Training

# Steps of the sequence that a layer is given to see what runs it: which kernel that is does not depend on their number.
STEPS_SEEN = 2


def build(spec: Experiment, lookback: int, feature: int, outputs: int, threads: int = 0) -> keras.Sequential:
    """The stack of a spec, compiled; stock Keras layers only, so that the file loads anywhere.

    Args:
        spec: The spec.
        lookback: Steps in.
        feature: Inputs a step.
        outputs: Values of the Dense head: the horizon, or 1 at every step.
        threads: Threads of the fused kernels; 0 for what the spec says.

    Raises:
        UsageError: A kernel, a precision or devices were asked for that cannot be had.
    """
    check(spec)
    tf32 = spec.training.precision == "tf32"
    backend().set_tf32(on=tf32)
    keras.config.set_dtype_policy("float32" if tf32 else spec.training.precision)
    with strategy(spec):
        return _built(spec, lookback, feature, outputs, threads)


def _built(spec: Experiment, lookback: int, feature: int, outputs: int, threads: int) -> keras.Sequential:
    model = keras.Sequential(name=spec.model.cell.replace("-", "_"))
    model.add(keras.layers.Input((lookback, feature)))
    stack = spec.model.stack
    for position, (layer, kernel) in enumerate(zip(stack, kernels(spec), strict=True)):
        sequences = spec.window.every_step or position < len(stack) - 1
        recurrent = _recurrent(spec, layer, sequences=sequences, cudnn=kernel.kernel == "cudnn")
        model.add(recurrent)
        if kernel.kernel == "fused":
            _fuse(recurrent, threads or spec.training.threads, need_d_x=position > 0)
        if spec.model.dropout[position]:
            model.add(keras.layers.Dropout(spec.model.dropout[position]))
    if spec.model.head_activation != "linear":
        model.add(keras.layers.Activation(spec.model.head_activation))
    # In mixed precision the head stays in float32, as Keras's guide has it.
    model.add(keras.layers.Dense(outputs, dtype="float32"))
    # Keras's own jit_compile="auto" would compile a SimpleRNN and not a GRU, and times would compare compilers.
    compiled = spec.training.jit or backend().always_compiles
    model.compile(optimizer=_optimizer(spec.training), loss=LOSSES[spec.training.loss].identifier, jit_compile=compiled)
    return model


def _recurrent(spec: Experiment, layer: Layer, *, sequences: bool, cudnn: bool) -> keras.layers.Layer:
    model = spec.model
    settings: dict[str, Any] = {
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


def _fuse(layer: keras.layers.Layer, threads: int, *, need_d_x: bool) -> None:
    from grubench.kernels.keras_layer import fuse_layer

    both = isinstance(layer, keras.layers.Bidirectional)
    for one in (layer.forward_layer, layer.backward_layer) if both else (layer,):
        fuse_layer(one, threads, need_d_x=need_d_x)


def _optimizer(training: Training) -> keras.optimizers.Optimizer:
    optimizer = getattr(keras.optimizers, OPTIMIZERS[training.optimizer].keras_class)
    return optimizer(
        learning_rate=training.learning_rate,
        clipnorm=training.clipnorm or None,
        clipvalue=training.clipvalue or None,
    )


def strategy(spec: Experiment) -> AbstractContextManager[Any]:
    """What spreads a model over devices, as the spec says: the model is made in it.

    Raises:
        UsageError: The spec asks for several devices, and there are not.
    """
    return contextlib.nullcontext() if spec.training.strategy == "one" else backend().mirrored()


def kernels(spec: Experiment) -> list[LayerKernel]:
    """Which kernel each recurrent layer of a spec should run on here, by its settings and the machine."""
    lacking = backend().lacks_cudnn()
    return [_kernel(spec, layer, lacking) for layer in spec.model.stack]


def _kernel(spec: Experiment, layer: Layer, lacking: str) -> LayerKernel:
    training = spec.training
    reasons = [*([lacking] if lacking else []), *kernel_rules.explain_no_cudnn(spec.model, training, layer)]
    if not reasons:
        return LayerKernel(layer=str(layer), kernel="cudnn", reasons=())
    fused = kernel_rules.explain_no_fused(spec.model, training, layer)
    if not lacking and training.kernel != "fused":
        fused.append("it runs on the processor, and there is a GPU (--kernel fused takes it)")
    if not fused and not _has_vectors():
        fused.append("this processor has neither AVX2 nor NEON")
    name = ("xla" if training.jit or backend().always_compiles else "keras") if fused else "fused"
    return LayerKernel(layer=str(layer), kernel=name, reasons=tuple(reasons), fused_reasons=tuple(fused))


def _has_vectors() -> bool:
    from grubench.kernels.processor import detect_processor  # LLVM, which nothing else needs

    return detect_processor() is not None


def kernels_that_run(model: keras.Sequential, spec: Experiment) -> list[LayerKernel]:
    """Which kernel runs each recurrent layer of a model: found by having each run once, and looking at what it did.

    Each is given one sequence of two steps, and forecasts: what a kernel does only with a larger batch is not seen.

    Args:
        model: The model, built from the spec.
        spec: The spec.

    Raises:
        UsageError: A kernel was asked for, and something else ran.
    """
    recurrent = [one for one in model.layers if isinstance(one, (keras.layers.RNN, keras.layers.Bidirectional))]
    compiled = bool(model.jit_compile)
    planned = kernels(spec)
    found = [_seen(one, plan, spec, compiled=compiled) for one, plan in zip(recurrent, planned, strict=True)]
    _refuse_lost(spec, found)
    return found


def _seen(layer: keras.layers.Layer, planned: LayerKernel, spec: Experiment, *, compiled: bool) -> LayerKernel:
    chance = [(one, keras.ops.convert_to_numpy(one)) for one in layer.non_trainable_variables]
    state = backend().random_state()
    kernel, operation = backend().kernel_of(backend().operations(layer, (1, STEPS_SEEN, layer.input.shape[-1])))
    for variable, value in chance:  # recurrent dropout draws, whether it is training or not
        variable.assign(value)
    backend().set_random_state(state)
    if kernel == "keras" and compiled:
        kernel = "xla"
    if kernel == planned.kernel:
        return replace(planned, operation=operation)
    one = layer.forward_layer if isinstance(layer, keras.layers.Bidirectional) else layer
    if planned.kernel == "cudnn" and not backend().allows_cudnn(one):
        reason = f"Keras's own check (cudnn_ok of its {backend().title} backend) refuses this layer"
    else:  # a call of cuDNN that failed, say: Keras falls back without a word
        reason = f"{backend().title} executed {operation or 'other operations'} where {planned.kernel} was to run"
    mixed = spec.training.precision.startswith("mixed")
    reason += " (try --precision float32)" if mixed else f" (--kernel {planned.kernel} refuses to start so)"
    found = replace(planned, kernel=kernel, operation=operation)
    if planned.kernel == "fused":
        return replace(found, fused_reasons=(*planned.fused_reasons, reason))
    return replace(found, reasons=(*planned.reasons, reason))


def check(spec: Experiment) -> None:
    """Refuse a spec that asks for what this machine or this backend cannot give, before anything is trained.

    Raises:
        UsageError: Naming the setting, and what to do.
    """
    if kernel_rules.needs_machine_check(spec.training):
        _check_precision(spec)
        _refuse_lost(spec, kernels(spec))


def _refuse_lost(spec: Experiment, found: list[LayerKernel]) -> None:
    """Refuse layers that have not the kernel that was asked for."""
    asked = spec.training.kernel
    if asked not in ("cudnn", "fused"):
        return
    lost = [one for one in found if one.kernel != asked]
    why = [f"{one.layer}: {', '.join(one.reasons if asked == 'cudnn' else one.fused_reasons)}" for one in lost]
    if lost:
        raise KernelError(
            f"training.kernel: {asked} was asked for and cannot be had: {'; '.join(why)}.", "Use --kernel auto."
        )


def _check_precision(spec: Experiment) -> None:
    precision = spec.training.precision
    if precision == "mixed_float16" and not backend().gpus():
        raise UsageError(
            f"training.precision: mixed_float16 is for GPUs, and {backend().title} finds none here.",
            "On a processor use --precision mixed_bfloat16, or float32.",
        )
    if precision == "tf32":
        capability = backend().capability()
        if capability is None or capability < TF32_CAPABILITY:
            there = (
                f"this one has {'.'.join(map(str, capability))}" if capability else f"{backend().title} finds none here"
            )
            raise UsageError(
                f"training.precision: tf32 needs an NVIDIA card of compute capability 8.0 or more, and {there}.",
                "Use --precision float32.",
            )
