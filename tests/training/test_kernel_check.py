"""Which kernel ran each layer, and why it was not another."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import keras
import numpy as np
import pytest
from conftest import kernels_with, tiny

from grubench.backends import registry
from grubench.backends.loader import backend
from grubench.errors import UsageError
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model, Training
from grubench.training.kernel_check import observe_kernels
from grubench.training.model import build_model

no_gpu = pytest.mark.skipif(bool(backend().gpus()), reason="needs a machine without a GPU")


class TestWhatRuns:
    @pytest.mark.parametrize(
        ("training", "kernel", "operation"),
        [({}, "fused", ""), ({"kernel": "keras"}, "keras", "While"), ({"jit": True}, "xla", "While")],
    )
    def test_each_layer_is_seen_to_run(self, training: dict, kernel: str, operation: str) -> None:
        spec = replace(tiny(**training), model=Model(layers=("gru:4", "lstm:3", "rnn:2"), bidirectional=True))
        found = observe_kernels(build_model(spec, 14, 1, 3), spec)
        assert [one.layer for one in found] == ["gru:4", "lstm:3", "rnn:2"]
        assert {one.kernel for one in found} == {kernel}
        assert operation in {one.operation for one in found}

    def test_a_run_records_it(self, trained: dict[str, Run]) -> None:
        found = trained["gru"].environment
        assert (found.backend, found.precision, found.jit_compile) == ("tensorflow", "float32", False)
        assert found.kernels[0].operation == ("" if found.devices == ("CPU",) else "CudnnRNNV3")
        assert trained["gru"].metrics.size.peak_gpu_memory_bytes == backend().peak_memory_bytes()

    def test_looking_changes_no_weight_and_no_state_of_chance(self) -> None:
        spec = replace(tiny(), model=Model(layers=("gru:4", "lstm:3"), dropout=(0.2,), recurrent_dropout=0.1))
        model = build_model(spec, 14, 1, 3)
        before = [np.array(one) for one in model.variables]
        observe_kernels(model, spec)
        assert all(np.array_equal(one, two) for one, two in zip(before, model.variables, strict=True))

    @no_gpu
    def test_a_kernel_that_was_lost_is_told_and_one_asked_for_refused(self, monkeypatch) -> None:
        """As where Keras's call of cuDNN fails and it falls back."""
        monkeypatch.setattr(backend(), "lacks_cudnn", lambda: "")
        for asked in ("auto", "cudnn"):
            spec = tiny(kernel=asked)
            model = build_model(tiny(kernel="keras"), 14, 1, 3)
            if asked == "cudnn":
                with pytest.raises(UsageError, match="cudnn was asked for and cannot be had"):
                    observe_kernels(model, spec)
                continue
            (found,) = observe_kernels(model, spec)
            assert found.kernel == "keras"
            assert "cudnn_ok" in found.reasons[-1]
            assert "--kernel cudnn" in found.reasons[-1]
            monkeypatch.setattr(backend(), "allows_cudnn", lambda layer: True)
            (found,) = observe_kernels(model, spec)
            assert found.reasons[-1].startswith("TensorFlow executed While where cudnn was to run (--kernel cudnn")

    def test_keras_says_no_where_a_layer_cannot_have_it(self, monkeypatch) -> None:
        monkeypatch.setattr(import_module("keras.src.backend.tensorflow.rnn"), "_is_gpu_available", lambda: True)
        allowed = [keras.layers.GRU(2), keras.layers.LSTM(2)]
        refused = [keras.layers.GRU(2, reset_after=False), keras.layers.LSTM(2, activation="relu")]
        refused += [keras.layers.GRU(2, unroll=True), keras.layers.LSTM(2, use_bias=False)]
        assert [backend().allows_cudnn(one) for one in allowed + refused] == [True, True, False, False, False, False]

    def test_jax_has_cudnn_for_lstm_alone_and_xla_beside_it(self) -> None:
        spec = Experiment(model=Model(layers=("gru:4", "lstm:4")), training=Training(backend="jax", jit=True))
        gru, lstm = kernels_with(spec, gpu=True)
        assert "--backend tensorflow or torch" in gru.reasons[0]
        assert lstm.kernel == "cudnn"
        mixed = replace(spec, training=replace(spec.training, precision="mixed_bfloat16"))
        assert "--precision float32" in kernels_with(mixed, gpu=True)[1].reasons[0]

    def test_the_doctor_names_what_ran_and_the_backends(self, call, monkeypatch) -> None:
        monkeypatch.setattr(registry, "installed", lambda name: name == "tensorflow")
        result = call("doctor", "--layers", "gru:8,lstm:4", "--kernel", "keras")
        assert result.exit_code == 0
        assert "runs on keras (seen: While)" in result.output
        assert "pip install jax" in " ".join(result.output.split())
        assert "jit_compile off" in result.output
