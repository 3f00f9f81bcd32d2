"""JAX: every step compiled by XLA; cuDNN for LSTM on a GPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import jax

from grubench.backends import private_api
from grubench.backends.base import Backend, Source, zeros
from grubench.backends.keras_dataset import SourceDataset
from grubench.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import keras
    import numpy as np
    from numpy.typing import NDArray


class Jax(Backend):
    """Keras on JAX."""

    name = "jax"
    cuda = "jax[cuda13]"
    always_compiles = True

    def __init__(self) -> None:
        self._threads = 0
        self._started = False

    def set_threads(self, threads: int) -> None:
        """See `Backend`."""
        if threads != self._threads and self._started:
            raise UsageError(
                f"training.threads: {threads} cannot be set, JAX has started in this process.",
                "Leave out --in-process, or start a new process.",
            )
        self._threads = threads
        if threads:
            os.environ[private_api.XLA_THREADS_VARIABLE] = str(threads)

    def gpus(self) -> list[str]:
        """See `Backend`."""
        return [str(device.device_kind) for device in self._devices() if device.platform != "cpu"]

    def lacks_cudnn(self) -> str:
        """See `Backend`."""
        return "" if any(device.platform == "gpu" for device in self._devices()) else self.lacks_gpu()

    def cudnn_version(self) -> str:
        """See `Backend`; it does not say, its packages do."""
        return ""

    def capability(self) -> tuple[int, int] | None:
        """See `Backend`."""
        capabilities = [private_api.jax_compute_capability(device) for device in self._devices()]
        return min((capability for capability in capabilities if capability), default=None)

    def tf32(self, *, on: bool) -> AbstractContextManager[None]:
        """See `Backend`; JAX itself has it on."""
        precision: AbstractContextManager[None] = jax.default_matmul_precision("tensorfloat32" if on else "float32")
        return precision

    def set_up_devices(self) -> None:
        """Nothing is left to do: the environment has it take a GPU's memory as it needs it."""

    def wait(self) -> None:
        """See `Backend`."""
        for array in jax.live_arrays():
            if not array.is_deleted():
                array.block_until_ready()

    def peak_memory_bytes(self) -> int | None:
        """See `Backend`."""
        peaks = [private_api.jax_peak_memory_bytes(device) for device in self._devices() if device.platform != "cpu"]
        return max((peak for peak in peaks if peak is not None), default=None)

    def random_state(self) -> dict[str, NDArray[np.generic]]:
        """See `Backend`: all are variables of the model."""
        return {}

    def set_random_state(self, state: dict[str, NDArray[np.generic]]) -> None:
        """See `Backend`: there are none."""

    def stream(self, source: Source, *, ahead: int) -> Any:  # noqa: ARG002
        """See `Backend`."""
        return SourceDataset(source, lambda values: values)

    def operations(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> set[str]:
        """See `Backend`: those of the program that XLA is given."""
        self._started = True
        x = zeros(shape)
        call = jax.jit(lambda x: layer(x, training=False))
        names = private_api.list_jax_operations(jax.make_jaxpr(call)(x))
        call(x).block_until_ready()
        return names

    def _devices(self) -> list[jax.Device]:
        """Its devices; asking for them starts it."""
        self._started = True
        return list(jax.devices())


BACKEND = Jax()
