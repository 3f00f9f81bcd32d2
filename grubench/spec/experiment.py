"""The spec: one frozen tree of settings that decides a trial and is saved with its result.

`Experiment` has four sections (`data`, `window`, `model`, `training`) and a seed. It is
validated when it is created, reads and writes TOML without loss, and hashes to a digest that
names the trial. This module imports nothing heavy: the command line builds its flags from it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Self

from grubench.errors import SpecError
from grubench.spec.combinations import check_combinations
from grubench.spec.fields import Tree
from grubench.spec.sections import SECTIONS, Data, Model, Training, Window
from grubench.text import closest_match, list_names, quote

# Characters of a spec in TOML: a page, with room for the names of ten thousand series.
MAX_TOML_CHARACTERS = 2**20
# Parts of a dotted key.
MAX_KEY_PARTS = 100
# What ends a dotted key in TOML.
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
        check_combinations(self)

    @classmethod
    def from_dict(cls, tree: Tree) -> Self:
        """An Experiment from nested dictionaries; what is missing takes its default."""
        check_keys(tree)
        parts = {name: section(**tree.get(name, {})) for name, section in SECTIONS.items()}
        return cls(**parts, seed=tree.get("seed", 0))  # type: ignore[arg-type]

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """An Experiment from TOML, as `to_toml` writes it."""
        return cls.from_dict(parse_toml(text))

    def to_dict(self) -> Tree:
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
        """The dataset's name, or the name of the user's file without its folder and ending."""
        from pathlib import PurePath

        return PurePath(self.data.file).stem if self.data.file else self.data.dataset

    def with_cell(self, cell: str) -> Self:
        """The same experiment with another cell in every layer."""
        return self.with_layers(tuple(f"{cell}:{layer.units}" for layer in self.model.stack))

    def with_layers(self, layers: tuple[str, ...]) -> Self:
        """The same experiment with another stack of as many layers."""
        return replace(self, model=replace(self.model, layers=layers))

    def with_seed(self, seed: int) -> Self:
        """The same experiment with another seed."""
        return replace(self, seed=seed)


def parse_toml(text: str) -> Tree:
    """The nested dictionaries of a TOML text from an untrusted file.

    Raises:
        SpecError: It is not TOML, or so large that parsing it could take very long.
    """
    if len(text) > MAX_TOML_CHARACTERS:
        raise SpecError(f"Not a spec: {len(text):,} characters.", f"At most {MAX_TOML_CHARACTERS:,} are read.")
    # tomllib's time grows with the square of a key's parts: 30,000 of them take eight seconds.
    if text.count(".") > MAX_KEY_PARTS and any(piece.count(".") > MAX_KEY_PARTS for piece in TOML_MARKS.split(text)):
        raise SpecError(
            f"Not a spec: a key has more than {MAX_KEY_PARTS} parts.",
            "The keys of a spec have at most two, such as model.layers.",
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"Not TOML: {error}.") from error


def check_keys(tree: Tree) -> None:
    """Refuse keys that the spec does not have.

    Raises:
        SpecError: Naming the key, the valid ones, and the closest.
    """
    _refuse_unknown("", tree, (*SECTIONS, "seed"))
    for name, section in SECTIONS.items():
        part = tree.get(name, {})
        if not isinstance(part, dict):
            raise SpecError(f"{name}: {quote(part)} is not a table.", f"Write a [{name}] table of settings.")
        _refuse_unknown(f"{name}.", part, tuple(setting.name for setting in section.settings))


def _refuse_unknown(prefix: str, part: Tree, valid: tuple[str, ...]) -> None:
    for key in part:
        if key not in valid:
            close = closest_match(key, valid)
            hint = f"Did you mean {prefix}{close}? " if close else ""
            raise SpecError(f"Unknown key {prefix}{list_names([key])}.", f"{hint}Valid: {', '.join(valid)}.")
