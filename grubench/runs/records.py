"""What the JSON files of a run hold, as typed records with bounds; `files.read_record` decodes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from grubench.text import LARGEST_VALUE, LARGEST_WHOLE

# The version of the files of a run; a file of another version is refused.
SCHEMA = 4
# A trial is still learning where its loss fell by more than this late in training (`Losses.late_fall`).
STILL_LEARNING = 0.1
# Means and deviations of numbers beyond this would leave float64.
LARGEST_NUMBER = 1e150

Number = Annotated[float, Meta(gt=-LARGEST_NUMBER, lt=LARGEST_NUMBER)]
Positive = Annotated[float, Meta(gt=0, lt=LARGEST_NUMBER)]
Whole = Annotated[int, Meta(ge=0, le=LARGEST_WHOLE)]
Value = Annotated[float, Meta(ge=-LARGEST_VALUE, le=LARGEST_VALUE)]
Factor = Annotated[float, Meta(gt=0, le=LARGEST_VALUE)]
# Text without control characters.
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
Line = Annotated[str, Meta(pattern=ONE_LINE, max_length=10_000)]
# From the key of a metric (see `grubench.training.metrics`) to its value; None where it is not defined.
Scores = Mapping[str, Number | None]


class WindowCounts(Struct, frozen=True, kw_only=True):
    """How many windows each part has."""

    train: Whole
    validation: Whole
    test: Whole


class SeriesSummary(Struct, frozen=True, kw_only=True):
    """A series.

    Attributes:
        rows: Its rows.
        duplicated: Rows that repeated the timestamp before.
        missing: Timestamps that were missing.
        empty: Cells that were empty.
        dropped: Rows with empty cells that were left out.
        filled: Targets that were filled, which forecasts are not measured by.
    """

    rows: Whole
    duplicated: Whole
    missing: Whole
    empty: Whole
    dropped: Whole
    filled: Whole


class DataSummary(Struct, frozen=True, kw_only=True):
    """The data of a trial.

    Attributes:
        fingerprint: A digest of all values and time stamps.
        unit: The unit of the target; empty where it has none.
        one_unit: Whether the targets of the test part have one unit; errors in different ones are not averaged.
        windows: How many windows each part has.
        separate_targets: How many measured targets of the test part do not overlap, over all series.
        series: Each series, by name.
        notes: What was guessed when the data were read, and what looks wrong: a sentence each.
    """

    fingerprint: str
    unit: str
    one_unit: bool
    windows: WindowCounts
    separate_targets: Whole
    series: Mapping[str, SeriesSummary]
    notes: tuple[Line, ...] = ()


class Parameters(Struct, frozen=True, kw_only=True):
    """How many parameters a model has."""

    trainable: Whole
    total: Whole


class Losses(Struct, frozen=True, kw_only=True):
    """The losses of the weights that were saved, and the epochs.

    Attributes:
        train: The training loss.
        validation: The validation loss; None without validation.
        epochs: How many epochs were trained.
        kept_epoch: The epoch (from 1) whose weights were saved.
        best_epoch: The epoch (from 1) with the smallest validation loss (without validation: training loss).
        time_to_best_s: Seconds of training up to the end of that epoch.
        late_fall: How much the training loss still fell late in training: its mean over epochs -6 to -4 divided by its
            mean over the last three, minus 1; 0.1 means that it was 10 % higher shortly before. With fewer than 6
            epochs each side has half of them (rounded down). None with a single epoch, and where the loss is 0.
    """

    train: Number | None
    validation: Number | None
    epochs: Whole
    kept_epoch: Whole
    best_epoch: Whole
    time_to_best_s: Number
    late_fall: Number | None

    @property
    def is_still_learning(self) -> bool:
        """Whether the trial ended while its loss still fell: more epochs would change its scores."""
        return self.late_fall is not None and self.late_fall > STILL_LEARNING


class Evaluation(Struct, frozen=True, kw_only=True):
    """The scores of a forecaster on the test part.

    Attributes:
        overall: The means over the series.
        series: The scores of each series, by name.
        horizon: The means over the series for each step of the horizon, step 1 first.
        lags: By how many steps the forecasts of each series lag, 1 for the last value seen; None where that is not
            clear.
    """

    overall: Scores
    series: Mapping[str, Scores]
    horizon: tuple[Scores, ...]
    lags: Mapping[str, Whole | None]

    @property
    def rmse_scaled(self) -> float:
        """The mean over the series of the scaled RMSE."""
        value = self.overall["rmse_scaled"]
        assert value is not None
        return value


class EpochTiming(Struct, frozen=True, kw_only=True):
    """How long training took.

    Attributes:
        first_step_s: The first training step, with tracing and compilation.
        first_epoch_s: The first epoch, with them too.
        epoch_s: Median of the steady epochs: those without tracing and compilation.
        epoch_s_quartiles: First and third quartile of the steady epochs.
        steady_epochs: How many those are; 0 where a single epoch had to do.
        sequences_per_s: Windows a second in a steady epoch.
        train_s: All epochs.
        resumed_after_epochs: After which epochs training was resumed from a checkpoint.
    """

    first_step_s: Number
    first_epoch_s: Number
    epoch_s: Positive
    epoch_s_quartiles: tuple[Number, Number]
    steady_epochs: Whole
    sequences_per_s: Number
    train_s: Number
    resumed_after_epochs: tuple[Whole, ...]


class Timing(EpochTiming, frozen=True, kw_only=True):
    """How long a trial took, stage by stage, in seconds."""

    import_s: Number
    data_s: Number
    build_s: Number
    fit_s: Number
    predict_s: Number
    evaluate_s: Number
    save_s: Number
    total_s: Number


class Size(Struct, frozen=True, kw_only=True):
    """Bytes of the saved model, and the most memory in use; None where the system does not say."""

    model_bytes: Whole
    peak_memory_bytes: Whole | None
    peak_gpu_memory_bytes: Whole | None


class Metrics(Struct, frozen=True, kw_only=True):
    """metrics.json: everything that was measured in a trial.

    Attributes:
        schema: The version of the file.
        digest: The digest of the spec.
        data: The data.
        parameters: The number of parameters.
        loss: The losses and the epochs.
        test: The model on the test part.
        baselines: The baselines on the test part, by name; `persistence` is always among them.
        timing: The times.
        size: Memory and file size.
    """

    schema: Annotated[int, Meta(ge=SCHEMA, le=SCHEMA)]
    digest: str
    data: DataSummary
    parameters: Parameters
    loss: Losses
    test: Evaluation
    baselines: Mapping[str, Evaluation]
    timing: Timing
    size: Size


class LayerKernel(Struct, frozen=True, kw_only=True):
    """What runs one recurrent layer.

    Attributes:
        layer: The layer as written in the stack, `gru:50`.
        kernel: `cudnn`, `fused`, `xla` or `keras`.
        reasons: Why it is not cuDNN: a sentence each, naming the flag to change.
        fused_reasons: Why it is not the fused kernel either; empty where it is that or cuDNN.
        operation: What the backend executed that shows it, such as `CudnnRNNV3`; empty where it was not looked at, or
            nothing stands for the kernel.
    """

    layer: str
    kernel: str
    reasons: tuple[str, ...]
    fused_reasons: tuple[str, ...] = ()
    operation: str = ""


class Machine(Struct, frozen=True, kw_only=True):
    """What two trials must share so that their errors and times can be compared.

    Attributes:
        versions: Of Python and the packages that decide a result.
        processor: Its name.
        cores: How many it has; None where the system does not say.
        cards: The NVIDIA cards, and the variables that choose among them.
    """

    versions: Mapping[str, str]
    processor: str
    cores: Whole | None
    cards: tuple[str, ...]


class Provenance(Machine, frozen=True, kw_only=True):
    """The machine, and what was called on it.

    Attributes:
        system: The operating system.
        commit: The commit of a checkout, with a + where it was changed; None outside one.
        command: The command line.
    """

    system: str
    commit: str | None
    command: str


class Environment(Provenance, frozen=True, kw_only=True):
    """environment.json: where and how a trial ran.

    Attributes:
        backend: What Keras ran on.
        devices: The GPUs that it used, or `CPU`.
        threads: Threads of the processor, or `all`.
        shared: What the trial shared its machine with while it was timed; empty where it had it for itself.
        replicas: Copies of the model that shared each batch.
        jit_compile: Whether the model was compiled by XLA.
        precision: As the spec names it.
        kernels: What ran each recurrent layer.
        call: A random name of the call of grubench that trained it. Trials of one call took turns; others were trained
            at another time, on a machine that may have been faster or slower.
        place: Its place in the order in which that call started its trials, from 0. A trial that Ray runs again keeps
            its place; one that was resumed from a checkpoint has the call and the place of its last start.
    """

    backend: str
    devices: tuple[str, ...]
    threads: Whole | str
    shared: str
    replicas: Whole
    jit_compile: bool
    precision: str
    kernels: tuple[LayerKernel, ...]
    call: Line
    place: Whole


class SeriesScaling(Struct, frozen=True, kw_only=True):
    """The scaling of a series: `scaled = (value - offset) / factor` for each input."""

    offset: tuple[Value, ...]
    factor: tuple[Factor, ...]


class Scalings(Struct, frozen=True, kw_only=True):
    """scaling.json: the kind of scaling, that of each series by name, and the texts of each column of text."""

    kind: str
    series: Mapping[str, SeriesScaling]
    categories: Mapping[str, tuple[str, ...]] = {}
