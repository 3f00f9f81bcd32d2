"""The spec: one frozen tree of settings that decides a trial and is saved with its result.

`Experiment` has four sections (`data`, `window`, `model`, `training`) and a seed. It is
validated when made, reads and writes TOML without loss, and hashes to a digest that names
the trial. This module imports nothing heavy: the command line builds its flags from it.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, Self

from grubench.errors import SpecError

CELLS = ("gru", "lstm", "rnn")
KERNELS = ("auto", "cudnn", "keras")
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
TIME_FEATURES = ("hour", "weekday", "month", "dayofyear")
# Keras's own defaults, written down so that a saved spec names the rate that was used.
LEARNING_RATES = {
    "adam": 1e-3,
    "adamw": 1e-3,
    "nadam": 1e-3,
    "adamax": 1e-3,
    "rmsprop": 1e-3,
    "adagrad": 1e-3,
    "sgd": 1e-2,
    "lion": 1e-3,
}


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> Any:
    """A field of a section with what the command line and the validation need to know of it.

    Args:
        default: The default value; its type is the field's type.
        help: One line for `--help`.
        choices: The valid values of a string (or of each string in a tuple).
        low: The smallest valid number.
        high: The largest valid number.
        below: A bound that a number must stay under.
    """
    return field(default=default, metadata={"help": help, "choices": choices, "low": low, "high": high, "below": below})


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
                f"model.layers: {text!r} names no cell that grubench knows.",
                f"Write CELL:UNITS, such as gru:64, with a cell of {', '.join(CELLS)}.",
            )
        if not units.isdecimal() or int(units) < 1:
            raise SpecError(
                f"model.layers: {text!r} has no valid number of units.", "Write CELL:UNITS, such as gru:64."
            )
        return cls(cell=cell, units=int(units))

    def __str__(self) -> str:
        """The written form, such as `gru:50`."""
        return f"{self.cell}:{self.units}"


def coerce(key: str, setting: Field[Any], value: Any) -> Any:
    """A value of a setting's own type, or a SpecError that names the key, the value and what is valid."""
    default = setting.default
    if isinstance(default, tuple):
        item = default[0] if default else ""
        items = value if isinstance(value, list | tuple) else (value,)
        return tuple(_scalar(key, item, one) for one in items)
    return _scalar(key, default, value)


