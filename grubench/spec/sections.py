"""The four sections of the spec, each a frozen dataclass: what can be set, to what, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from grubench.errors import SpecError
from grubench.spec.backends import BACKENDS
from grubench.spec.cells import CELLS
from grubench.spec.fields import Section, setting
from grubench.spec.losses import LOSSES
from grubench.spec.optimizers import OPTIMIZERS
from grubench.text import join_or, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

KERNELS = ("auto", "cudnn", "fused", "keras")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "tf32")
INITIALIZERS = (
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "identity",
    "random_uniform",
    "random_normal",
    "zeros",
)
ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu", "elu", "selu", "gelu", "softplus", "softsign", "hard_sigmoid")
# Digits of a layer's units.
MAX_UNITS_DIGITS = 9
# Building and tracing a deeper stack takes many minutes before the first step.
MAX_LAYERS = 100
# Threads of the largest machines; what this machine has room for is checked before a trial starts.
MAX_THREADS = 4096
# A run's history of more would take gigabytes to read.
MAX_EPOCHS = 1_000_000
LOSS_TITLES = ", ".join(f"{loss.name} ({loss.title})" for loss in LOSSES.values())
# The settings of `data` that say how a file is written.
WRITTEN = ("separator", "decimal", "thousands", "encoding", "header", "sheet", "na", "time_format", "zone")
TIME_FEATURES = ("hour", "weekday", "month", "dayofyear")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One recurrent layer of the stack: a cell and its units."""

    cell: str
    units: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A layer from its written form, such as `gru:50`."""
        cell, _, units = text.partition(":")
        if cell not in CELLS:
            raise SpecError(
                f"model.layers: {quote(text)} has an unknown cell.",
                f"Write CELL:UNITS, such as gru:64, with a cell of {', '.join(CELLS)}.",
            )
        if not units.isdecimal() or len(units) > MAX_UNITS_DIGITS or int(units) < 1:
            raise SpecError(
                f"model.layers: {quote(text)} has no valid number of units.", "Write CELL:UNITS, such as gru:64."
            )
        return cls(cell=cell, units=int(units))

    def __str__(self) -> str:
        """The written form, such as `gru:50`."""
        return f"{self.cell}:{self.units}"


def spread_cells(stack: Sequence[Layer], layers: int) -> tuple[str, ...]:
    """The cells of a stack that is to have so many layers: its one cell in each, or those of a mixed stack.

    Raises:
        SpecError: A mixed stack has another number of layers.
    """
    cells = tuple(layer.cell for layer in stack)
    if len(set(cells)) == 1:
        return cells[:1] * layers
    if len(cells) != layers:
        raise SpecError(
            f"model.units: {layers} values for the mixed stack {list_names(stack)}.",
            "Give each layer its units, or write the stack out with --layers.",
        )
    return cells


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """Which series to train and test on."""

    dataset: str = setting("activities", "A dataset by name.")
    file: str = setting("", "A CSV, Excel or Parquet file of your own.")
    separator: str = setting(
        "", "What separates columns: a character, tab or space; found out by default (CSV).", rare=True
    )
    decimal: str = setting(
        "", "The decimal separator; found out by default (own file).", choices=("", ".", ","), rare=True
    )
    thousands: str = setting(
        "",
        "The separator of thousands, or none; found out by default (own file).",
        choices=("", "none", ".", ",", " ", "'"),
        rare=True,
    )
    encoding: str = setting("", "The encoding, such as cp1252; found out by default (CSV).", rare=True)
    header: str = setting("", "The line of the header, or none; found out by default (CSV).", rare=True)
    sheet: str = setting("", "The sheet, by name or number; the first by default (Excel file).", rare=True)
    na: tuple[str, ...] = setting((), "Texts that stand for missing numbers, such as ?,NA (own file).", rare=True)
    time: str = setting("", "The column of timestamps, or columns, such as Date,Time (own file).")
    time_format: str = setting(
        "",
        "The format of the timestamps, such as %d-%m-%y; or s, ms, us, ns since 1970, excel for its days, quarter, "
        "week; found out by default (own file).",
        rare=True,
    )
    zone: str = setting(
        "", "The time zone of the timestamps, such as Europe/Berlin; by default their offsets (own file).", rare=True
    )
    target: tuple[str, ...] = setting((), "Column to forecast; several make one series each.")
    features: tuple[str, ...] = setting((), "Further input columns (own file, bitcoin).")
    time_features: tuple[str, ...] = setting(
        (), "Inputs made from the timestamps: hour, weekday, month, dayofyear.", choices=TIME_FEATURES, rare=True
    )
    series_column: str = setting("", "The column that names the series in a long file (own file).", rare=True)
    train_series: tuple[str, ...] = setting((), "Series to train on, by name; all by default.", rare=True)
    test_series: tuple[str, ...] = setting((), "Series to test on, by name; all by default.", rare=True)
    duplicates: str = setting(
        "first",
        "Rows with the same timestamp: keep the first, the last, their mean, all, or refuse.",
        choices=("first", "last", "mean", "keep", "error"),
        rare=True,
    )
    gaps: str = setting(
        "keep",
        "Missing timestamps: keep the rows as neighbors, fill in the value before, or refuse.",
        choices=("keep", "fill", "error"),
        rare=True,
    )
    missing: str = setting(
        "error",
        "Empty cells (NaN): refuse, drop the row, or fill in the value before.",
        choices=("error", "drop", "fill"),
        rare=True,
    )
    period: int | str = setting(
        "auto",
        "Steps in a season, for the seasonal baseline and MASE; 0 for none, auto finds it.",
        words=("auto",),
        low=0,
        rare=True,
    )
    short: str = setting(
        "skip",
        "Series with too few steps to train on: leave them out with a warning, or refuse.",
        choices=("skip", "error"),
        rare=True,
    )
    unit: str = setting("", "The unit of the target, for tables and pictures.", rare=True)
    generator_seed: int = setting(
        0, "Seed of generated data (activities, waves); apart from the trial's seed.", low=0, rare=True
    )

    def __post_init__(self) -> None:
        """A file of the user's own replaces the dataset."""
        super().__post_init__()
        if self.file:
            object.__setattr__(self, "dataset", "")

    @property
    def season(self) -> int:
        """Steps in a season; 0 for none, and while it is to be found."""
        return self.period if isinstance(self.period, int) else 0


