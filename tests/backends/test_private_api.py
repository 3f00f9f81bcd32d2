"""A guard for each undocumented thing that grubench uses: it fails with a sentence when a new version changes it."""

from __future__ import annotations

import inspect
import mmap
import sys
from importlib import metadata, util
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from grubench.backends import private_api
from grubench.spec.backends import BACKENDS, TORCH_DEVICE


def changed(package: str, what: str) -> str:
    """What a guard says when it fails."""
    return (
        f"{package} {metadata.version(package)} has changed what it does not document: {what}. It was last seen with "
        f"{private_api.SEEN_WITH[package]}; look at grubench/backends/private_api.py."
    )


def source(package: str, *parts: str) -> str:
    """The text of a module of a package, which is not loaded; skips where the package is not installed."""
    found = util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    path = Path(found.origin).parent.joinpath(*parts)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def test_every_backend_has_its_versions_and_operations() -> None:
    assert private_api.SEEN_WITH.keys() == {"keras", *BACKENDS}
    assert private_api.KERNEL_OPERATIONS.keys() == BACKENDS.keys()


def test_keras_looks_for_tensorflow_as_it_did() -> None:
    from keras.src.utils import module_utils

    for name in ("tensorflow", "gfile"):
        module = getattr(module_utils, name, None)
        assert hasattr(module, "available"), changed("keras", f"module_utils.{name}.available is gone")
        assert "_available" in vars(module), changed("keras", f"module_utils.{name}._available is gone")


def test_keras_can_be_told_that_tensorflow_is_not_there(monkeypatch) -> None:
    from keras.src.utils import module_utils

    monkeypatch.setattr(module_utils.tensorflow, "_available", None)
    monkeypatch.setattr(module_utils.gfile, "_available", None)
    private_api.prevent_tensorflow_import()
    assert not module_utils.tensorflow.available, changed("keras", "_available no longer decides `available`")
    assert not module_utils.gfile.available
    assert "tensorflow" in sys.modules


def test_keras_has_its_check_for_cudnn() -> None:
    from keras.src import backend

    assert hasattr(backend, "cudnn_ok"), changed("keras", "backend.cudnn_ok is gone")
    parameters = list(inspect.signature(backend.cudnn_ok).parameters)
    assert parameters == ["activation", "recurrent_activation", "unroll", "use_bias", "reset_after"], changed(
        "keras", "backend.cudnn_ok takes other arguments"
    )
    for layer in (keras.layers.GRU(2), keras.layers.LSTM(2)):
        for name in ("activation", "recurrent_activation", "use_bias"):
            assert hasattr(layer.cell, name), changed("keras", f"a layer's cell has no {name}")
        assert hasattr(layer, "unroll"), changed("keras", "a recurrent layer has no attribute unroll")
    assert hasattr(keras.layers.GRU(2).cell, "reset_after"), changed("keras", "GRUCell.reset_after is gone")


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_keras_has_its_check_for_cudnn_on_other_backends(backend: str) -> None:
    text = source("keras", "src", "backend", backend, "rnn.py")
    assert "def cudnn_ok(" in text, changed("keras", f"cudnn_ok of the {backend} backend is gone")


def test_keras_runs_batch_hooks_beside_the_step_where_a_callback_says_so(monkeypatch) -> None:
    from keras.src import backend
    from keras.src.callbacks import callback_list

    monkeypatch.setattr(backend, "IS_THREAD_SAFE", True)  # as on PyTorch and JAX

    class Slow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    class Safe(private_api.AsyncSafe, Slow):
        pass

    for callback, expected in ((Safe(), True), (Slow(), False)):
        callbacks = callback_list.CallbackList([callback])
        assert callbacks._async_train is expected, changed("keras", "async_safe decides nothing")


@pytest.mark.parametrize(
    ("backend", "operations", "expected"),
    [
        ("tensorflow", {"MatMul", "CudnnRNNV3", "While"}, ("cudnn", "CudnnRNNV3")),
        ("tensorflow", {"MatMul", "StatelessWhile"}, ("keras", "StatelessWhile")),
        ("tensorflow", {"MatMul"}, ("keras", "")),
        ("torch", {"aten::mm", "aten::_cudnn_rnn"}, ("cudnn", "aten::_cudnn_rnn")),
        ("torch", {"aten::mm", "aten::addmm"}, ("keras", "aten::addmm")),
        ("torch", set(), ("keras", "")),
        ("jax", {"while", "rnn_fwd"}, ("cudnn", "rnn_fwd")),
        ("jax", {"while", "scan"}, ("xla", "scan")),
        ("jax", {"dot_general"}, ("xla", "")),
    ],
)
def test_the_most_telling_operation_names_the_kernel(backend: str, operations: set, expected: tuple) -> None:
    assert private_api.kernel_of(backend, operations) == expected


