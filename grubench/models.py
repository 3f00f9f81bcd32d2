"""Keras models from a spec, and which kernel runs each of their recurrent layers, and why."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from grubench import eligibility
from grubench.engine import keras, quiet_stderr, tf
from grubench.errors import UsageError
from grubench.kernels import machine

if TYPE_CHECKING:
    from grubench.experiment import Experiment, Layer, Training

# With True Keras itself refuses a layer that cannot have it, should our own rules be behind Keras's.
USE_CUDNN = {"auto": "auto", "cudnn": True, "fused": False, "keras": False}
LAYERS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}


@dataclass(frozen=True, kw_only=True)
class LayerKernel:
    """What runs one recurrent layer.

    Attributes:
        layer: The layer as written in the stack, `gru:50`.
        kernel: `cudnn`, `fused`, `xla` or `keras`.
        reasons: Why it is not cuDNN: a sentence each, naming the flag to change.
        fused_reasons: Why it is not the fused kernel either; empty where it is that or cuDNN.
    """

    layer: str
    kernel: str
    reasons: tuple[str, ...]
    fused_reasons: tuple[str, ...] = ()


def build(spec: Experiment, lookback: int, feature: int, outputs: int, threads: int = 0) -> keras.Sequential:
    """The stack of a spec, compiled; stock Keras layers only, so that the file loads anywhere.

    Args:
        spec: The spec.
        lookback: Steps in.
        feature: Inputs a step.
        outputs: Values of the Dense head: the horizon, or 1 at every step.
        threads: Threads of the fused kernels; 0 for what the spec says.

    Raises:
        UsageError: cuDNN was asked for and a layer cannot have it.
    """
    check_kernels(spec)
    keras.config.set_dtype_policy(spec.training.precision)
    model = keras.Sequential(name=spec.model.cell.replace("-", "_"))
    model.add(keras.layers.Input((lookback, feature)))
    stack = spec.model.stack
    for position, (layer, kernel) in enumerate(zip(stack, kernels(spec), strict=True)):
        recurrent = _recurrent(spec, layer, sequences=spec.window.every_step or position < len(stack) - 1)
        model.add(recurrent)
        if kernel.kernel == "fused":
            _fuse(recurrent, threads or spec.training.threads, need_x=position > 0)
        if spec.model.dropout[position]:
            model.add(keras.layers.Dropout(spec.model.dropout[position]))
    if spec.model.head_activation != "linear":
        model.add(keras.layers.Activation(spec.model.head_activation))
    # In mixed precision the head stays in float32, as Keras's guide has it.
    model.add(keras.layers.Dense(outputs, dtype="float32"))
    # Keras's own jit_compile="auto" would compile a SimpleRNN and not a GRU, and times would compare compilers.
    model.compile(optimizer=_optimizer(spec.training), loss=spec.training.loss, jit_compile=spec.training.jit)
    return model


def _recurrent(spec: Experiment, layer: Layer, *, sequences: bool) -> keras.layers.Layer:
    model = spec.model
    settings: dict[str, Any] = {
        "units": layer.units,
        "activation": model.activation,
        "kernel_initializer": model.kernel_initializer,
        "recurrent_initializer": model.recurrent_initializer,
        "recurrent_dropout": model.recurrent_dropout,
        "return_sequences": sequences,
    }
    if layer.cell != "rnn":
        settings["recurrent_activation"] = model.recurrent_activation
        settings["use_cudnn"] = USE_CUDNN[spec.training.kernel] if not spec.training.jit else False
    if layer.cell == "gru":
        settings["reset_after"] = model.reset_after
    recurrent = LAYERS[layer.cell](**settings)
    return keras.layers.Bidirectional(recurrent) if model.bidirectional else recurrent


def _fuse(layer: keras.layers.Layer, threads: int, *, need_x: bool) -> None:
    from grubench.kernels.layer import fuse

    both = isinstance(layer, keras.layers.Bidirectional)
    for one in (layer.forward_layer, layer.backward_layer) if both else (layer,):
        fuse(one, threads, need_x=need_x)


def _optimizer(training: Training) -> keras.optimizers.Optimizer:
    classes = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "nadam": keras.optimizers.Nadam,
        "adamax": keras.optimizers.Adamax,
        "rmsprop": keras.optimizers.RMSprop,
        "adagrad": keras.optimizers.Adagrad,
        "sgd": keras.optimizers.SGD,
        "lion": keras.optimizers.Lion,
    }
    return classes[training.optimizer](
        learning_rate=training.learning_rate,
        clipnorm=training.clipnorm or None,
        clipvalue=training.clipvalue or None,
    )


def gpus() -> list[str]:
    """The names of the GPUs that TensorFlow sees."""
    with quiet_stderr():  # TensorFlow speaks up where there is a driver and no card
        devices = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(device).get("device_name", device.name) for device in devices]


def grow_memory() -> None:
    """Have TensorFlow take a GPU's memory as it needs it, before it starts: several trials may share a card."""
    for device in tf.config.list_physical_devices("GPU"):
        with suppress(RuntimeError):  # it has started already, and stays as it is
            tf.config.experimental.set_memory_growth(device, True)