@dataclass(frozen=True, kw_only=True)
class Window(Section):
    """How a series is cut into inputs and targets, split and scaled."""

    lookback: int = setting(60, "Steps in.", low=1)
    horizon: int = setting(1, "Steps out.", low=1)
    stride: int = setting(1, "Steps from one window's start to the next.", low=1, rare=True)
    every_step: bool = setting(
        False, "Forecast the next step at every step of the input, not only after it.", rare=True
    )
    split: str = setting(
        "time",
        "Split each series by time, or keep whole series apart (train_series against test_series).",
        choices=("time", "series"),
        rare=True,
    )
    validation: float = setting(0.1, "Validation part, fraction or steps.", low=0)
    test: float = setting(0.1, "Test part at the end, fraction or steps.", low=0)
    scaling: str = setting("minmax", "Scaling of inputs and target.", choices=("minmax", "standard", "none"), rare=True)
    scale_fit: str = setting(
        "train", "Fit the scaling on the training part, or on all (leaks).", choices=("train", "all"), rare=True
    )
    scale_per: str = setting(
        "series", "One scaling per series, or one for all.", choices=("series", "dataset"), rare=True
    )


@dataclass(frozen=True, kw_only=True)
class Model(Section):
    """The stack of recurrent layers and its head."""

    layers: tuple[str, ...] = setting(("gru:32",), "The stack, such as gru:64,lstm:32.")
    dropout: tuple[float, ...] = setting((0.0,), "Dropout after layers, for all or for each.", low=0, below=1)
    recurrent_dropout: float = setting(
        0.0, "Dropout of the recurrent state (rules cuDNN out).", low=0, below=1, rare=True
    )
    kernel_initializer: str = setting(
        "glorot_uniform", "Initializer of the input weights.", choices=INITIALIZERS, rare=True
    )
    recurrent_initializer: str = setting(
        "orthogonal", "Initializer of the recurrent weights.", choices=INITIALIZERS, rare=True
    )
    activation: str = setting("tanh", "Activation of the candidate.", choices=ACTIVATIONS, rare=True)
    recurrent_activation: str = setting("sigmoid", "Activation of the gates.", choices=ACTIVATIONS, rare=True)
    reset_after: bool = setting(True, "GRU: apply the reset gate after the matrix product (cuDNN's form).", rare=True)
    bidirectional: bool = setting(False, "Run each layer in both directions and join the outputs.", rare=True)
    head_activation: str = setting(
        "linear", "Activation between the last layer and the Dense head.", choices=ACTIVATIONS, rare=True
    )

    def __post_init__(self) -> None:
        """Check the stack and give every layer its dropout."""
        super().__post_init__()
        if not self.layers:
            raise SpecError("model.layers: the stack is empty.", "Give at least one layer, such as gru:64.")
        if len(self.layers) > MAX_LAYERS:
            raise SpecError(f"model.layers: {len(self.layers):,} layers are too many.", f"Give at most {MAX_LAYERS}.")
        for text in self.layers:
            Layer.parse(text)
        dropout = self.dropout * len(self.layers) if len(self.dropout) == 1 else self.dropout
        if len(dropout) != len(self.layers):
            raise SpecError(
                f"model.dropout: {len(dropout)} values for {len(self.layers)} layers.",
                "Give one for all, or one per layer.",
            )
        object.__setattr__(self, "dropout", dropout)

    @property
    def stack(self) -> tuple[Layer, ...]:
        """The layers, parsed."""
        return tuple(Layer.parse(text) for text in self.layers)

    @property
    def cell(self) -> str:
        """The cell of the stack (`gru`), or the cells of a mixed stack in order (`gru-lstm`)."""
        cells = [layer.cell for layer in self.stack]
        return cells[0] if len(set(cells)) == 1 else "-".join(cells)