def test_tensorflows_operations_have_their_names() -> None:
    assert hasattr(tf.raw_ops, "CudnnRNNV3"), changed("tensorflow", "the operation CudnnRNNV3 is gone")
    text = source("keras", "src", "backend", "tensorflow", "rnn.py")
    assert "CudnnRNN" in text, changed("keras", "its TensorFlow backend no longer calls CudnnRNN")

    @tf.function
    def loop(x):
        return tf.while_loop(lambda x: x < 3.0, lambda x: x + 1.0, [x])

    names = {node.op for node in loop.get_concrete_function(tf.TensorSpec([])).graph.as_graph_def().node}
    assert names & {"While", "StatelessWhile"}, changed("tensorflow", "a loop runs as another operation")


def test_torchs_operation_has_its_name() -> None:
    assert "_cudnn_rnn" in source("torch", "_meta_registrations.py"), changed("torch", "aten::_cudnn_rnn is gone")


def test_jaxs_operation_has_its_name() -> None:
    assert "rnn_fwd" in source("jax", "experimental", "rnn.py"), changed("jax", "the primitive rnn_fwd is gone")


def test_the_operations_of_a_jax_program_can_be_listed() -> None:
    """Those of the loop's body too, which is a parameter of `scan`, and of a function with constants."""
    jax = pytest.importorskip("jax")
    table = np.arange(3.0)

    def program(x):
        return jax.lax.scan(lambda state, step: (jax.numpy.tanh(state) * step, state), x, table)

    names = private_api.list_jax_operations(jax.make_jaxpr(jax.jit(program))(1.0))
    assert {"scan", "tanh", "mul"} <= names, changed("jax", "a program no longer shows its operations")


def test_xla_reads_its_number_of_threads() -> None:
    found = util.find_spec("jaxlib")
    if found is None or found.origin is None:
        pytest.skip("jaxlib is not installed")
    name = private_api.XLA_THREADS_VARIABLE.encode()
    for path in Path(found.origin).parent.glob("*.so"):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.find(name) >= 0:
                return
    raise AssertionError(changed("jax", f"XLA no longer reads {name.decode()}"))


def test_keras_reads_the_device_for_torch() -> None:
    text = source("keras", "src", "backend", "torch", "core.py")
    assert TORCH_DEVICE in text, changed("keras", f"its PyTorch backend no longer reads {TORCH_DEVICE}")


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_model_says_whether_xla_compiles_it(jit_compile: bool) -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=jit_compile)
    assert hasattr(model, "jit_compile"), changed("keras", "Model.jit_compile is gone")
    assert private_api.is_compiled_by_xla(model) is jit_compile


def small_model() -> keras.Model:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_a_model_has_its_distribution_strategy() -> None:
    model = small_model()
    assert hasattr(model, "distribute_strategy"), changed("keras", "Model.distribute_strategy is gone")
    assert private_api.distribution_strategy(model).num_replicas_in_sync == 1


def test_steps_per_execution_can_be_set_after_compile() -> None:
    """A call of the batch hooks is a call of Keras: with 4 steps a call there are 2 of them in an epoch of 8."""
    calls: list[int] = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(batch))
    model = small_model()
    x = np.zeros((8, 2), np.float32)
    with private_api.steps_per_execution(model, 4):
        model.fit(x, x[:, :1], batch_size=1, verbose=0, callbacks=[count])
    assert len(calls) == 2, changed("keras", "steps_per_execution cannot be set after compile")
    assert model.steps_per_execution == 1


def test_steps_per_execution_is_restored_after_an_error() -> None:
    model = small_model()
    with pytest.raises(ZeroDivisionError), private_api.steps_per_execution(model, 4):
        1 / 0  # noqa: B018
    assert model.steps_per_execution == 1


def test_out_of_memory_is_known_by_class_or_text() -> None:
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    assert private_api.is_out_of_memory(error), changed("tensorflow", "ResourceExhaustedError has another name")
    assert private_api.is_out_of_memory(MemoryError())
    assert private_api.is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory"))
    assert private_api.is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not private_api.is_out_of_memory(ValueError("RESOURCE_EXHAUSTED"))
    assert not private_api.is_out_of_memory(RuntimeError("shape mismatch"))


@pytest.mark.skipif(util.find_spec("torch") is None, reason="torch is not installed")
def test_torchs_out_of_memory_has_its_name() -> None:
    text = source("torch", "__init__.py") + source("torch", "cuda", "__init__.py")
    assert "OutOfMemoryError" in text, changed("torch", "OutOfMemoryError has another name")


def test_what_a_jax_device_says_is_read() -> None:
    card = SimpleNamespace(compute_capability="9.0", memory_stats=lambda: {"peak_bytes_in_use": 12})
    plain = SimpleNamespace(memory_stats=lambda: None)
    assert private_api.jax_compute_capability(card) == (9, 0)
    assert private_api.jax_compute_capability(SimpleNamespace(compute_capability=8)) == (8, 0)
    assert private_api.jax_compute_capability(plain) is None
    assert private_api.jax_peak_memory_bytes(card) == 12
    assert private_api.jax_peak_memory_bytes(plain) is None