def _scalar(key: str, default: Any, value: Any) -> Any:
    kind = type(default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise SpecError(f"{key}: {value!r} is not {names[kind]}.")
    return value


def _check_bounds(key: str, meta: Any, value: Any) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if meta["choices"] and item not in meta["choices"]:
            raise SpecError(f"{key}: unknown value {item!r}.", f"Valid: {', '.join(meta['choices'])}.")
        if isinstance(item, float) and not math.isfinite(item):
            raise SpecError(f"{key}: {item} is not a finite number.")
        if meta["low"] is not None and item < meta["low"]:
            raise SpecError(f"{key}: {item} is too small.", f"The smallest valid value is {meta['low']}.")
        if meta["high"] is not None and item > meta["high"]:
            raise SpecError(f"{key}: {item} is too large.", f"The largest valid value is {meta['high']}.")
        if meta["below"] is not None and item >= meta["below"]:
            raise SpecError(f"{key}: {item} is too large.", f"It must be below {meta['below']}.")


class Section:
    """A part of the spec whose fields check themselves when it is made."""

    def __post_init__(self) -> None:
        """Coerce every field to its type and check its bounds."""
        section = type(self).__name__.lower()
        for one in fields(self):  # type: ignore[arg-type]
            key = f"{section}.{one.name}"
            value = coerce(key, one, getattr(self, one.name))
            object.__setattr__(self, one.name, value)
            _check_bounds(key, one.metadata, value)


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """Which series to train and test on."""

    dataset: str = setting("activities", "A dataset by name (see `grubench datasets`).")
    file: str = setting("", "A CSV or Parquet file of your own, in place of a dataset.")
    time: str = setting("", "The column that holds time stamps (own file). Rows are sorted by it.")
    target: tuple[str, ...] = setting((), "The column to forecast; several make one series each (own file).")
    features: tuple[str, ...] = setting((), "Further input columns (own file, bitcoin).")
    time_features: tuple[str, ...] = setting(
        (), "Inputs made from the time stamps: hour, weekday, month, dayofyear.", choices=TIME_FEATURES
    )
    series_column: str = setting("", "The column that names the series in a long file (own file).")
    train_series: tuple[str, ...] = setting((), "Series to train on, by name; all where not given.")
    test_series: tuple[str, ...] = setting((), "Series to test on, by name; all where not given.")
    duplicates: str = setting(
        "first",
        "Rows with the same time stamp: keep the first, the last, their mean, all, or refuse.",
        choices=("first", "last", "mean", "keep", "error"),
    )
    gaps: str = setting(
        "keep",
        "Missing time stamps: keep the rows as neighbours, fill in the value before, or refuse.",
        choices=("keep", "fill", "error"),
    )
    missing: str = setting(
        "error",
        "Empty cells (NaN): refuse, drop the row, or fill in the value before.",
        choices=("error", "drop", "fill"),
    )
    period: int = setting(0, "Steps in a season, for the seasonal baseline and MASE; 0 for none.", low=0)
    unit: str = setting("", "The unit of the target, for tables and pictures.")
    generator_seed: int = setting(0, "Seed of generated data (activities, waves); apart from the trial's seed.", low=0)

    def __post_init__(self) -> None:
        """A file of one's own takes the dataset's place."""
        super().__post_init__()
        if self.file:
            object.__setattr__(self, "dataset", "")


@dataclass(frozen=True, kw_only=True)
class Window(Section):
    """How a series is cut into inputs and targets, split and scaled."""

    lookback: int = setting(60, "Steps in.", low=1)
    horizon: int = setting(1, "Steps out.", low=1)
    stride: int = setting(1, "Steps from one window's start to the next.", low=1)
    every_step: bool = setting(False, "Forecast the next step at every step of the input, not only after it.")
    split: str = setting(
        "time",
        "Split each series by time, or keep whole series apart (train_series against test_series).",
        choices=("time", "series"),
    )
    validation: float = setting(0.1, "Validation part before the test part: below 1 a fraction, else a count.", low=0)
    test: float = setting(0.1, "Test part at the end: below 1 a fraction of the steps, else a count.", low=0)
    scaling: str = setting("minmax", "Scaling of inputs and target.", choices=("minmax", "standard", "none"))
    scale_fit: str = setting(
        "train", "Fit the scaling on the training part, or on all (leaks).", choices=("train", "all")
    )
    scale_per: str = setting("series", "One scaling per series, or one for all.", choices=("series", "dataset"))


@dataclass(frozen=True, kw_only=True)
class Model(Section):
    """The stack of recurrent layers and its head."""

    layers: tuple[str, ...] = setting(("gru:32",), "The stack, such as gru:64,lstm:32.")
    dropout: tuple[float, ...] = setting(
        (0.0,), "Dropout after each layer; one for all or one a layer.", low=0, below=1
    )
    recurrent_dropout: float = setting(0.0, "Dropout of the recurrent state (rules cuDNN out).", low=0, below=1)
    kernel_initializer: str = setting("glorot_uniform", "Initializer of the input weights.", choices=INITIALIZERS)
    recurrent_initializer: str = setting("orthogonal", "Initializer of the recurrent weights.", choices=INITIALIZERS)
    activation: str = setting("tanh", "Activation of the candidate.", choices=ACTIVATIONS)
    recurrent_activation: str = setting("sigmoid", "Activation of the gates.", choices=ACTIVATIONS)
    reset_after: bool = setting(True, "GRU: apply the reset gate after the matrix product (cuDNN's form).")
    bidirectional: bool = setting(False, "Run each layer in both directions and join the outputs.")
    head_activation: str = setting(
        "linear", "Activation between the last layer and the Dense head.", choices=ACTIVATIONS
    )

    def __post_init__(self) -> None:
        """Check the stack and give every layer its dropout."""
        super().__post_init__()
        if not self.layers:
            raise SpecError("model.layers: the stack is empty.", "Give at least one layer, such as gru:64.")
        for text in self.layers:
            Layer.parse(text)
        dropout = self.dropout * len(self.layers) if len(self.dropout) == 1 else self.dropout
        if len(dropout) != len(self.layers):
            raise SpecError(
                f"model.dropout: {len(dropout)} values for {len(self.layers)} layers.",
                "Give one for all, or one a layer.",
            )
        object.__setattr__(self, "dropout", dropout)

    @property
    def stack(self) -> tuple[Layer, ...]:
        """The layers, parsed."""
        return tuple(Layer.parse(text) for text in self.layers)

    @property
    def cell(self) -> str:
        """The one cell of the stack (`gru`), or the cells of a mixed stack in order (`gru-lstm`)."""
        cells = [layer.cell for layer in self.stack]
        return cells[0] if len(set(cells)) == 1 else "-".join(cells)


@dataclass(frozen=True, kw_only=True)
class Training(Section):
    """How the model is fitted."""

    epochs: int = setting(20, "Passes over the training windows.", low=1)
    batch_size: int = setting(32, "Windows a step.", low=1)
    optimizer: str = setting("adam", "Optimizer.", choices=tuple(LEARNING_RATES))
    learning_rate: float = setting(0.0, "Learning rate; 0 for Keras's default of the optimizer.", low=0)
    clipnorm: float = setting(0.0, "Clip each gradient's norm; 0 for no clipping.", low=0)
    clipvalue: float = setting(0.0, "Clip each gradient's values; 0 for no clipping.", low=0)
    loss: str = setting("mse", "Loss, on scaled values.", choices=("mse", "mae", "huber", "log_cosh"))
    shuffle: bool = setting(True, "Shuffle the windows anew each epoch, the same way for every cell.")
    patience: int = setting(0, "Stop after this many epochs without a better validation loss; 0 for never.", low=0)
    min_delta: float = setting(0.0, "The least change of the validation loss that counts as better.", low=0)
    precision: str = setting(
        "float32", "Numbers to compute with.", choices=("float32", "mixed_bfloat16", "mixed_float16")
    )
    jit: bool = setting(False, "Compile the step with XLA (rules cuDNN out).")
    kernel: str = setting("auto", "What runs the recurrence; cudnn refuses to start where it can't.", choices=KERNELS)
    threads: int = setting(0, "Processor threads; 0 for all cores.", low=0)

    def __post_init__(self) -> None:
        """Write the optimizer's own learning rate in where none was given."""
        super().__post_init__()
        if self.learning_rate == 0:
            object.__setattr__(self, "learning_rate", LEARNING_RATES[self.optimizer])


SECTIONS: dict[str, type[Section]] = {"data": Data, "window": Window, "model": Model, "training": Training}


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that decides one trial.

    Raises:
        SpecError: A value is out of its bounds or contradicts another.
    """

    data: Data = field(default_factory=Data)
    window: Window = field(default_factory=Window)
    model: Model = field(default_factory=Model)
    training: Training = field(default_factory=Training)
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed and the combinations."""
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise SpecError(f"seed: {self.seed!r} is not valid.", "Give a whole number from 0 to 4294967295.")
        for message, remedy in filter(None, (check(self) for check in _COMBINATIONS)):
            raise SpecError(message, remedy)

    @classmethod
    def from_dict(cls, tree: dict[str, Any]) -> Self:
        """An Experiment from nested dictionaries; what is absent takes its default."""
        check_keys(tree)
        parts = {name: section(**tree.get(name, {})) for name, section in SECTIONS.items()}
        return cls(**parts, seed=tree.get("seed", 0))  # type: ignore[arg-type]

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """An Experiment from TOML, as `to_toml` writes it."""
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"Not TOML: {error}.") from error

    def to_dict(self) -> dict[str, Any]:
        """The spec as nested dictionaries of plain values."""
        return {"seed": self.seed} | {name: asdict(getattr(self, name)) for name in SECTIONS}

    def to_toml(self) -> str:
        """The spec as TOML; `from_toml` gives an equal Experiment back."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @property
    def digest(self) -> str:
        """A hash of every setting, 64 hexadecimal digits: it names the trial."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    @property
    def data_name(self) -> str:
        """The dataset's name, or the own file's name without folder and ending."""
        from pathlib import PurePath

        return PurePath(self.data.file).stem if self.data.file else self.data.dataset

    def with_cell(self, cell: str) -> Self:
        """The same experiment with every layer of another cell."""
        layers = tuple(f"{cell}:{layer.units}" for layer in self.model.stack)
        return replace(self, model=replace(self.model, layers=layers))

    def with_seed(self, seed: int) -> Self:
        """The same experiment with another seed."""
        return replace(self, seed=seed)