@dataclass(frozen=True, kw_only=True)
class Training(Section):
    """How the model is fitted."""

    epochs: int = setting(20, "Passes over the training windows.", low=1, below=MAX_EPOCHS + 1)
    seconds: float = setting(
        0.0,
        "Train this long in place of --epochs, the first step and validation apart; 0 for epochs.",
        low=0,
        rare=True,
    )
    batch_size: int = setting(32, "Windows per step.", low=1)
    optimizer: str = setting("adam", "Optimizer.", choices=tuple(OPTIMIZERS))
    learning_rate: float = setting(0.0, "Learning rate; 0 for the optimizer's default.", low=0)
    clipnorm: float = setting(0.0, "Clip each gradient's norm; 0 for no clipping.", low=0, rare=True)
    clipvalue: float = setting(0.0, "Clip each gradient's values; 0 for no clipping.", low=0, rare=True)
    loss: str = setting("mse", f"Loss, on scaled values: {LOSS_TITLES}.", choices=tuple(LOSSES))
    shuffle: bool = setting(True, "Shuffle the windows anew each epoch, the same way for every cell.", rare=True)
    patience: int = setting(0, "Stop after this many epochs without a better validation loss; 0 for never.", low=0)
    min_delta: float = setting(
        0.0, "The smallest decrease of the validation loss that counts as better.", low=0, rare=True
    )
    backend: str = setting("tensorflow", f"{join_or(BACKENDS)}.", choices=tuple(BACKENDS))
    precision: str = setting(
        "float32",
        "Precision of the computation; weights stay in float32, and tf32 is for NVIDIA GPUs.",
        choices=PRECISIONS,
        rare=True,
    )
    jit: bool = setting(False, "Compile the step with XLA (rules TensorFlow's cuDNN out; JAX always does).", rare=True)
    kernel: str = setting("auto", "Kernel: auto, cudnn, fused or keras.", choices=KERNELS)
    threads: int = setting(0, "Processor threads; 0 for all cores.", low=0, below=MAX_THREADS + 1, rare=True)
    strategy: str = setting(
        "one",
        "Devices of one model: one, or mirrored on every GPU, which share each batch.",
        choices=("one", "mirrored"),
        rare=True,
    )

    def __post_init__(self) -> None:
        """Write down the optimizer's default learning rate where none is set."""
        super().__post_init__()
        if self.learning_rate == 0:
            object.__setattr__(self, "learning_rate", OPTIMIZERS[self.optimizer].learning_rate)


SECTIONS: dict[str, type[Section]] = {"data": Data, "window": Window, "model": Model, "training": Training}