def strategy(spec: Experiment) -> tf.distribute.Strategy:
    """What spreads a model over devices, as the spec says.

    Raises:
        UsageError: The spec asks for several devices, and there are not.
    """
    if spec.training.strategy == "one":
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise UsageError(
            f"training.strategy: mirrored wants two devices or more, and TensorFlow sees {devices[0].name}.",
            "Use --strategy one.",
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def kernels(spec: Experiment, *, gpu: bool | None = None) -> list[LayerKernel]:
    """Which kernel runs each recurrent layer of a spec on this machine.

    Args:
        spec: The spec.
        gpu: Whether there is a GPU; asked of TensorFlow where not given.
    """
    gpu = bool(gpus()) if gpu is None else gpu
    return [_kernel(spec, layer, gpu=gpu) for layer in spec.model.stack]


def _kernel(spec: Experiment, layer: Layer, *, gpu: bool) -> LayerKernel:
    training = spec.training
    reasons = [] if gpu else ["this machine has no GPU that TensorFlow can use"]
    reasons += eligibility.cudnn_reasons(spec.model, training, layer)
    if not reasons:
        return LayerKernel(layer=str(layer), kernel="cudnn", reasons=())
    fused = eligibility.fused_reasons(spec.model, training, layer)
    if gpu and training.kernel != "fused":
        fused.append("it runs on the processor, and there is a GPU")
    if not fused and machine.processor() is None:
        fused.append("this processor has neither AVX2 nor NEON")
    name = ("xla" if training.jit else "keras") if fused else "fused"
    return LayerKernel(layer=str(layer), kernel=name, reasons=tuple(reasons), fused_reasons=tuple(fused))


def check_kernels(spec: Experiment) -> None:
    """Refuse a spec that asks for a kernel where a layer cannot have it.

    Raises:
        UsageError: Naming each layer and why.
    """
    asked = spec.training.kernel
    if asked not in ("cudnn", "fused"):
        return
    lost = [kernel for kernel in kernels(spec) if kernel.kernel != asked]
    if lost:
        why = [(kernel.layer, kernel.reasons if asked == "cudnn" else kernel.fused_reasons) for kernel in lost]
        reasons = "; ".join(f"{layer}: {', '.join(one)}" for layer, one in why)
        raise UsageError(f"training.kernel: {asked} was asked for and cannot be had: {reasons}.", "Use --kernel auto.")


def kernel_records(spec: Experiment) -> list[dict[str, Any]]:
    """The kernels as plain dictionaries, for a run's environment.json."""
    return [asdict(kernel) for kernel in kernels(spec)]
