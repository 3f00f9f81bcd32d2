"""Backends: which one a process has, what each may be asked for, and what is seen to run."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import IN_PROCESS, arm, compare_runs, kernels_with, made, make_series, tiny, visible
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from grubench import api
from grubench.backends import machine, registry
from grubench.backends.loader import backend
from grubench.comparison import pairs
from grubench.comparison.comparison import Comparison, find_differing_machines
from grubench.comparison.verdict import write_verdict
from grubench.data import windows
from grubench.data.series import Dataset
from grubench.errors import SpecError, UsageError
from grubench.execution.options import ExecutionOptions
from grubench.reports import columns, header, rows
from grubench.runs.records import LayerKernel
from grubench.runs.run import Run
from grubench.spec.arms import find_setting_key
from grubench.spec.experiment import Experiment
from grubench.spec.sections import SECTIONS, Model, Training
from grubench.training.batches import Batches
from grubench.training.kernel_check import check, observe_kernels
from grubench.training.model import build_model
from grubench.training.precision import uses_tf32

no_gpu = pytest.mark.skipif(bool(backend().gpus()), reason="needs a machine without a GPU")


class TestTheBackendOfAProcess:
    def test_one_that_is_not_installed_is_refused_with_what_installs_it(self, call, monkeypatch) -> None:
        monkeypatch.setattr(registry, "installed", lambda name: name == "tensorflow")
        for words in (
            ("compare", "--backend", "torch"),
            ("train", "--backend", "torch"),
            ("bench", "--backend", "torch"),
        ):
            result = call(*words)
            assert result.exit_code == 2
            assert "training.backend: torch is not installed" in result.output
            assert "pip install 'grubench[torch]'" in result.output
        result = call("compare", "--vary", "backend=tensorflow,jax")
        assert (result.exit_code, "pip install 'grubench[jax]'" in result.output) == (2, True)
        assert not (Path("runs")).exists()

    def test_two_in_one_process_are_refused_before_anything_is_trained(self, call, monkeypatch) -> None:
        monkeypatch.setattr(registry, "installed", lambda name: True)
        result = call("compare", "--in-process", "--vary", "backend=tensorflow,torch")
        assert result.exit_code == 2
        assert "one process cannot load tensorflow and torch" in result.output
        result = call("train", "--in-process", "--backend", "jax")
        assert result.exit_code == 2
        assert "Keras has loaded tensorflow: a process has one backend" in result.output
        assert not list(Path().rglob("metrics.json"))

    def test_an_unknown_one_is_refused(self, call, trained: dict[str, Run]) -> None:
        for words in (("compare", "--backend", "theano"), ("predict", trained["gru"].folder, "--backend", "theano")):
            result = call(*words)
            assert (result.exit_code, "theano" in result.output) == (2, True)

    def test_it_is_part_of_the_spec_and_of_the_digest(self) -> None:
        digests = {Experiment(training=Training(backend=name)).digest for name in ("tensorflow", "torch", "jax")}
        assert len(digests) == 3

    @pytest.mark.parametrize(
        "training",
        [
            {"strategy": "mirrored", "backend": "torch"},
            {"jit": True, "backend": "torch"},
            {"kernel": "fused", "backend": "jax"},
        ],
    )
    def test_what_a_backend_cannot_do_is_refused_in_the_spec(self, training: dict) -> None:
        with pytest.raises(SpecError) as caught:
            Experiment(training=Training(**training))
        assert "--" in caught.value.remedy


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


class TestWhatRuns:
    @pytest.mark.parametrize(
        ("training", "kernel", "operation"),
        [({}, "fused", "PyFuncStateless"), ({"kernel": "keras"}, "keras", "While"), ({"jit": True}, "xla", "While")],
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
        assert found.kernels[0].operation == ("PyFuncStateless" if found.devices == ("CPU",) else "CudnnRNNV3")
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
        assert "pip install 'grubench[jax]'" in result.output.replace("\n", " ").replace("  ", "")
        assert "jit_compile off" in result.output


class TestSettingKeys:
    @pytest.mark.parametrize(
        "key", [f"{name}.{one}" for name, section in SECTIONS.items() for one in section.__dataclass_fields__]
    )
    def test_every_setting_is_found_by_its_key_and_its_name(self, key: str) -> None:
        assert find_setting_key(key) == key
        assert find_setting_key(key.partition(".")[2]) == key

    def test_the_likeliest_is_named(self) -> None:
        with pytest.raises(SpecError, match=r"Did you mean backend\?"):
            find_setting_key("backnd")

    def test_a_value_given_twice_is_refused(self, call) -> None:
        result = call("compare", "--vary", "backend=tensorflow,tensorflow")
        assert (result.exit_code, "training.backend is given tensorflow twice" in result.output) == (2, True)

    def test_the_command_line_takes_the_name_alone(self, call) -> None:
        result = call("compare", "--vary", "precission=float32,tf32")
        assert (result.exit_code, "Did you mean precision?" in result.output) == (2, True)


@given(size=st.integers(1, 40), length=st.integers(30, 80), seed=st.none() | st.integers(0, 9), epoch=st.integers(0, 3))
def test_batches_one_by_one_are_those_of_the_chunks(size: int, length: int, seed: int | None, epoch: int) -> None:
    spec = tiny()
    data = replace(spec.data, train_series=(), test_series=())
    spec = replace(spec, data=data, window=replace(spec.window, stride=1, validation=0))
    cut = windows.build(Dataset(name="made", series=(make_series(length=length + 20),)), spec)
    batches = Batches(cut, cut.index("train"), size, seed=seed)
    batches.start_epoch(epoch)
    single = [batches.batch(number) for number in range(len(batches))]
    chunks = list(batches.chunks())
    for part in (0, 1):
        np.testing.assert_array_equal(
            np.concatenate([one[part] for one in single]), np.concatenate([one[part] for one in chunks])
        )
    assert all(len(inputs) == size for inputs, _ in single[:-1])


LOOP = {
    "kernels": (LayerKernel(layer="gru:4", kernel="keras", reasons=(), fused_reasons=("it is TensorFlow's",)),),
}


class TestComparisonsOfBackends:
    def compared(self, trained: dict[str, Run], **environments: dict) -> Comparison:
        """Arms that differ in the backend, and what ran them."""
        found = made(trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)]})
        arms = {}
        for factor, (name, differing) in enumerate(environments.items(), 1):
            arms[f"GRU backend={name}"] = [
                replace(
                    run,
                    experiment=replace(run.experiment, training=replace(run.experiment.training, backend=name)),
                    environment=structs.replace(run.environment, **{"backend": name, "devices": ("CPU",)} | differing),
                    metrics=structs.replace(
                        run.metrics,
                        timing=structs.replace(run.metrics.timing, epoch_s=factor * run.metrics.timing.epoch_s),
                    ),
                )
                for run in found.runs_of("GRU")
            ]
        return compare_runs(arms)

    def test_their_times_are_compared_though_their_kernels_differ(self, trained: dict[str, Run]) -> None:
        found = self.compared(trained, tensorflow={}, torch=LOOP | {"versions": {"torch": "2"}})
        assert not pairs.explain_other_kernels(found)
        assert any("GRU backend=tensorflow trained 2.00 times as fast" in one for one in map(str, write_verdict(found)))

    def test_each_has_its_line_of_what_ran(self, trained: dict[str, Run]) -> None:
        found = self.compared(trained, tensorflow={}, torch=LOOP)
        assert header.write_kernel_lines(found) == [
            "GRU backend=tensorflow: TensorFlow on CPU, kernel fused",
            "GRU backend=torch: PyTorch on CPU, kernel keras (not fused: it is TensorFlow's)",
        ]
        assert len(header.write_kernel_lines(self.compared(trained, tensorflow={}))) == 1

    def test_times_are_compared_where_threads_are_the_question(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)]})
        arms = {
            f"GRU threads={threads}": [
                replace(
                    run,
                    experiment=replace(run.experiment, training=replace(run.experiment.training, threads=threads)),
                    environment=structs.replace(run.environment, threads=threads),
                )
                for run in found.runs_of("GRU")
            ]
            for threads in (1, 2)
        }
        assert pairs.explain_untimed(compare_runs(arms)) == ""
        unasked = [replace(run, environment=structs.replace(run.environment, threads=7)) for run in found.runs[:1]]
        assert "different threads" in pairs.explain_untimed(compare_runs({"GRU": [*unasked, *found.runs[1:]]}))

    def test_versions_that_one_alone_has_are_no_difference(self, trained: dict[str, Run]) -> None:
        def versions(**found: str) -> dict:
            return {"versions": {"keras": "3"} | found}

        same = self.compared(trained, tensorflow=versions(tensorflow="2"), torch=versions(torch="2"))
        assert find_differing_machines(same.runs) == []
        other = self.compared(trained, tensorflow=versions(tensorflow="2"), torch={"versions": {"keras": "4"}})
        assert find_differing_machines(other.runs) == ["versions"]

    def test_the_fastest_of_many_is_named(self, trained: dict[str, Run]) -> None:
        found = self.compared(trained, tensorflow={}, torch=LOOP, jax=LOOP)
        slower = {
            arm(name.name.replace("GRU", "LSTM")): [
                replace(run, experiment=run.experiment.with_cell("lstm")) for run in runs
            ]
            for name, runs in list(found.arms.items())[1:]
        }
        many = Comparison(arms=found.arms | slower)
        (said,) = [one for one in map(str, write_verdict(many)) if "fastest" in one]
        assert said.startswith("Speed: GRU backend=tensorflow trained fastest")

    def shown_columns(self, comparison: Comparison) -> list[str]:
        shown = rows.select_columns(rows.make_rows(comparison), columns.COST_COLUMNS)
        return [column.key for column in shown]

    def test_a_gpus_memory_is_a_column(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 2.0)]})
        assert "gpu_mb" not in self.shown_columns(found)
        size = structs.replace(found.runs[0].metrics.size, peak_gpu_memory_bytes=123_000_000)
        metrics = structs.replace(found.runs[0].metrics, size=size)
        found = compare_runs({"GRU": [replace(found.runs[0], metrics=metrics)]})
        assert "gpu_mb" in self.shown_columns(found)
        assert rows.make_rows(found)[0].values["gpu_mb"] == [123.0]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the tool")
def test_cards_are_found_by_the_drivers_files_or_its_tool(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(machine.VISIBLE, raising=False)
    monkeypatch.setattr(machine, "DRIVER", tmp_path / "gpus")
    monkeypatch.setenv("PATH", str(tmp_path))
    machine._cards_by_tool.cache_clear()
    assert machine.cards() == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200'\necho 'NVIDIA L4'\n")
    tool.chmod(0o755)
    machine._cards_by_tool.cache_clear()
    assert machine.cards() == ["NVIDIA H200", "NVIDIA L4"]
    assert machine.visible_cards() == ["0", "1"]
    monkeypatch.setenv(machine.VISIBLE, "")
    monkeypatch.setenv("KERAS_TORCH_DEVICE", "cpu")
    assert machine.hidden_cards() == "CUDA_VISIBLE_DEVICES="
    assert "hides this machine's card (unset it)" in backend().lacks_gpu()
    assert machine.cards("tensorflow") == ["NVIDIA H200", "NVIDIA L4", "CUDA_VISIBLE_DEVICES="]
    assert machine.cards("torch")[-1] == "KERAS_TORCH_DEVICE=cpu"
    monkeypatch.delenv(machine.VISIBLE)
    assert "grubench[cuda]" in backend().lacks_gpu()
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    (tmp_path / "gpus" / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA A10\n")
    assert machine.cards() == ["NVIDIA A10"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    machine._cards_by_tool.cache_clear()
    assert machine._cards_by_tool() == ()
    machine._cards_by_tool.cache_clear()


def test_mixed_precision_trains_and_forecasts_in_float32(tmp_path: Path) -> None:
    run = api.train(tiny(precision="mixed_bfloat16"), output=tmp_path, options=IN_PROCESS)
    assert run.environment.precision == "mixed_bfloat16"
    assert "--precision float32" in " ".join(run.environment.kernels[0].fused_reasons)
    assert np.isfinite(run.history()["loss"]).all()
    rows = next(iter(run.predictions().values()))
    assert rows["predicted"].dtype == np.float64
    plain = api.train(tiny(), output=tmp_path, options=IN_PROCESS)
    assert plain.environment.kernels[0].kernel != "keras"


def test_an_executor_that_shares_nothing_needs_no_package_here(monkeypatch) -> None:
    """Ray's nodes have packages of their own."""
    monkeypatch.setattr(registry, "installed", lambda name: False)
    ExecutionOptions(executor="ray").check([tiny()])
    with pytest.raises(UsageError, match="tensorflow is not installed"):
        ExecutionOptions().check([tiny()])
