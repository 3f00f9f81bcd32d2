"""Rules on settings that contradict each other, whatever each is on its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from grubench.errors import KernelError, SpecError
from grubench.spec.backends import BACKENDS, list_backends
from grubench.spec.kernel_rules import explain_no_cudnn, explain_no_fused
from grubench.text import is_recordable, quote

if TYPE_CHECKING:
    from grubench.spec.sections import Data, Model, Training, Window


class Sections(Protocol):
    """The sections of an experiment."""

    @property
    def data(self) -> Data:
        """Which series."""

    @property
    def window(self) -> Window:
        """How they are cut."""

    @property
    def model(self) -> Model:
        """The stack."""

    @property
    def training(self) -> Training:
        """How it is fitted."""


def check_combinations(spec: Sections) -> None:
    """Refuse settings that contradict each other.

    Raises:
        SpecError: Naming a setting, and what to do.
    """
    for rule in RULES:
        error = rule(spec)
        if error:
            raise error


def _check_names(spec: Sections) -> SpecError | None:
    """A column or series that is named twice would be read, trained or tested twice."""
    data = spec.data
    lists = (
        ("target", data.target),
        ("features", data.features),
        ("time_features", data.time_features),
        ("train_series", data.train_series),
        ("test_series", data.test_series),
    )
    for key, names in lists:
        if len(set(names)) < len(names):
            twice = Counter(names).most_common(1)[0][0]
            return SpecError(f"data.{key}: {quote(twice)} is named more than once.", "Name it once.")
    return None


def _check_source(spec: Sections) -> SpecError | None:
    if not is_recordable(spec.data.file):
        return SpecError(
            f"data.file: the name {quote(spec.data.file)} has control characters or line ends.", "Rename the file."
        )
    if spec.data.file and not spec.data.target:
        return SpecError(
            f"data.target: no column of {spec.data.file} is named as the target.", "Name it with --target COLUMN."
        )
    return None


def _check_every_step(spec: Sections) -> SpecError | None:
    if spec.window.every_step and spec.window.horizon != 1:
        return SpecError(f"window.horizon: {spec.window.horizon} does not go with every_step.", "Use a horizon of 1.")
    if spec.window.every_step and spec.model.bidirectional:
        return SpecError(
            "model.bidirectional: with every_step a layer would see the values it forecasts.", "Leave one out."
        )
    return None


def _check_patience(spec: Sections) -> SpecError | None:
    if spec.training.patience and not spec.window.validation:
        return SpecError(
            f"training.patience: {spec.training.patience} needs a validation part, and window.validation is 0.",
            "Set a validation part, such as --validation 0.1.",
        )
    return None


def _check_clipping(spec: Sections) -> SpecError | None:
    if spec.training.clipnorm and spec.training.clipvalue:
        return SpecError("training.clipnorm and training.clipvalue are both set.", "Keras takes one of them.")
    return None


def _check_split(spec: Sections) -> SpecError | None:
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


def _check_test(spec: Sections) -> SpecError | None:
    for name in ("validation", "test"):
        size = getattr(spec.window, name)
        if size >= 1 and size != int(size):
            return SpecError(f"window.{name}: {size} is neither a fraction below 1 nor a whole count.", "")
    if spec.window.split == "time" and spec.window.test == 0:
        return SpecError("window.test: 0 leaves nothing to test on.", "Give a fraction, such as 0.1, or a count.")
    return None


def _check_kernel(spec: Sections) -> SpecError | None:
    rules = {"cudnn": ("cuDNN", explain_no_cudnn), "fused": ("the fused kernel", explain_no_fused)}
    if spec.training.kernel not in rules:
        return None
    name, reasons = rules[spec.training.kernel]
    for layer in spec.model.stack:
        why = "; ".join(reasons(spec.model, spec.training, layer))
        if why:
            return KernelError(f"training.kernel: {layer} cannot run on {name}: {why}.", "Or use --kernel auto.")
    return None


def _check_backend(spec: Sections) -> SpecError | None:
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


RULES = (
    _check_backend,
    _check_names,
    _check_source,
    _check_every_step,
    _check_patience,
    _check_clipping,
    _check_split,
    _check_test,
    _check_kernel,
)
