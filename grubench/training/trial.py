"""One trial: data, windows, model, fit, evaluation, run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from grubench.backends import machine
from grubench.backends.loader import backend
from grubench.data import categories, datasets
from grubench.data import windows as cutting
from grubench.training import evaluate
from grubench.training.checkpoint import CheckpointFile
from grubench.training.events import Stage
from grubench.training.fit import fit, forecast
from grubench.training.kernel_check import check, is_fused, observe_kernels
from grubench.training.model import build_model
from grubench.training.options import TrialOptions
from grubench.training.save_run import Clock, Trained, save

if TYPE_CHECKING:
    from pathlib import Path

    from grubench.data.series import Dataset
    from grubench.data.windows import Windows
    from grubench.spec.experiment import Experiment
    from grubench.training.events import OnTrialEvent
    from grubench.training.fused_fit import FusedModel


def run_trial(
    spec: Experiment,
    folder: Path,
    on_event: OnTrialEvent,
    *,
    options: TrialOptions | None = None,
    dataset: Dataset | None = None,
) -> None:
    """Train one trial and fill its run folder.

    Args:
        spec: The spec.
        folder: The folder to make and fill; the caller gives it its final name once it is whole.
        on_event: Called with the progress: `Stage`, `Step` and `EpochEnd`.
        options: How it is run.
        dataset: Its data, where they are read already.

    Raises:
        UsageError: The spec does not fit the data, or asks for what cannot be had here.
        DataError: The data cannot be used.
        TrainingError: The loss is NaN or infinite, or memory ran out.
        RunError: The run cannot be written.
    """
    options = options or TrialOptions()
    this_machine = options.with_all_cards(machine.describe_machine(spec.training.backend))
    clock = Clock()
    prepare(spec, options)
    on_event(Stage(text="reading the data"))
    dataset = dataset or categories.encode(datasets.load(spec.data, spec.data_name), spec)
    windows = cutting.build(dataset, spec)
    clock.lap("data_s")
    model = build_model(spec, windows.lookback, windows.feature, windows.outputs)
    kernels = observe_kernels(model, spec)
    clock.lap("build_s")
    identity = f"{spec.digest} {dataset.fingerprint()} {this_machine}"
    checkpoint_file = CheckpointFile(
        path=options.checkpoint, every=options.checkpoint_every, identity=identity, start_s=clock.began
    )
    fused = _make_fused(model, windows, spec, options) if is_fused(kernels) else None
    fitted = fit(model, windows, spec, on_event, checkpoint_file, fused=fused)
    clock.lap("fit_s")
    clock.add("fit_s", fitted.earlier_s)
    on_event(Stage(text="forecasting the test part"))
    predicted = forecast(model, windows, windows.index("test"), spec, fused)
    clock.lap("predict_s")
    test, baselines = evaluate.evaluate_all(predicted, windows, dataset, spec.data.season)
    clock.lap("evaluate_s")
    trained = Trained(
        spec=spec,
        options=options,
        dataset=dataset,
        windows=windows,
        model=model,
        kernels=kernels,
        record=fitted.record,
        kept_epoch=fitted.kept_epoch,
        predicted=predicted,
        test=test,
        baselines=baselines,
    )
    save(folder, trained, clock)


def _make_fused(model: keras.Model, windows: Windows, spec: Experiment, options: TrialOptions) -> FusedModel:
    from grubench.training.fused_fit import FusedModel

    return FusedModel(model, windows, spec, options.threads or spec.training.threads)


def prepare(spec: Experiment, options: TrialOptions) -> None:
    """Set the backend up for a trial, and see whether it could run in this process, before anything is read.

    Raises:
        UsageError: It asks for what this machine or its backend cannot give.
    """
    backend().set_threads(options.threads or spec.training.threads)
    backend().set_up_devices()
    check(spec)
    keras.utils.set_random_seed(spec.seed)