def check_keys(tree: dict[str, Any]) -> None:
    """Refuse keys that the spec does not have.

    Raises:
        SpecError: Naming the key and the valid ones, and the likeliest meant.
    """
    _refuse_unknown("", tree, (*SECTIONS, "seed"))
    for name, section in SECTIONS.items():
        part = tree.get(name, {})
        if not isinstance(part, dict):
            raise SpecError(f"{name}: {part!r} is not a table.", f"Write a [{name}] table of settings.")
        _refuse_unknown(f"{name}.", part, tuple(one.name for one in fields(section)))  # type: ignore[arg-type]


def _refuse_unknown(prefix: str, part: dict[str, Any], valid: tuple[str, ...]) -> None:
    for key in part:
        if key not in valid:
            from difflib import get_close_matches

            close = get_close_matches(key, valid, 1)
            hint = f"Did you mean {prefix}{close[0]}? " if close else ""
            raise SpecError(f"Unknown key {prefix}{key}.", f"{hint}Valid: {', '.join(valid)}.")


Complaint = tuple[str, str] | None


def _check_source(spec: Experiment) -> Complaint:
    if spec.data.file and not spec.data.target:
        return (f"data.target: no column of {spec.data.file} is named as the target.", "Name it with --target COLUMN.")
    return None


