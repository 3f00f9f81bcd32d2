"""The fused kernels: against Keras's own layers in 64 bits, on one thread and several, and behind stock layers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import kernels_with, tiny
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grubench.backends.keras import BACKEND, keras
from grubench.kernels import compiler, recurrence
from grubench.kernels.buffers import Pool
from grubench.kernels.compiler import Processor, processor
from grubench.kernels.keras_layer import fuse
from grubench.kernels.recurrence import Gradients, Outputs, Recurrence
from grubench.kernels.threads import Workers
from grubench.kernels.tile import BACKWARD, FORWARD
from grubench.runs.records import LayerKernel
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Model, Training, Window
from grubench.training import model as models
from grubench.training.trial import run_trial

HOST = processor()
pytestmark = pytest.mark.skipif(
    HOST is None or bool(BACKEND.gpus()), reason="needs a machine without a GPU, and a processor with AVX2 or NEON"
)
LAYERS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}
CELLS = ("gru", "gru_before", "lstm", "rnn")


def layer_of(cell: str, units: int, **settings: object) -> keras.layers.RNN:
    """Keras's own layer of a cell."""
    if cell.startswith("gru"):
        settings["reset_after"] = cell == "gru"
    return LAYERS[cell.removesuffix("_before")](units, **settings)


def narrower(lanes: int, registers: int) -> Processor:
    """This processor, taken for one with shorter vectors."""
    assert HOST is not None
    return replace(HOST, lanes=lanes, registers=registers)


class Case:
    """A layer's weights, inputs and slopes of its outputs, drawn from a seed."""

    def __init__(self, cell: str, sizes: tuple[int, int, int, int], *, sequences: bool, seed: int = 0) -> None:
        batch, steps, features, units = sizes
        self.sequences, draw = sequences, np.random.default_rng(seed)
        self.layer = layer_of(cell, units, return_sequences=sequences, return_state=True, dtype="float64")
        self.layer.build((batch, steps, features))
        self.weights = tuple(
            (draw.normal(size=one.shape) / np.sqrt(max(1, one.shape[0]))).astype("f4")
            for one in self.layer.get_weights()
        )
        self.layer.set_weights(self.weights)
        self.x = draw.normal(size=(batch, steps, features)).astype("f4")
        shapes = [(batch, units)] * (2 if cell == "lstm" else 1)
        self.states = [draw.normal(size=one).astype("f4") * np.float32(0.5) for one in shapes]
        self.d_states = [draw.normal(size=one).astype("f4") for one in shapes]
        self.d_hs = draw.normal(size=(batch, steps, units)).astype("f4") if sequences else None

    def reference(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Keras's output and gradients in 64 bits: of x, the weights and the initial states."""
        x, *states = (tf.constant(one, "float64") for one in (self.x, *self.states))
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            output, *last = self.layer(x, initial_state=states)
            slopes = [self.d_hs] * self.sequences + self.d_states
            parts = [output] * self.sequences + last
            loss = sum(tf.reduce_sum(one * tf.constant(d, "float64")) for one, d in zip(parts, slopes, strict=True))
        wanted = [x, *(one.value for one in self.layer.trainable_variables), *states]
        return output.numpy(), [one.numpy() for one in tape.gradient(loss, wanted)]

    def run(self, kernel: Recurrence, *, need_x: bool = True) -> tuple[Outputs, Gradients]:
        outputs = kernel.forward(self.x, self.weights, self.states)
        gradients = kernel.backward(
            self.x, self.weights, self.states[0], outputs, d_hs=self.d_hs, d_states=self.d_states, need_x=need_x
        )
        return outputs, gradients

    def check(self, kernel: Recurrence) -> None:
        """Forward within 5e-6 absolute, every gradient within 1e-5 relative.

        A gradient is a sum of terms of order 1; where they cancel, its error is measured by them.
        """
        outputs, gradients = self.run(kernel)
        output, wanted = self.reference()
        assert np.abs((outputs.hs if self.sequences else outputs.h) - output).max() < 5e-6
        found = [gradients.x, gradients.w, gradients.u, gradients.bias, gradients.h0, gradients.c0]
        for one, other in zip((one for one in found if one is not None), wanted, strict=True):
            scale = max(np.linalg.norm(other), 1.0)
            assert np.linalg.norm(one.reshape(other.shape) - other) / scale < 1e-5


sizes = st.tuples(st.integers(1, 40), st.integers(1, 12), st.integers(1, 40), st.integers(1, 70))


@settings(max_examples=20)
@given(st.sampled_from(CELLS), sizes, st.booleans(), st.integers(1, 3), st.integers(0, 99))
@example("gru", (33, 12, 5, 100), True, 2, 0)
@example("lstm", (33, 12, 17, 128), False, 2, 0)
def test_outputs_and_gradients_are_those_of_64_bits(
    cell: str, sizes: tuple[int, int, int, int], sequences: bool, threads: int, seed: int
) -> None:
    Case(cell, sizes, sequences=sequences, seed=seed).check(Recurrence(cell, threads))


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.sampled_from(CELLS),
    st.tuples(st.integers(1, 70), st.integers(1, 30), st.integers(1, 70), st.integers(1, 260)),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 999),
)
@example("rnn", (59, 1, 59, 1), False, 1, 677)  # a gradient of 0.01, of 59 terms that cancel
def test_two_hundred_configurations(
    cell: str, sizes: tuple[int, int, int, int], sequences: bool, threads: int, seed: int
) -> None:
    Case(cell, sizes, sequences=sequences, seed=seed).check(Recurrence(cell, threads))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("lanes", "registers"), [(8, 16), (4, 32)])
