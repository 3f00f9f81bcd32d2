"""The settings of an arm, by their dotted keys: read, varied, written out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.errors import SpecError, UsageError
from grubench.spec.cells import CELLS
from grubench.spec.experiment import Experiment, parse_toml
from grubench.spec.sections import SECTIONS, spread_cells
from grubench.text import closest_match, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

# What tells trials and cells apart by itself, and is not spelled out in an arm's name.
UNNAMED_KEYS = ("seed", "model.cells")
ON_THE_SAME_DATA = "Arms are compared on the same windows of the same data: vary settings of [model] and [training]."
# The units of a stack's layers: what `model.layers` has beside the cells.
UNITS_KEY = "model.units"


def read_arm(spec: Experiment, text: str) -> Experiment:
    """The spec of an arm that is written out: a cell, or layers, and the settings that are its own.

    Args:
        spec: What the arms share.
        text: Such as `lstm`, `lstm:32,gru:32` or `gru:64 dropout=0.2 learning_rate=1e-3`.

    Raises:
        UsageError: It is not of that form.
        SpecError: A layer or a setting is not valid.
    """
    stack, *settings = text.split() or [""]
    if not stack or "=" in stack or not all("=" in setting for setting in settings):
        raise UsageError(
            f"--arm: {quote(text)} is no arm.", "Write a cell or layers, then settings, such as 'gru:64 dropout=0.2'."
        )
    if stack in CELLS:
        arm = spec.with_cell(stack)
    else:
        tree = spec.to_dict()
        tree["model"] |= {"layers": stack.split(","), "dropout": shorten_dropout(spec.model.dropout)}
        arm = Experiment.from_dict(tree)
    pairs = (setting.split("=", 1) for setting in settings)
    return with_settings(arm, {find_setting_key(key, "--arm"): _read_value(value) for key, value in pairs}, "--arm")


def _read_value(text: str) -> object:
    """A value as TOML has it, or a text; several with commas between."""
    values: list[object] = []
    for item in text.split(","):
        try:
            values.append(parse_toml(f"value = {item}")["value"])
        except SpecError:
            values.append(item)
    return values[0] if len(values) == 1 else values


def with_settings(spec: Experiment, chosen: Mapping[str, object], place: str = "--vary") -> Experiment:
    """The spec with other values of dotted keys.

    Args:
        spec: The spec.
        chosen: The values.
        place: Where they were given, for messages.

    Raises:
        SpecError: A key is unknown, or a value is not valid.
    """
    tree = spec.to_dict()
    for key, value in chosen.items():
        section, _, name = key.partition(".")
        if key == UNITS_KEY:
            tree["model"] |= _write_stack(spec, str(value))
            continue
        if key in (*UNNAMED_KEYS, "model.layers") or section in ("data", "window"):
            raise SpecError(f"{place}: {key} cannot be varied.", f"{_suggest(name)}{ON_THE_SAME_DATA}")
        tree[section][name] = value
    return Experiment.from_dict(tree)


def _suggest(name: str) -> str:
    """A setting that can be varied and is called nearly so."""
    settings = [setting.name for section in ("model", "training") for setting in SECTIONS[section].settings]
    close = closest_match(name, [*settings, UNITS_KEY.partition(".")[2]])
    return f"Did you mean {close}? " if close else ""


def _write_stack(spec: Experiment, text: str) -> dict[str, object]:
    """The layers of a stack with other units, `64`, or `64+32` for two layers; and the dropout of as many layers.

    Raises:
        SpecError: It is not of that form, or a mixed stack has another number of layers.
    """
    units = text.split("+")
    if not all(part.strip().isdecimal() for part in units):
        raise SpecError(
            f"--vary: model.units: {quote(text)} is no number of units.", "Write 16,32, or 16+8,32+16 for two layers."
        )
    cells = spread_cells(spec.model.stack, len(units))
    layers = [f"{cell}:{int(part)}" for cell, part in zip(cells, units, strict=True)]
    return {"layers": layers, "dropout": shorten_dropout(spec.model.dropout)}


def shorten_dropout(values: tuple[float, ...]) -> tuple[float, ...]:
    """A value for each layer, or one where it is the same for all."""
    return values[:1] if len(set(values)) == 1 else values


def find_setting_key(text: str, place: str = "--vary") -> str:
    """The dotted key of a setting, from that or from its name alone: `backend` for `training.backend`.

    Args:
        text: The key or the name.
        place: Where it was given, for messages.

    Raises:
        SpecError: There is no such setting; naming the closest.
    """
    keys = [f"{name}.{setting.name}" for name, section in SECTIONS.items() for setting in section.settings]
    keys.append(UNITS_KEY)
    matching = [key for key in keys if text in (key, key.partition(".")[2])]
    if len(matching) == 1:
        return matching[0]
    close = closest_match(text, [*keys, *(key.partition(".")[2] for key in keys)])
    remedy = f"Did you mean {close}? `grubench compare --help` lists all." if close else f"Valid: {', '.join(keys)}."
    raise SpecError(f"{place}: unknown key {quote(text)}.", remedy)
