"""The spec: one frozen tree of settings that decides a trial and is saved with its result.

`Experiment` has four sections (`data`, `window`, `model`, `training`) and a seed. It is
validated when made, reads and writes TOML without loss, and hashes to a digest that names
the trial. This module imports nothing heavy: the command line builds its flags from it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

from grubench.errors import KernelError, SpecError
from grubench.spec.backends import BACKENDS, list_backends
from grubench.spec.kernel_rules import cudnn_reasons, fused_reasons
from grubench.spec.sections import SECTIONS, Data, Model, Training, Window
from grubench.text import closest_match, list_names, quote

# A spec is a page; the names of ten thousand series still fit.
MOST_TOML = 2**20
MOST_PARTS = 100
# What a dotted key of TOML cannot reach across.
TOML_MARKS = re.compile(r"[=,\n\[{]")


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
            raise SpecError(f"seed: {quote(self.seed)} is not valid.", "Give a whole number from 0 to 4294967295.")
        for error in filter(None, (check(self) for check in _COMBINATIONS)):
            raise error

    @classmethod
    def from_dict(cls, tree: dict[str, Any]) -> Self:
        """An Experiment from nested dictionaries; what is absent takes its default."""
        check_keys(tree)
        parts = {name: section(**tree.get(name, {})) for name, section in SECTIONS.items()}
        return cls(**parts, seed=tree.get("seed", 0))  # type: ignore[arg-type]

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """An Experiment from TOML, as `to_toml` writes it."""
        return cls.from_dict(parse_toml(text))

    def to_dict(self) -> dict[str, Any]:
        """The spec as nested dictionaries of plain values."""
        return {"seed": self.seed} | {name: asdict(getattr(self, name)) for name in SECTIONS}

    def to_toml(self) -> str:
        """The spec as TOML; `from_toml` gives an equal Experiment back."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @cached_property
    def digest(self) -> str:
        """A hash of every setting, 64 hexadecimal digits: it names the trial."""
        texts = {name: getattr(self, name).sorted_json for name in SECTIONS} | {"seed": str(self.seed)}
        text = ", ".join(f'"{name}": {texts[name]}' for name in sorted(texts))
        return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()

    @property
    def data_name(self) -> str:
        """The dataset's name, or the own file's name without folder and ending."""
        from pathlib import PurePath

        return PurePath(self.data.file).stem if self.data.file else self.data.dataset

    def with_cell(self, cell: str) -> Self:
        """The same experiment with every layer of another cell."""
        return self.with_layers(tuple(f"{cell}:{layer.units}" for layer in self.model.stack))

    def with_layers(self, layers: tuple[str, ...]) -> Self:
        """The same experiment with another stack of as many layers."""
        return replace(self, model=replace(self.model, layers=layers))

    def with_seed(self, seed: int) -> Self:
        """The same experiment with another seed."""
        return replace(self, seed=seed)


def parse_toml(text: str) -> dict[str, Any]:
    """The tree in a TOML text that may be a stranger's.

    Raises:
        SpecError: It is not TOML, or is nothing that a person would write: reading it could take without end.
    """
    if len(text) > MOST_TOML:
        raise SpecError(f"Not a spec: {len(text):,} characters.", f"The most are {MOST_TOML:,}.")
    # tomllib takes time with the square of a key's parts: 30,000 of them take eight seconds.
    if text.count(".") > MOST_PARTS and any(piece.count(".") > MOST_PARTS for piece in TOML_MARKS.split(text)):
        raise SpecError(f"Not a spec: a key has more than {MOST_PARTS} parts.", "Keys have one, as in [model].")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"Not TOML: {error}.") from error


def check_keys(tree: dict[str, Any]) -> None:
    """Refuse keys that the spec does not have.

    Raises:
        SpecError: Naming the key and the valid ones, and the likeliest meant.
    """
    _refuse_unknown("", tree, (*SECTIONS, "seed"))
    for name, section in SECTIONS.items():
        part = tree.get(name, {})
        if not isinstance(part, dict):
            raise SpecError(f"{name}: {quote(part)} is not a table.", f"Write a [{name}] table of settings.")
        _refuse_unknown(f"{name}.", part, tuple(one.name for one in fields(section)))  # type: ignore[arg-type]


