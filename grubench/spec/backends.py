"""Keras's backends: one record each, which all that speaks of backends reads.

A new backend is one record here and one module in `grubench/backends/`, of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass

# What tells Keras which device to use on PyTorch: keras/src/backend/torch/core.py.
TORCH_DEVICE = "KERAS_TORCH_DEVICE"
_CUDNN_PACKAGES = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")


@dataclass(frozen=True, kw_only=True)
class BackendRecord:
    """What is known of a backend without loading it.

    Attributes:
        name: What the settings and Keras call it; its package too.
        title: Its name as its makers write it.
        requirement: What `pip install` takes to install it.
        packages: The packages that decide its results; their versions are recorded with each trial.
        cuda_packages: The packages that let it run on an NVIDIA card, where they are installed.
        device_variables: The environment variables that choose its device, beside CUDA_VISIBLE_DEVICES.
        fused_by_default: Whether `--kernel auto` takes grubench's CPU kernels; else only `--kernel fused` does.
        has_mirrored_strategy: Whether one model can share its batches among several GPUs.
        has_jit: Whether Keras compiles its step with XLA.
        jit_excludes_cudnn: Whether XLA cannot compile its cuDNN layers.
        has_mixed_cudnn: Whether its cuDNN layers compute in half precision too.
    """

    name: str
    title: str
    requirement: str
    packages: tuple[str, ...]
    cuda_packages: tuple[str, ...] = _CUDNN_PACKAGES
    device_variables: tuple[str, ...] = ()
    fused_by_default: bool = False
    has_mirrored_strategy: bool = False
    has_jit: bool = True
    jit_excludes_cudnn: bool = False
    has_mixed_cudnn: bool = True


BACKENDS = {
    record.name: record
    for record in (
        BackendRecord(
            name="tensorflow",
            title="TensorFlow",
            requirement="tensorflow",
            packages=("tensorflow", "llvmlite"),
            fused_by_default=True,
            has_mirrored_strategy=True,
            jit_excludes_cudnn=True,
        ),
        BackendRecord(
            name="torch",
            title="PyTorch",
            requirement="torch",
            packages=("torch", "llvmlite"),
            device_variables=(TORCH_DEVICE,),
            has_jit=False,
        ),
        BackendRecord(
            name="jax",
            title="JAX",
            requirement="jax",
            packages=("jax", "jaxlib", "llvmlite"),
            cuda_packages=("jax-cuda12-plugin", "jax-cuda13-plugin", *_CUDNN_PACKAGES),
            device_variables=("JAX_PLATFORMS",),
            has_mixed_cudnn=False,
        ),
    )
}


def list_backends(ability: str) -> tuple[str, str]:
    """The titles and the names of the backends with an ability, for a message: `A and B`, `a or b`.

    Args:
        ability: The attribute of the record, such as `has_jit`.
    """
    able = [record for record in BACKENDS.values() if getattr(record, ability)]
    return " and ".join(record.title for record in able), " or ".join(record.name for record in able)