def test_shorter_vectors_give_the_same(cell: str, lanes: int, registers: int) -> None:
    """The code for AVX2 and for NEON's width, run here."""
    assert HOST is not None
    if lanes > HOST.lanes:
        pytest.skip("this processor has shorter vectors")
    for sizes in ((11, 7, 3, 21), (9, 5, 1, 50)):
        Case(cell, sizes, sequences=True).check(Recurrence(cell, 2, narrower(lanes, registers)))


@pytest.mark.parametrize("cell", CELLS)
def test_one_two_and_four_threads_agree_to_the_last_bit(cell: str) -> None:
    case = Case(cell, (37, 9, 4, 50), sequences=True)
    first, *others = (case.run(Recurrence(cell, threads)) for threads in (1, 2, 4, 1))
    for other in others:
        for one, two in zip(vars(first[0]).values(), vars(other[0]).values(), strict=True):
            if one is not None and one.shape == first[0].hs.shape:
                np.testing.assert_array_equal(one, two)
        for one, two in zip(vars(first[1]).values(), vars(other[1]).values(), strict=True):
            if one is not None:
                np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("cell", CELLS)
def test_a_row_does_not_depend_on_the_rows_beside_it(cell: str) -> None:
    case = Case(cell, (13, 6, 2, 20), sequences=True)
    kernel = Recurrence(cell, 2)
    whole = kernel.forward(case.x, case.weights, case.states).hs
    for row in range(13):
        alone = kernel.forward(case.x[row : row + 1], case.weights, [one[row : row + 1] for one in case.states]).hs
        np.testing.assert_array_equal(alone[0], whole[row])


def test_the_gradient_of_the_inputs_is_made_only_where_wanted() -> None:
    case = Case("gru", (5, 4, 3, 8), sequences=False)
    with_x, without = (case.run(Recurrence("gru"), need_x=need)[1] for need in (True, False))
    assert without.x is None
    np.testing.assert_array_equal(with_x.u, without.u)


@settings(max_examples=30)
@given(st.sampled_from(CELLS), sizes, st.booleans(), st.booleans())
def test_nothing_is_written_outside_of_the_arrays(
    cell: str, sizes: tuple[int, int, int, int], sequences: bool, need_x: bool
) -> None:
    guard, made = 2048, []

    def guarded(shape: tuple[int, ...]) -> np.ndarray:
        raw = np.full(int(np.prod(shape)) + 2 * guard, 12345.0, np.float32)
        made.append(raw)
        return raw[guard : len(raw) - guard].reshape(shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "empty", guarded)
        Case(cell, sizes, sequences=sequences).run(Recurrence(cell, 2), need_x=need_x)
    for raw in made:
        assert (raw[:guard] == 12345.0).all()
        assert (raw[len(raw) - guard :] == 12345.0).all()


