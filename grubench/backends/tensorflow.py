"""TensorFlow: the backend of the core install."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tensorflow as tf

from grubench.backends import private_api
from grubench.backends.base import Backend, Source
from grubench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import keras
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class _Gpu:
    """A GPU that TensorFlow sees, and its compute capability where it says it."""

    name: str
    capability: tuple[int, int] | None


class TensorFlow(Backend):
    """Keras on TensorFlow."""

    name = "tensorflow"
    cuda = "tensorflow[and-cuda]"
    runs_many_steps = True

    def set_threads(self, threads: int) -> None:
        """See `Backend`."""
        threading = tf.config.threading
        if threads == threading.get_intra_op_parallelism_threads():
            return
        try:
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError as error:
            raise UsageError(
                f"training.threads: {threads} cannot be set, TensorFlow has started in this process.",
                "Leave out --in-process, or start a new process.",
            ) from error

    def gpus(self) -> list[str]:
        """See `Backend`."""
        from grubench.backends.stderr import quiet_stderr

        with quiet_stderr():  # TensorFlow speaks up where there is a driver and no card
            return [gpu.name for gpu in _list_gpus()]

    def lacks_cudnn(self) -> str:
        """See `Backend`."""
        return "" if self.gpus() else self.lacks_gpu()

    def cudnn_version(self) -> str:
        """See `Backend`; the version that it was built for."""
        build = tf.sysconfig.get_build_info()
        return str(build.get("cudnn_version", "")) if build.get("is_cuda_build") else ""

    def capability(self) -> tuple[int, int] | None:
        """See `Backend`."""
        return min((gpu.capability for gpu in _list_gpus() if gpu.capability), default=None)

    @contextmanager
    def tf32(self, *, on: bool) -> Iterator[None]:
        """See `Backend`; TensorFlow itself has it on, for cuDNN too."""
        settings = tf.config.experimental
        before = settings.tensor_float_32_execution_enabled()
        settings.enable_tensor_float_32_execution(on)
        try:
            yield
        finally:
            settings.enable_tensor_float_32_execution(before)

    def set_up_devices(self) -> None:
        """Have it take a GPU's memory as it needs it."""
        for device in tf.config.list_physical_devices("GPU"):
            with suppress(RuntimeError):  # it has started already, and stays as it is
                tf.config.experimental.set_memory_growth(device, True)

    def wait(self) -> None:
        """See `Backend`."""
        tf.test.experimental.sync_devices()

    def peak_memory_bytes(self) -> int | None:
        """See `Backend`."""
        names = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("GPU")]
        return max((tf.config.experimental.get_memory_info(name)["peak"] for name in names), default=None)

    def random_state(self) -> dict[str, NDArray[np.generic]]:
        """See `Backend`: all are variables of the model."""
        return {}

    def set_random_state(self, state: dict[str, NDArray[np.generic]]) -> None:
        """See `Backend`: there are none."""

    def stream(self, source: Source, *, ahead: int) -> tf.data.Dataset:
        """See `Backend`: TensorFlow takes the chunks apart, since a call of Python for every batch takes as long as a
        tenth of a small model's step.
        """  # noqa: D205
        kinds = tuple(tf.TensorSpec([None, *values.shape[1:]], values.dtype) for values in source.batch(0))
        batches = tf.data.Dataset.from_generator(source.chunks, output_signature=kinds).rebatch(source.batch_size)
        batches = batches.apply(tf.data.experimental.assert_cardinality(len(source)))
        options = tf.data.Options()
        # Its thread sleeps twice as long each time, and the end of an epoch now and then waits until it wakes.
        options.autotune.enabled = False
        return (batches.prefetch(ahead) if ahead else batches).with_options(options)

    def operations(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> set[str]:
        """See `Backend`: those of the graph that runs, and of its functions."""
        traced = tf.function(lambda x: layer(x, training=False), autograph=False)
        x = tf.zeros(shape)
        graph = traced.get_concrete_function(x).graph.as_graph_def()
        traced(x)
        nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        return {node.op for node in nodes}

    def mirrored(self) -> AbstractContextManager[object]:
        """See `Backend`."""
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if len(devices) < 2:
            raise UsageError(
                f"training.strategy: mirrored wants two devices or more, and TensorFlow sees {devices[0].name}.",
                "Use --strategy one.",
            )
        scope: AbstractContextManager[object] = tf.distribute.MirroredStrategy(
            [device.name for device in devices]
        ).scope()
        return scope

    def scope(self, model: keras.Model) -> AbstractContextManager[object]:
        """See `Backend`."""
        scope: AbstractContextManager[object] = private_api.distribution_strategy(model).scope()
        return scope

    def replicas(self, model: keras.Model) -> int:
        """See `Backend`."""
        return int(private_api.distribution_strategy(model).num_replicas_in_sync)


def _list_gpus() -> list[_Gpu]:
    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in devices]
    return [_Gpu(str(gpu.get("device_name", "GPU")), gpu.get("compute_capability")) for gpu in details]


BACKEND = TensorFlow()