def _check_every_step(spec: Experiment) -> Complaint:
    if spec.window.every_step and spec.window.horizon != 1:
        return (f"window.horizon: {spec.window.horizon} does not go with every_step.", "Use a horizon of 1.")
    if spec.window.every_step and spec.model.bidirectional:
        return ("model.bidirectional: with every_step a layer would see the values it forecasts.", "Leave one out.")
    return None


def _check_patience(spec: Experiment) -> Complaint:
    if spec.training.patience and not spec.window.validation:
        return (
            f"training.patience: {spec.training.patience} needs a validation part, and window.validation is 0.",
            "Set a validation part, such as --validation 0.1.",
        )
    return None


def _check_clipping(spec: Experiment) -> Complaint:
    if spec.training.clipnorm and spec.training.clipvalue:
        return ("training.clipnorm and training.clipvalue are both set.", "Keras takes one of them.")
    return None


def _check_split(spec: Experiment) -> Complaint:
    if spec.window.split != "series":
        return None
    if not spec.data.train_series or not spec.data.test_series:
        return ("window.split: 'series' needs data.train_series and data.test_series.", "Name both.")
    shared = set(spec.data.train_series) & set(spec.data.test_series)
    if shared:
        return (f"data.test_series: {', '.join(sorted(shared))} is trained on too.", "Keep the two apart.")
    if spec.window.scale_per == "series" and spec.window.scaling != "none" and spec.window.scale_fit == "train":
        return (
            "window.scale_per: with split = 'series' a test series has no training part to fit a scaling on.",
            "Use scale_per = 'dataset'.",
        )
    return None


def _check_test(spec: Experiment) -> Complaint:
    for name in ("validation", "test"):
        size = getattr(spec.window, name)
        if size >= 1 and size != int(size):
            return (f"window.{name}: {size} is neither a fraction below 1 nor a whole count.", "")
    if spec.window.split == "time" and spec.window.test == 0:
        return ("window.test: 0 leaves nothing to test on.", "Give a fraction, such as 0.1, or a count.")
    return None


def _check_jit(spec: Experiment) -> Complaint:
    if spec.training.jit and spec.training.kernel == "cudnn":
        return ("training.jit: XLA cannot compile cuDNN's layers.", "Leave out --jit or --kernel cudnn.")
    return None


_COMBINATIONS = (
    _check_source,
    _check_every_step,
    _check_patience,
    _check_clipping,
    _check_split,
    _check_test,
    _check_jit,
)
