"""Precision: what a machine cannot give is refused; what was set before is set again."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import IN_PROCESS, tiny, visible

from grubench import api
from grubench.backends.loader import backend
from grubench.errors import UsageError
from grubench.training.kernel_check import check
from grubench.training.model import build_model
from grubench.training.precision import uses_tf32

no_gpu = pytest.mark.skipif(bool(backend().gpus()), reason="needs a machine without a GPU")


class TestWhatAMachineCannotGive:
    @no_gpu
    @pytest.mark.parametrize(
        ("setting", "named"),
        [
            (
                ("--kernel", "cudnn"),
                "training.kernel: cudnn was asked for and cannot be had: gru:4: this machine has no GPU",
            ),
            (("--precision", "tf32"), "training.precision: tf32 needs an NVIDIA card of compute capability 8.0"),
            (("--precision", "mixed_float16"), "training.precision: mixed_float16 is for GPUs"),
        ],
    )
    def test_it_is_told_before_anything_is_trained(self, call, setting: tuple[str, str], named: str) -> None:
        for command in ("train", "compare"):
            result = call(command, "--in-process", "--units", 4, *setting)
            assert result.exit_code == 2
            assert named in result.output.replace("\n", " ")
        assert call("doctor", *setting).exit_code == 2
        result = call("bench", "--units", 4, *(("--kernels", "cudnn") if "--kernel" in setting else setting))
        assert result.exit_code == 2
        assert ("Leave that kernel out" in result.output) == ("--kernel" in setting)

    @no_gpu
    def test_the_arm_that_cannot_run_is_told_before_the_others_train(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="mixed_float16 is for GPUs"):
            api.compare(tiny(), vary={"precision": ["float32", "mixed_float16"]}, output=tmp_path, options=IN_PROCESS)
        assert not visible(tmp_path)

    @pytest.mark.parametrize(("capability", "fits"), [((7, 5), False), ((8, 0), True), ((8, 9), True), ((9, 0), True)])
    def test_tf32_needs_a_card_that_has_it(self, monkeypatch, capability: tuple[int, int], fits: bool) -> None:
        monkeypatch.setattr(backend(), "capability", lambda: capability)
        spec = tiny(precision="tf32")
        if fits:
            check(spec)
        else:
            with pytest.raises(UsageError, match=r"this one has 7\.5"):
                check(spec)

    def test_tf32_is_on_where_it_was_asked_for_alone(self, monkeypatch) -> None:
        """TensorFlow has it on of itself; float32 means float32 here, and what was set before is set again."""
        monkeypatch.setattr(backend(), "capability", lambda: (9, 0))
        enabled = tf.config.experimental.tensor_float_32_execution_enabled
        before = enabled(), keras.config.dtype_policy().name
        seen = []
        compile_model = keras.Sequential.compile
        monkeypatch.setattr(
            keras.Sequential, "compile", lambda *args, **named: seen.append(enabled()) or compile_model(*args, **named)
        )
        for precision, on in (("tf32", True), ("float32", False), ("mixed_bfloat16", False)):
            with uses_tf32(tiny(precision=precision)):
                assert enabled() is on
            model = build_model(tiny(precision=precision), 5, 1, 1)
            assert seen.pop() is on
            assert model.layers[0].compute_dtype == ("bfloat16" if precision == "mixed_bfloat16" else "float32")
            assert {str(weight.dtype) for weight in model.weights} == {"float32"}
            assert (enabled(), keras.config.dtype_policy().name) == before


def test_mixed_precision_trains_and_forecasts_in_float32(tmp_path: Path) -> None:
    run = api.train(tiny(precision="mixed_bfloat16"), output=tmp_path, options=IN_PROCESS)
    assert run.environment.precision == "mixed_bfloat16"
    assert "--precision float32" in " ".join(run.environment.kernels[0].fused_reasons)
    assert np.isfinite(run.history()["loss"]).all()
    rows = next(iter(run.predictions().values()))
    assert rows.predicted.dtype == np.float64
    plain = api.train(tiny(), output=tmp_path, options=IN_PROCESS)
    assert plain.environment.kernels[0].kernel != "keras"