@given(st.integers(1, 300), st.integers(4, 9), st.sampled_from([[8, 4], [6, 4], [4, 2], [2]]))
def test_a_plan_has_every_row_once(batch: int, slots: int, sizes: list[int]) -> None:
    plan = recurrence.plan(batch, slots, sizes)
    rows = [row for slot in plan for first, size in slot for row in range(first, first + size)]
    assert rows == list(range(len(rows)))
    assert batch <= len(rows) < batch + min(sizes)
    assert len(plan) <= slots + slots % 2


class TestWorkers:
    def test_every_job_is_done_once(self) -> None:
        done: list[int] = []
        Workers(3).each(done.append, 20)
        assert sorted(done) == list(range(20))

    def test_an_error_reaches_the_caller_and_the_team_goes_on(self) -> None:
        team = Workers(2)

        def job(item: int) -> None:
            if item == 1:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            team.each(job, 2)
        done: list[int] = []
        team.each(done.append, 4)
        assert sorted(done) == [0, 1, 2, 3]

    def test_two_callers_take_turns(self) -> None:
        team, found = Workers(2), []
        callers = [threading.Thread(target=lambda: team.each(found.append, 50)) for _ in range(4)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        assert sorted(found) == sorted(list(range(50)) * 4)


class TestBuffers:
    def test_memory_is_aligned_and_used_again(self) -> None:
        pool = Pool()
        first = pool.empty((100, 7))
        where = first.ctypes.data
        assert where % 64 == 0
        view = first[3:].T
        del first
        assert pool.empty((100, 7)).ctypes.data != where  # a view still looks into it
        del view
        assert pool.empty((100, 7)).ctypes.data == where

    def test_too_much_idle_memory_is_given_back(self) -> None:
        pool = Pool(most_idle_bytes=1000)
        arrays = [pool.empty((100 + number,)) for number in range(5)]
        del arrays
        assert 0 < pool.idle_bytes <= 1000
        pool.give_back()
        assert pool.idle_bytes == 0

    def test_a_large_one_is_zero_and_can_be_written(self) -> None:
        array = Pool().empty((1 << 20, 2))
        array[-1] = 1
        assert array[0, 0] == 0

    def test_too_large_a_one_is_a_memory_error(self) -> None:
        with pytest.raises(MemoryError):
            Pool().empty((1 << 44, 1))

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_a_forked_process_has_memory_of_its_own(self) -> None:
        array = Pool().empty((1 << 20, 2))
        child = os.fork()
        if child == 0:
            array[0] = 7
            os._exit(0)
        os.waitpid(child, 0)
        assert array[0, 0] == 0


class TestCache:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(compiler.platformdirs, "user_cache_dir", lambda _: str(tmp_path))
        return tmp_path / "kernels"

    def test_code_is_kept_and_found(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert HOST is not None
        code = compiler.ready("rnn", HOST)
        assert [path.suffix for path in folder.iterdir()] == [".o"]
        monkeypatch.setattr(compiler, "compiled", lambda *_: pytest.fail("it was there"))
        assert compiler.ready("rnn", HOST) == code

    def test_damaged_code_is_compiled_again(self, folder: Path) -> None:
        assert HOST is not None
        code = compiler.ready("rnn", HOST)
        (path,) = folder.iterdir()
        for damaged in (b"", b"nonsense", path.read_bytes()[:-9]):
            path.write_bytes(damaged)
            assert compiler.ready("rnn", HOST) == code

    def test_where_nothing_can_be_kept_it_is_compiled(self, folder: Path) -> None:
        assert HOST is not None
        folder.parent.mkdir(exist_ok=True)
        folder.write_text("a file where the folder should be")
        assert compiler.ready("rnn", HOST)

    def test_another_processor_has_other_code(self, folder: Path) -> None:
        assert HOST is not None
        compiler.ready("rnn", HOST)
        compiler.ready("rnn", narrower(4, 32))
        assert len(list(folder.iterdir())) == 2


@pytest.mark.slow
def test_processes_that_compile_at_once_agree(tmp_path: Path) -> None:
    """Each makes its file aside and renames it; whoever comes last wins, with the same code."""
    words = [
        sys.executable,
        "-c",
        "from grubench.kernels import compiler; print(len(compiler.ready('lstm', compiler.processor())))",
    ]
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    teams = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [team.communicate()[0] for team in teams]
    assert [team.returncode for team in teams] == [0] * 4
    assert len(set(said)) == 1
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.suffix for path in kept] == [".o"]


def pair(spec: Experiment, lookback: int = 12, features: int = 2) -> tuple[keras.Sequential, keras.Sequential]:
    """The model of a spec on the fused kernel and on Keras's loop, with the same weights."""
    outputs = 1 if spec.window.every_step else spec.window.horizon
    made = []
    for kernel in ("fused", "keras"):
        keras.utils.set_random_seed(0)
        one = replace(spec, training=replace(spec.training, kernel=kernel))
        made.append(models.build(one, lookback, features, outputs))
    made[1].set_weights(made[0].get_weights())
    return made[0], made[1]


STACKS = (
    Experiment(model=Model(layers=("gru:16",)), window=Window(horizon=3)),
    Experiment(model=Model(layers=("lstm:16",)), window=Window(horizon=3)),
    Experiment(model=Model(layers=("gru:16",), reset_after=False)),
    Experiment(model=Model(layers=("gru:9", "lstm:20", "rnn:5"), dropout=(0.2, 0.0, 0.0)), window=Window(horizon=2)),
    Experiment(model=Model(layers=("gru:9", "lstm:20", "rnn:5")), window=Window(horizon=2)),
    Experiment(model=Model(layers=("gru:16",)), window=Window(every_step=True)),
    Experiment(model=Model(layers=("lstm:7", "gru:8"), bidirectional=True)),
)


@pytest.mark.parametrize("spec", STACKS, ids=lambda spec: ",".join(spec.model.layers))
def test_fifty_steps_of_training_are_those_of_keras(spec: Experiment) -> None:
    fused, stock = pair(spec)
    draw = np.random.default_rng(3)
    x = draw.normal(size=(21, 12, 2)).astype("f4")
    y = draw.normal(size=(21, *fused.output_shape[1:])).astype("f4")
    if any(spec.model.dropout):  # its masks are drawn anew: only the outputs can be compared
        np.testing.assert_allclose(fused.predict(x, verbose=0), stock.predict(x, verbose=0), atol=5e-6)
        return
    losses = [[float(model.train_on_batch(x, y)) for _ in range(50)] for model in (fused, stock)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(fused.predict(x, verbose=0), stock.predict(x, verbose=0), atol=1e-3)


def test_any_batch_and_length_go_through_one_layer() -> None:
    layer, stock = (keras.layers.LSTM(6, return_sequences=True) for _ in range(2))
    fuse(layer, need_x=True)
    for shape in ((3, 5, 2), (1, 1, 2), (7, 20, 2)):
        x = np.random.default_rng(0).normal(size=shape).astype("f4")
        layer(x)
        stock(x)
        stock.set_weights(layer.get_weights())
        np.testing.assert_allclose(layer(x), stock(x), atol=5e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_through_a_layer_is_keras_own(cell: str, training: bool) -> None:
    """Backwards in time, with initial states, whether or not the way forward kept what the way back needs."""
    x = tf.constant(np.random.default_rng(0).normal(size=(5, 6, 3)), "float32")
    found = []
    for fused in (True, False):
        keras.utils.set_random_seed(1)
        layer = layer_of(cell, 4, return_sequences=True, return_state=True, go_backwards=True)
        if fused:
            fuse(layer, need_x=True)
        states = [tf.ones((5, 4)) / 3] * (2 if cell == "lstm" else 1)
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs = layer(x, initial_state=states, training=training)
            loss = sum(tf.reduce_sum(tf.sin(one * (2 + k))) for k, one in enumerate(outputs))
        found.append(tape.gradient(loss, [x, *states, *(one.value for one in layer.trainable_variables)]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize("sequences", [True, False])
def test_many_calls_before_a_gradient_and_two_gradients_of_one_call(sequences: bool) -> None:
    """What was kept for a way back is gone by then, and made again."""
    x = [tf.constant(np.random.default_rng(k).normal(size=(3, 4, 2)), "float32") for k in range(9)]
    found = []
    for fused in (True, False):
        keras.utils.set_random_seed(1)
        layer = keras.layers.LSTM(5, return_sequences=sequences)
        if fused:
            fuse(layer, need_x=True)
        layer.build(x[0].shape)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            loss = sum(tf.reduce_sum(tf.sin(layer(one, training=True))) for one in x)
        found.append([tape.gradient(loss, [*x, layer.cell.recurrent_kernel.value]) for _ in range(2)])
    for one, other in zip(*found, strict=True):
        for ours, theirs in zip(one, other, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize(
    "settings", [{"activation": "relu"}, {"recurrent_dropout": 0.1}, {"use_bias": False}, {"dtype": "float64"}]
)
def test_a_layer_with_other_settings_is_refused(settings: dict) -> None:
    layer = keras.layers.GRU(4, **settings)
    with pytest.raises(ValueError, match="cannot run gru"):
        fuse(layer, need_x=True)


def test_a_masked_call_runs_on_keras_loop() -> None:
    layer, stock = keras.layers.GRU(4), keras.layers.GRU(4)
    fuse(layer, need_x=True)
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("f4")
    mask = np.array([[True, True, True, False, False]] * 3)
    layer(x)
    stock(x)
    stock.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x, mask=mask), stock(x, mask=mask), atol=1e-6)


class TestChoice:
    def kernel(self, gpu: bool = False, layer: str = "gru:4", **sections: object) -> LayerKernel:
        model = sections.get("model", Model())
        spec = Experiment(model=replace(model, layers=(layer,)), training=sections.get("training", Training()))  # type: ignore[type-var, arg-type]
        return kernels_with(spec, gpu=gpu)[0]

    def test_auto_takes_the_fused_kernel_without_a_gpu_and_cudnn_with_one(self) -> None:
        assert self.kernel().kernel == "fused"
        assert self.kernel(layer="rnn:4").kernel == "fused"
        assert self.kernel(model=Model(reset_after=False)).kernel == "fused"
        assert self.kernel(gpu=True).kernel == "cudnn"
        assert self.kernel(gpu=True, training=Training(kernel="fused")).kernel == "fused"

    @pytest.mark.parametrize(
        ("sections", "named"),
        [
            ({"model": Model(recurrent_dropout=0.1)}, "--recurrent-dropout 0"),
            ({"model": Model(activation="relu")}, "--activation tanh"),
            ({"model": Model(recurrent_activation="hard_sigmoid")}, "--recurrent-activation sigmoid"),
            ({"training": Training(precision="mixed_bfloat16")}, "--precision float32"),
            ({"training": Training(jit=True)}, "--jit"),
            ({"training": Training(kernel="keras")}, "--kernel keras"),
        ],
    )
    def test_what_it_cannot_do_runs_on_keras_loop_and_the_reason_is_said(self, sections: dict, named: str) -> None:
        found = self.kernel(**sections)
        assert found.kernel in ("keras", "xla")
        assert any(named in reason for reason in found.fused_reasons)

    def test_a_processor_without_vectors_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compiler, "processor", lambda: None)
        found = self.kernel()
        assert (found.kernel, found.fused_reasons) == ("keras", ("this processor has neither AVX2 nor NEON",))


def test_a_run_is_saved_with_stock_layers(trained: dict[str, Run], tmp_path: Path) -> None:
    assert trained["gru"].environment.kernels[0].kernel == "fused"
    fused = trained["gru"].folder
    model = keras.saving.load_model(fused / "model.keras")
    assert type(model.layers[0]) is keras.layers.GRU
    spec = tiny(kernel="keras").with_cell("gru")
    run_trial(spec, tmp_path / "run", lambda _: None)
    other = keras.saving.load_model(tmp_path / "run" / "model.keras")
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=2e-4)


@pytest.mark.parametrize("wrong", [np.zeros((2, 3, 2)), np.zeros((3, 2, 2), "f4").swapaxes(0, 1)])
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    case = Case("gru", (2, 3, 2, 4), sequences=False)
    with pytest.raises(ValueError, match="C-contiguous arrays of float32"):
        Recurrence("gru").forward(wrong, case.weights, case.states)


def test_every_entry_of_a_table_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody sets would be the address of nothing."""
    given_names = []

    class Spy(recurrence.Table):
        def __init__(self, names: tuple[str, ...], **entries: object) -> None:
            given_names.append((set(names), set(entries)))
            super().__init__(names, **entries)  # type: ignore[arg-type]

    monkeypatch.setattr(recurrence, "Table", Spy)
    Case("lstm", (2, 2, 2, 2), sequences=True).run(Recurrence("lstm"))
    assert {*FORWARD, *BACKWARD} <= set().union(*(names for names, _ in given_names))
    assert all(names == entries for names, entries in given_names)