def _refuse_unknown(prefix: str, part: dict[str, Any], valid: tuple[str, ...]) -> None:
    for key in part:
        if key not in valid:
            close = closest_match(key, valid)
            hint = f"Did you mean {prefix}{close}? " if close else ""
            raise SpecError(f"Unknown key {prefix}{list_names([key])}.", f"{hint}Valid: {', '.join(valid)}.")


def _check_source(spec: Experiment) -> SpecError | None:
    if spec.data.file and not spec.data.target:
        return SpecError(
            f"data.target: no column of {spec.data.file} is named as the target.", "Name it with --target COLUMN."
        )
    return None


def _check_every_step(spec: Experiment) -> SpecError | None:
    if spec.window.every_step and spec.window.horizon != 1:
        return SpecError(f"window.horizon: {spec.window.horizon} does not go with every_step.", "Use a horizon of 1.")
    if spec.window.every_step and spec.model.bidirectional:
        return SpecError(
            "model.bidirectional: with every_step a layer would see the values it forecasts.", "Leave one out."
        )
    return None


def _check_patience(spec: Experiment) -> SpecError | None:
    if spec.training.patience and not spec.window.validation:
        return SpecError(
            f"training.patience: {spec.training.patience} needs a validation part, and window.validation is 0.",
            "Set a validation part, such as --validation 0.1.",
        )
    return None


def _check_clipping(spec: Experiment) -> SpecError | None:
    if spec.training.clipnorm and spec.training.clipvalue:
        return SpecError("training.clipnorm and training.clipvalue are both set.", "Keras takes one of them.")
    return None


def _check_split(spec: Experiment) -> SpecError | None:
    if spec.window.split != "series":
        return None
    if not spec.data.train_series or not spec.data.test_series:
        return SpecError("window.split: 'series' needs data.train_series and data.test_series.", "Name both.")
    shared = set(spec.data.train_series) & set(spec.data.test_series)
    if shared:
        return SpecError(f"data.test_series: {', '.join(sorted(shared))} is trained on too.", "Keep the two apart.")
    if spec.window.scale_per == "series" and spec.window.scaling != "none" and spec.window.scale_fit == "train":
        return SpecError(
            "window.scale_per: with split = 'series' a test series has no training part to fit a scaling on.",
            "Use scale_per = 'dataset'.",
        )
    return None


def _check_test(spec: Experiment) -> SpecError | None:
    for name in ("validation", "test"):
        size = getattr(spec.window, name)
        if size >= 1 and size != int(size):
            return SpecError(f"window.{name}: {size} is neither a fraction below 1 nor a whole count.", "")
    if spec.window.split == "time" and spec.window.test == 0:
        return SpecError("window.test: 0 leaves nothing to test on.", "Give a fraction, such as 0.1, or a count.")
    return None


def _check_kernel(spec: Experiment) -> SpecError | None:
    rules = {"cudnn": ("cuDNN", cudnn_reasons), "fused": ("the fused kernel", fused_reasons)}
    if spec.training.kernel not in rules:
        return None
    name, reasons = rules[spec.training.kernel]
    for layer in spec.model.stack:
        found = reasons(spec.model, spec.training, layer)
        if found:
            return KernelError(
                f"training.kernel: {layer} cannot run on {name}: {'; '.join(found)}.", "Or use --kernel auto."
            )
    return None


def _check_backend(spec: Experiment) -> SpecError | None:
    backend = BACKENDS[spec.training.backend]
    if spec.training.strategy == "mirrored" and not backend.has_mirrored_strategy:
        titles, names = list_backends("has_mirrored_strategy")
        return SpecError(
            f"training.strategy: mirrored is built for {titles}, and the backend is {backend.name}.",
            f"Use --strategy one, or --backend {names}.",
        )
    if spec.training.jit and not backend.has_jit:
        titles, names = list_backends("has_jit")
        return SpecError(
            f"training.jit: XLA compiles for {titles}, and the backend is {backend.name}.",
            f"Leave out --jit, or use --backend {names}.",
        )
    return None


_COMBINATIONS = (
    _check_backend,
    _check_source,
    _check_every_step,
    _check_patience,
    _check_clipping,
    _check_split,
    _check_test,
    _check_kernel,
)
