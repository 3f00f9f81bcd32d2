"""Which kernel runs each recurrent layer of a spec, and why: by the rules beforehand, by what ran afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from msgspec.structs import replace

from grubench.backends import private_api
from grubench.backends.base import TF32_CAPABILITY
from grubench.backends.loader import backend
from grubench.errors import KernelError, UsageError
from grubench.runs.records import LayerKernel
from grubench.spec import kernel_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import Layer

# Time steps of the sequence that a layer is given to observe its kernel, which does not depend on their number.
OBSERVED_STEPS = 2


def plan_kernels(spec: Experiment) -> list[LayerKernel]:
    """Which kernel each recurrent layer of a spec should run on here, by its settings and the machine."""
    lacking = backend().lacks_cudnn()
    plan = [_plan_kernel(spec, layer, lacking) for layer in spec.model.stack]
    others = [kernel for kernel in plan if kernel.kernel != "fused"]
    if not others:
        return plan
    # The fused kernels train a whole network, or none of it.
    loop = "xla" if spec.training.jit or backend().always_compiles else "keras"
    reason = f"the whole network does, or none of it, and {others[0].layer} cannot"
    return [
        replace(kernel, kernel=loop, fused_reasons=(reason,)) if kernel.kernel == "fused" else kernel for kernel in plan
    ]


def is_fused(kernels: Sequence[LayerKernel]) -> bool:
    """Whether a network with these kernels trains in compiled code."""
    return all(kernel.kernel == "fused" for kernel in kernels)


def _plan_kernel(spec: Experiment, layer: Layer, lacking: str) -> LayerKernel:
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


def observe_kernels(model: keras.Sequential, spec: Experiment) -> list[LayerKernel]:
    """Which kernel runs each recurrent layer of a model: each is run once, and the operations that it executed tell.

    Each forecasts from one sequence of two time steps: what a kernel does only with a larger batch is not observed.

    Args:
        model: The model, built from the spec.
        spec: The spec.

    Raises:
        UsageError: A kernel was asked for, and something else ran.
    """
    plan = plan_kernels(spec)
    if is_fused(plan):  # Keras runs none of it
        return plan
    observed = [
        _compare(layer, plan, spec, *_observe_kernel(layer, compiled=private_api.is_compiled_by_xla(model)))
        for layer, plan in zip(list_recurrent(model), plan, strict=True)
    ]
    _refuse_other_kernels(spec, observed)
    return observed


def list_recurrent(model: keras.Sequential) -> list[keras.layers.Layer]:
    """The recurrent layers of a model, one for each of the stack."""
    return [layer for layer in model.layers if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))]


def _observe_kernel(layer: keras.layers.Layer, *, compiled: bool) -> tuple[str, str]:
    """The kernel that runs a layer, and the operation that shows it.

    The layer and the random generators are afterwards as they were before.

    Args:
        layer: The layer.
        compiled: Whether the model is compiled by XLA.
    """
    before = [(variable, keras.ops.convert_to_numpy(variable)) for variable in layer.non_trainable_variables]
    random_state = backend().random_state()
    kernel, operation = backend().kernel_of(backend().operations(layer, (1, OBSERVED_STEPS, layer.input.shape[-1])))
    for variable, value in before:  # recurrent dropout draws, whether it is training or not
        variable.assign(value)
    backend().set_random_state(random_state)
    return "xla" if kernel == "keras" and compiled else kernel, operation


def _compare(
    layer: keras.layers.Layer, planned: LayerKernel, spec: Experiment, kernel: str, operation: str
) -> LayerKernel:
    """The kernel that ran a layer, with the reason where it is not the planned one."""
    if kernel == planned.kernel:
        return replace(planned, operation=operation)
    direction = layer.forward_layer if isinstance(layer, keras.layers.Bidirectional) else layer
    if planned.kernel == "cudnn" and not backend().allows_cudnn(direction):
        reason = f"Keras's own check (cudnn_ok of its {backend().title} backend) refuses this layer"
    else:  # a call of cuDNN that failed, say: Keras falls back without a word
        reason = f"{backend().title} executed {operation or 'other operations'} where {planned.kernel} was to run"
    mixed = spec.training.precision.startswith("mixed")
    reason += " (try --precision float32)" if mixed else f" (--kernel {planned.kernel} refuses to start so)"
    observed = replace(planned, kernel=kernel, operation=operation)
    return replace(observed, reasons=(*planned.reasons, reason))


def check(spec: Experiment) -> None:
    """Refuse a spec that asks for what this machine or this backend cannot give, before anything is trained.

    Raises:
        UsageError: Naming the setting, and what to do.
    """
    if kernel_rules.needs_machine_check(spec.training):
        _check_precision(spec)
        _refuse_other_kernels(spec, plan_kernels(spec))


def _refuse_other_kernels(spec: Experiment, kernels: list[LayerKernel]) -> None:
    """Refuse layers that do not run on the kernel that was asked for."""
    asked = spec.training.kernel
    if asked not in ("cudnn", "fused"):
        return
    others = [kernel for kernel in kernels if kernel.kernel != asked]
    reasons = [
        f"{kernel.layer}: {', '.join(kernel.reasons if asked == 'cudnn' else kernel.fused_reasons)}"
        for kernel in others
    ]
    if others:
        raise KernelError(
            f"training.kernel: {asked} was asked for and cannot be had: {'; '.join(reasons)}.", "Use --kernel auto."
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
            capability_text = (
                f"this one has {'.'.join(map(str, capability))}" if capability else f"{backend().title} finds none here"
            )
            raise UsageError(
                f"training.precision: tf32 needs an NVIDIA card of compute capability 8.0 or more, and "
                f"{capability_text}.",
                "Use --precision float32.",
            )
