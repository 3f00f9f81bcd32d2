"""The arms of a comparison: what is set against what, what each is called, and in which order the trials run."""

from __future__ import annotations

from dataclasses import fields
from itertools import product
from typing import TYPE_CHECKING, Any

from grubench.errors import SpecError, UsageError
from grubench.spec.cells import CELLS
from grubench.spec.experiment import Experiment
from grubench.spec.parameter_count import match_parameters
from grubench.spec.sections import SECTIONS
from grubench.text import closest_match, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MATCHES = ("units", "params", "time")
# What tells trials and cells apart by itself, and is not spelled out in an arm's name.
OF_THE_NAME = ("seed", "model.layers")


def label(spec: Experiment) -> str:
    """The cell of a stack in capitals, or its cells where they are mixed."""
    cells = [CELLS[layer.cell].label for layer in spec.model.stack]
    return cells[0] if len(set(cells)) == 1 else " + ".join(cells)


def arms_of(
    spec: Experiment,
    cells: Sequence[str],
    vary: Mapping[str, Sequence[Any]] | None = None,
    match: str = "units",
) -> dict[str, Experiment]:
    """The spec with each cell in turn, crossed with every combination of the settings to vary, by name.

    A mixed stack takes part as itself, after the cells.

    Args:
        spec: What the arms share.
        cells: The cells.
        vary: The values of each setting, by its dotted key or its name alone.
        match: `params` gives each cell the widths that come nearest to the LSTM's parameters, all else the same widths.

    Raises:
        UsageError: A cell is unknown or given twice, or the cells cannot be matched so.
        SpecError: A key is unknown, or a value is not valid.
    """
    for cell in cells:
        if cell not in CELLS:
            raise UsageError(f"--cells: there is no cell {cell!r}.", f"There are: {', '.join(CELLS)}.")
    if len(set(cells)) < len(cells) or not cells:
        raise UsageError(f"--cells: {','.join(cells) or 'nothing'} given.", "Give each cell once, such as gru,lstm.")
    mixed = len({layer.cell for layer in spec.model.stack}) > 1
    if match not in MATCHES:
        raise UsageError(f"--match: unknown value {match!r}.", f"Valid: {', '.join(MATCHES)}.")
    with_cell = match_parameters if match == "params" else Experiment.with_cell
    stacks = [with_cell(spec, cell) for cell in cells]
    if mixed:
        stacks.append(spec)
    vary = {setting_key(key): values for key, values in (vary or {}).items()}
    if "training.epochs" in vary and (match == "time" or spec.training.seconds):
        raise UsageError("--vary: training.epochs decides nothing where all train for the same time.", "Leave it out.")
    if "training.seconds" in vary and match == "time":
        raise UsageError("--vary: training.seconds does not go with --match time.", "Leave one of them out.")
    settings = [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]
    return named(with_settings(stack, chosen) for chosen in settings for stack in stacks)


def with_settings(spec: Experiment, chosen: Mapping[str, Any]) -> Experiment:
    """The spec with other values of dotted keys.

    Raises:
        SpecError: A key is unknown, or a value is not valid.
    """
    tree = spec.to_dict()
    for key, value in chosen.items():
        section, _, name = key.partition(".")
        if key in OF_THE_NAME or section in ("data", "window"):
            raise SpecError(
                f"--vary: {key} cannot be varied.",
                "Arms are compared on the same windows of the same data: vary settings of [model] and [training].",
            )
        tree[section][name] = value
    return Experiment.from_dict(tree)


def setting_key(text: str) -> str:
    """The dotted key of a setting, from that or from its name alone: `backend` for `training.backend`.

    Raises:
        SpecError: There is no such setting; with the likeliest meant.
    """
    keys = [f"{name}.{one.name}" for name, section in SECTIONS.items() for one in fields(section)]  # type: ignore[arg-type]
    found = [key for key in keys if text in (key, key.partition(".")[2])]
    if len(found) == 1:
        return found[0]
    close = closest_match(text, [*keys, *(key.partition(".")[2] for key in keys)])
    remedy = f"Did you mean {close}? `grubench compare --help` lists all." if close else f"Valid: {', '.join(keys)}."
    raise SpecError(f"--vary: unknown key {quote(text)}.", remedy)


def named(specs: Iterable[Experiment]) -> dict[str, Experiment]:
    """The specs by a name each: the cell, or the stack where a cell has several, and the settings that differ.

    Specs that differ in the seed alone have one name and are kept once.
    """
    chosen = list(specs)
    differing = differing_settings(chosen)
    stacks: dict[str, set[tuple[str, ...]]] = {}
    for spec in chosen:
        stacks.setdefault(label(spec), set()).add(spec.model.layers)
    plain = all(len(found) == 1 for found in stacks.values())
    found = {}
    for spec in chosen:
        flat = flattened(spec)
        extra = [f"{key.partition('.')[2]}={shown(flat[key])}" for key in differing if key not in OF_THE_NAME]
        found[" ".join([label(spec) if plain else ",".join(spec.model.layers), *extra])] = spec
    return found


def split(name: str) -> tuple[str, dict[str, str]]:
    """An arm's name as its cell or stack, and the settings that tell it from others: `GRU` and `{"dropout": "0.2"}`."""
    words = name.split(" ")
    settings = [word for word in words if "=" in word]
    return " ".join(word for word in words if word not in settings), dict(one.split("=", 1) for one in settings)


def brief(name: str) -> str:
    """An arm's name with the values of its settings alone, where the keys stand elsewhere: `GRU, 0.2`."""
    cell, settings = split(name)
    return ", ".join([cell, *settings.values()])


def shown(value: Any) -> str:
    """A setting's value as a flag takes it."""
    if isinstance(value, tuple | list):
        return ",".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def plan(arms: Mapping[str, Experiment], seeds: int) -> list[tuple[str, Experiment]]:
    """Every arm with every seed, in alternation; which arm goes first alternates too.

    A machine that drifts then hits all arms alike.
    """
    order: list[tuple[str, Experiment]] = []
    for number in range(seeds):
        turn = list(arms.items()) if number % 2 == 0 else list(arms.items())[::-1]
        order += [(name, arm.with_seed(arm.seed + number)) for name, arm in turn]
    return order


def differing_settings(specs: Sequence[Experiment]) -> list[str]:
    """The dotted keys of the settings that are not the same in all specs."""
    flat = [flattened(spec) for spec in specs]
    return [key for key in flat[0] if len({repr(one[key]) for one in flat}) > 1]


def flattened(spec: Experiment) -> dict[str, Any]:
    """The spec as dotted keys."""
    tree = spec.to_dict()
    flat = {f"{name}.{key}": value for name in SECTIONS for key, value in tree[name].items()}
    return {"seed": spec.seed} | flat
