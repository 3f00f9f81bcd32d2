"""What grubench uses of Keras and its backends beyond their documentation: one small function a use, with its reason.

A new version may change any of it without notice. `tests/backends/test_private_api.py` has a guard for each, which
fails with a sentence. Other modules call these functions and never the undocumented thing itself. Nothing here loads
Keras or a backend before it is called. What the standard library does not document is used in
`grubench/execution/forkservers.py` and `process_folder.py`.
"""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import filter as matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    import jax
    import keras

# The versions that all of this was last seen to work with.
SEEN_WITH = {"keras": "3.15.1", "tensorflow": "2.21.0", "torch": "2.13.0", "jax": "0.10.2"}

# The number of threads that XLA takes on a processor: `DefaultThreadPoolSize` in xla/pjrt/cpu/cpu_client.cc.
# JAX has no documented setting for it.
XLA_THREADS_VARIABLE = "NPROC"

# The operations that show which kernel ran a recurrent layer, the most telling first; a pattern each. No backend
# documents the names of its operations, and Keras falls back from cuDNN to its own loop without a word, so that there
# is no documented way to learn what ran.
KERNEL_OPERATIONS = {
    "tensorflow": (
        ("cudnn", "CudnnRNN*"),
        ("keras", "While"),
        ("keras", "StatelessWhile"),
    ),
    "torch": (("cudnn", "aten::_cudnn_rnn"), ("keras", "aten::addmm"), ("keras", "aten::mm")),
    "jax": (("cudnn", "rnn_fwd"), ("xla", "scan"), ("xla", "while")),
}


class AsyncSafe:
    """A mixin for Keras callbacks whose batch hooks may run in threads beside the next step.

    Keras looks for the attribute `async_safe` in its list of callbacks and documents it nowhere. Without it, on PyTorch
    and JAX, each step waits for the batch hooks of the step before, and the fit is slower than one without callbacks.
    """

    async_safe = True


def prevent_tensorflow_import() -> None:
    """Tell Keras on another backend that TensorFlow is not installed.

    Keras asks its `module_utils` whether TensorFlow is there, which loads it: seconds and memory for nothing. There is
    no documented way to stop it.
    """
    from keras.src.utils import module_utils

    for name in ("tensorflow", "gfile"):
        if hasattr(module_utils, name):
            getattr(module_utils, name)._available = False


def keras_allows_cudnn(layer: keras.layers.Layer, backend: str) -> bool:
    """Whether Keras's own check, `cudnn_ok` of its backend, lets a GRU or LSTM layer run on cuDNN here.

    Keras documents the rules in prose and not the check. It is asked only to say why a layer did not run on cuDNN.

    Args:
        layer: The layer.
        backend: The backend that Keras has.
    """
    from keras.src import backend as keras_backend

    settings = {
        "activation": layer.cell.activation,
        "recurrent_activation": layer.cell.recurrent_activation,
        "unroll": layer.unroll,
        "use_bias": layer.cell.use_bias,
    }
    if backend == "tensorflow" and hasattr(layer.cell, "reset_after"):
        settings["reset_after"] = layer.cell.reset_after
    return bool(keras_backend.cudnn_ok(**settings))


def kernel_of(backend: str, operations: Set[str]) -> tuple[str, str]:
    """The kernel that ran a recurrent layer, and the operation that shows it.

    Args:
        backend: The backend that Keras has.
        operations: The names of all operations that the layer executed.

    Returns:
        `cudnn`, `xla` or `keras`; and the operation, empty where none of the known ones was executed.
    """
    known = KERNEL_OPERATIONS[backend]
    for kernel, pattern in known:
        if names := sorted(matches(operations, pattern)):
            return kernel, names[0]
    return known[-1][0], ""


def set_nadam_product(optimizer: keras.optimizers.Nadam, product: float) -> None:
    """Give Nadam the product of its momenta of all steps so far.

    It is one of the optimizer's variables, under no name; only the attribute `_u_product` tells which.
    """
    optimizer._u_product.assign(product)


def distribution_strategy(model: keras.Model) -> Any:
    """The `tf.distribute` strategy that a model on TensorFlow was built in.

    The attribute `distribute_strategy` was documented in Keras 2, and is there without documentation in Keras 3.
    """
    return model.distribute_strategy


def is_compiled_by_xla(model: keras.Model) -> bool:
    """Whether a compiled model's steps are compiled by XLA.

    Keras documents `jit_compile` as an argument of `compile` only, and turns it off by itself where a layer has no
    support; the attribute says what came of it.
    """
    return bool(model.jit_compile)


@contextmanager
def steps_per_execution(model: keras.Model, steps: int) -> Iterator[None]:
    """Have one call of a compiled model run several steps, and one step again afterwards.

    Keras documents `steps_per_execution` as an argument of `compile` only. To compile again would lose the state of
    the optimizer, and a forecast has another number of batches than an epoch.

    Args:
        model: The model.
        steps: Steps a call.
    """
    model.steps_per_execution = steps
    try:
        yield
    finally:
        model.steps_per_execution = 1


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a backend raised an error because memory ran out.

    TensorFlow and PyTorch have a class for it on a GPU. For JAX, and for PyTorch on a processor, only the text of a
    RuntimeError tells.
    """
    if isinstance(error, MemoryError) or type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError"):
        return True
    texts = ("RESOURCE_EXHAUSTED", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def list_jax_operations(jaxpr: Any) -> set[str]:
    """The names of the operations of a JAX program, and of the programs in them.

    `jax.make_jaxpr` is documented, and how to go through what it returns is not part of JAX's public interface: the
    equations, the name of each one's primitive, and programs as parameters, with or without their constants.

    Args:
        jaxpr: The program: what `jax.make_jaxpr` returns, or the program in it.
    """
    names: set[str] = set()
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        names.add(equation.primitive.name)
        for value in equation.params.values():
            for item in value if isinstance(value, tuple | list) else (value,):
                if hasattr(getattr(item, "jaxpr", item), "eqns"):
                    names |= list_jax_operations(item)
    return names


def jax_compute_capability(device: jax.Device) -> tuple[int, int] | None:
    """The compute capability of a JAX device; None where it is no NVIDIA card.

    JAX sets the attribute on the devices of its CUDA plugin and does not document it.
    """
    text = str(getattr(device, "compute_capability", ""))
    major, _, minor = text.partition(".")
    return (int(major), int(minor or 0)) if text else None


def jax_peak_memory_bytes(device: jax.Device) -> int | None:
    """The most memory that a JAX device has held; None where it does not say.

    `Device.memory_stats` is there, and its keys are documented nowhere.
    """
    stats = device.memory_stats() or {}
    return int(stats["peak_bytes_in_use"]) if "peak_bytes_in_use" in stats else None
