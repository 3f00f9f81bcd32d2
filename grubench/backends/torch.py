"""PyTorch: cuDNN on a GPU, Keras's loop over steps in Python on a processor."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from grubench.backends.base import Backend, Source, zeros
from grubench.backends.keras_dataset import SourceDataset
from grubench.spec.backends import TORCH_DEVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras
    import numpy as np
    from numpy.typing import NDArray


def _chosen() -> str:
    """The device that Keras was told to use; empty where it chooses."""
    return os.environ.get(TORCH_DEVICE, "")


def _on(device: str) -> bool:
    """Whether Keras computes on a kind of device: it takes MPS before CUDA where it is told of none."""
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}[device]
    return there() and _chosen().partition(":")[0] in ("", device)


class Torch(Backend):
    """Keras on PyTorch."""

    name = "torch"
    cuda = "a build of PyTorch with CUDA"

    def __init__(self) -> None:
        self._all_threads = torch.get_num_threads()

    def set_threads(self, threads: int) -> None:
        """See `Backend`; it takes any number at any time."""
        torch.set_num_threads(threads or self._all_threads)

    def gpus(self) -> list[str]:
        """See `Backend`."""
        if _on("cuda"):
            return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        return ["Apple GPU (MPS)"] if _on("mps") else []

    def lacks_cudnn(self) -> str:
        """See `Backend`."""
        if not _on("cuda"):
            return (
                f"cuDNN is for NVIDIA cards, and {TORCH_DEVICE} is {chosen}"
                if (chosen := _chosen())
                else self.lacks_gpu()
            )
        return "" if torch.backends.cudnn.is_available() else "PyTorch finds no cuDNN here (install it with CUDA)"

    def cudnn_version(self) -> str:
        """See `Backend`."""
        version = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
        return f"{version // 10000}.{version // 100 % 100}.{version % 100}" if version else ""

    def capability(self) -> tuple[int, int] | None:
        """See `Backend`."""
        if not _on("cuda"):
            return None
        numbers = range(torch.cuda.device_count())
        capabilities: list[tuple[int, int]] = [torch.cuda.get_device_capability(number) for number in numbers]
        return min(capabilities)

    @contextmanager
    def tf32(self, *, on: bool) -> Iterator[None]:
        """See `Backend`; PyTorch itself has it on for cuDNN and off for matrix products."""
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        before = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = on
        try:
            yield
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = before

    def set_up_devices(self) -> None:
        """Count the memory from here; PyTorch takes it as it needs it."""
        if _on("cuda"):
            torch.cuda.reset_peak_memory_stats()

    def wait(self) -> None:
        """See `Backend`."""
        if _on("cuda"):
            torch.cuda.synchronize()
        elif _on("mps"):
            torch.mps.synchronize()

    def peak_memory_bytes(self) -> int | None:
        """See `Backend`."""
        return torch.cuda.max_memory_allocated() if _on("cuda") else None

    def random_state(self) -> dict[str, NDArray[np.generic]]:
        """See `Backend`: Keras's dropout draws from them."""
        states = {"cpu": torch.get_rng_state()}
        if _on("mps"):
            states["mps"] = torch.mps.get_rng_state()
        if _on("cuda"):
            states |= {f"cuda{number}": tensor for number, tensor in enumerate(torch.cuda.get_rng_state_all())}
        return {name: tensor.numpy() for name, tensor in states.items()}

    def set_random_state(self, state: dict[str, NDArray[np.generic]]) -> None:
        """See `Backend`."""
        for name, array in state.items():
            values = torch.from_numpy(array)
            if name == "cpu":
                torch.set_rng_state(values)
            elif name == "mps":
                torch.mps.set_rng_state(values)
            else:
                torch.cuda.set_rng_state(values, int(name.removeprefix("cuda")))

    def stream(self, source: Source, *, ahead: int) -> Any:  # noqa: ARG002
        """See `Backend`: tensors on the memory of the batch that was cut."""
        return SourceDataset(source, torch.from_numpy)

    def operations(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> set[str]:
        """See `Backend`: those that PyTorch's profiler sees."""
        import keras

        from grubench.backends.stderr import quiet_stderr

        x = keras.ops.convert_to_tensor(zeros(shape))  # on the device that Keras has chosen
        activities = [torch.profiler.ProfilerActivity.CPU]  # what is asked of a GPU is asked from here
        with quiet_stderr(), torch.no_grad(), torch.profiler.profile(activities=activities) as profiled:
            layer(x, training=False)
        return {event.key for event in profiled.key_averages()}


BACKEND = Torch()
