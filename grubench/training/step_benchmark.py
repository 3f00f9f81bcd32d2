"""Steps of training and of forecasting, timed in interleaved rounds: cells, kernels and sizes on this machine.

The fused kernels run many steps a call, as they do in a fit; on Keras's loop, XLA and cuDNN a step is a call.
"""

from __future__ import annotations

import gc
import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np

from grubench.backends.loader import backend
from grubench.errors import KernelError, UsageError
from grubench.spec.experiment import Experiment
from grubench.training.benchmark_records import Benchmark, BenchmarkArm, Shape, StepTiming
from grubench.training.events import ArmStart, BenchmarkPlan, RoundEnd
from grubench.training.kernel_check import check, is_fused, observe_kernels, plan_kernels
from grubench.training.model import build_model
from grubench.training.precision import uses_tf32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grubench.training.events import OnBenchmarkEvent

# A round of one arm lasts about this long, so that a clock's grain and a moment's disturbance weigh little.
ROUND_S = 0.3
# Side of the matrices whose product shows what the processor can do, and how often it is tried.
LIMIT_SIDE = 1024
GPU_LIMIT_SIDE = 8192
LIMIT_TRIES = 20


def prepare(spec: Experiment) -> None:
    """Set the backend up for a spec, before anything is asked of it; harmless to call again."""
    backend().set_threads(spec.training.threads)
    backend().set_up_devices()


def measure(
    spec: Experiment, arms: Sequence[BenchmarkArm], sizes: Sequence[Shape], *, rounds: int, on_event: OnBenchmarkEvent
) -> Benchmark:
    """Time every arm at every shape; the arms of a shape take turns.

    An interruption ends it early, with what there is.

    Args:
        spec: The spec; its stack, kernel and sizes are replaced.
        arms: Cells on kernels.
        sizes: The shapes.
        rounds: Rounds of each arm.
        on_event: Called with the progress.

    Raises:
        UsageError: An arm cannot run here.
    """
    prepare(spec)
    for arm in arms:
        try:
            check(_spec(spec, arm, sizes[0]))
        except KernelError as error:
            raise UsageError(error.message, "Leave that kernel out of --kernels.") from error
    timings: list[StepTiming] = []
    with uses_tf32(spec), _quiet_tensorflow():
        limit = matrix_limit()
        on_event(BenchmarkPlan(rounds=len(sizes) * rounds))
        try:
            for shape in sizes:
                _measure_shape(spec, arms, shape, rounds=rounds, on_event=on_event, timings=timings)
        except KeyboardInterrupt:
            measured = [timing for timing in timings if timing.step_s]
            return Benchmark(timings=measured, limit_flops=limit, spec=spec, complete=False)
    return Benchmark(timings=timings, limit_flops=limit, spec=spec, complete=True)


@contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Keep TensorFlow from warning of many functions: here each arm is one."""
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(before)


def _measure_shape(
    spec: Experiment,
    arms: Sequence[BenchmarkArm],
    shape: Shape,
    *,
    rounds: int,
    on_event: OnBenchmarkEvent,
    timings: list[StepTiming],
) -> None:
    jobs = []
    for arm in arms:
        on_event(ArmStart(arm=arm, shape=shape))
        own = _spec(spec, arm, shape)
        job = (_FusedJob if is_fused(plan_kernels(own)) else _KerasJob)(own, shape)
        flops = 6.0 * shape.count_multiplications(
            arm.cell, every_step=spec.window.every_step, directions=1 + spec.model.bidirectional
        )
        timing = StepTiming(arm=arm, shape=shape, first_step_s=job.first_step_s, flops=flops)
        timings.append(timing)
        jobs.append((timing, job))
    for number in range(rounds):
        for timing, job in jobs if number % 2 == 0 else jobs[::-1]:
            step_s, forward_s = job.step_s(), job.forward_s()  # both or, after an interruption, neither
            timing.step_s.append(step_s)
            timing.forward_s.append(forward_s)
        on_event(RoundEnd(shape=shape))
    del jobs
    keras.backend.clear_session()
    gc.collect()


class _Job:
    """A model that is ready to be timed."""

    def __init__(self) -> None:
        self.first_step_s = self._time_steps(1)
        self._time_forwards(1)
        # The first few steps still allocate what later ones use again.
        few = max(1, round(ROUND_S / 10 / min(self._time_steps(1) for _ in range(2))))
        self._steps = max(1, round(ROUND_S / self._time_steps(few)))
        self._forwards = max(1, round(ROUND_S / 2 / self._time_forwards(1)))

    @abstractmethod
    def _time_steps(self, count: int) -> float:
        """The seconds of a training step, on average over so many."""

    @abstractmethod
    def _time_forwards(self, count: int) -> float:
        """The seconds of a forecast of a batch, on average over so many."""

    def step_s(self) -> float:
        return self._time_steps(self._steps)

    def forward_s(self) -> float:
        return self._time_forwards(self._forwards)


class _KerasJob(_Job):
    """A model that Keras trains."""

    def __init__(self, spec: Experiment, shape: Shape) -> None:
        keras.utils.set_random_seed(0)
        self._model = build_model(spec, shape.length, shape.features, shape.outputs)
        observe_kernels(self._model, spec)
        draw = np.random.default_rng(0)
        steps = (shape.length,) if spec.window.every_step else ()
        x = draw.random((shape.batch, shape.length, shape.features), dtype=np.float32)
        y = draw.random((shape.batch, *steps, shape.outputs), dtype=np.float32)
        self._x, self._y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
        super().__init__()

    def _time_steps(self, count: int) -> float:
        return _seconds(lambda: self._model.train_on_batch(self._x, self._y), count)

    def _time_forwards(self, count: int) -> float:
        return _seconds(lambda: self._model.predict_on_batch(self._x), count)


class _FusedJob(_Job):
    """A model that trains in compiled code; many steps are one call, as in a fit."""

    def __init__(self, spec: Experiment, shape: Shape) -> None:
        from grubench.kernels.network import Network
        from grubench.training.fused_fit import describe_network

        keras.utils.set_random_seed(0)
        model = build_model(spec, shape.length, shape.features, shape.outputs)
        described = describe_network(spec, shape.length, shape.features, shape.outputs)
        self._network = Network(described, spec.training.threads)
        self._network.set_variables([keras.ops.convert_to_numpy(one) for one in model.trainable_variables])
        rows = shape.length + max(shape.outputs, 1)
        self._series = np.random.default_rng(0).random((shape.batch + rows, shape.features), dtype=np.float32)
        self._starts = np.arange(shape.batch)
        super().__init__()

    def _time_steps(self, count: int) -> float:
        order = np.tile(self._starts, (count, 1))
        return _seconds(lambda: self._network.train(self._series, order)) / count

    def _time_forwards(self, count: int) -> float:
        return _seconds(lambda: self._network.forecast(self._series, self._starts), count)


def _seconds(call: Callable[[], object], times: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    backend().wait()
    return (time.perf_counter() - began) / times


def _spec(spec: Experiment, arm: BenchmarkArm, shape: Shape) -> Experiment:
    """The spec of an arm: `xla` is Keras's loop compiled by XLA."""
    layers = tuple(f"{arm.cell}:{units}" for units in shape.units)
    dropout = spec.model.dropout if len(spec.model.dropout) == len(layers) else spec.model.dropout[:1]
    kernel = "keras" if arm.kernel == "xla" else arm.kernel
    return replace(
        spec,
        model=replace(spec.model, layers=layers, dropout=dropout),
        training=replace(spec.training, kernel=kernel, jit=arm.kernel == "xla"),
    )


def matrix_limit() -> float:
    """Floating-point operations a second of a product of large matrices in float32: the best of several."""
    side = GPU_LIMIT_SIDE if backend().gpus() else LIMIT_SIDE
    matrix = keras.random.normal((side, side))

    def multiply() -> None:
        float(keras.ops.matmul(matrix, matrix)[0, 0])

    multiply()
    return 2.0 * side**3 / min(_seconds(multiply) for _ in range(LIMIT_TRIES))
