"""The arms of a comparison: what is set against what, what each is called, and in which order the trials run."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from grubench.errors import UsageError
from grubench.spec.arm_settings import (
    UNITS_KEY,
    UNNAMED_KEYS,
    find_setting_key,
    read_arm,
    shorten_dropout,
    with_settings,
)
from grubench.spec.cells import CELLS
from grubench.spec.experiment import Experiment
from grubench.spec.parameter_count import match_parameters
from grubench.spec.sections import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MATCHES = ("units", "params", "time")
# The colors of arms that are not a cell alone: of Okabe and Ito's, which color-blind readers tell apart.
OTHER_COLORS = ("#56B4E9", "#E69F00", "#F0E442", "#CC79A7")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One side of a comparison: a cell and the settings that tell it from the other arms.

    Attributes:
        name: What tables call it, such as `GRU dropout=0.2`.
        cell: The label of its cell, such as `GRU`; those of its layers, such as `GRU + LSTM`, where they are mixed.
        settings: The settings that differ between the arms, as text by the last part of their key.
        color: Its color in pictures.
    """

    name: str
    cell: str
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    color: str = OTHER_COLORS[0]

    def __str__(self) -> str:
        """The name."""
        return self.name

    @property
    def short_name(self) -> str:
        """The cell and the values of the settings, where their keys stand elsewhere: `GRU 0.2`."""
        return " ".join([self.cell, *self.settings.values()])


def name_cells(spec: Experiment) -> str:
    """The cell of a stack in capitals, or its cells where they are mixed."""
    cells = [CELLS[layer.cell].label for layer in spec.model.stack]
    return cells[0] if len(set(cells)) == 1 else " + ".join(cells)


def build_arms(
    spec: Experiment,
    cells: Sequence[str],
    vary: Mapping[str, Sequence[object]] | None = None,
    match: str = "units",
    written: Sequence[str] = (),
) -> dict[Arm, Experiment]:
    """Cross the cells with every combination of the settings to vary: the spec of each arm.

    A mixed stack takes part as itself, after the cells.

    Args:
        spec: What the arms share.
        cells: The cells.
        written: Arms that are written out, such as `gru:64 dropout=0.2`, in place of the cells.
        vary: The values of each setting, by its dotted key or its name alone.
        match: `params` gives each cell the widths that come nearest to the LSTM's parameters, all else the same widths.

    Raises:
        UsageError: A cell is unknown or given twice, two arms are the same, or the cells cannot be matched so.
        SpecError: A key is unknown, or a value is not valid.
    """
    if match not in MATCHES:
        raise UsageError(f"--match: unknown value {match!r}.", f"Valid: {', '.join(MATCHES)}.")
    if written and match != "units":
        raise UsageError(f"--match {match} is for cells, and --arm writes arms out.", "Leave one of them out.")
    stacks = [read_arm(spec, text) for text in written] or _stack_cells(spec, cells, match)
    vary = {find_setting_key(key): values for key, values in (vary or {}).items()}
    if UNITS_KEY in vary and match == "params":
        raise UsageError("--vary: model.units does not go with --match params, which sets them.", "Leave one out.")
    _check_times(spec, vary, match)
    settings = [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]
    specs = [with_settings(stack, chosen) for chosen in settings for stack in stacks]
    arms = name_arms(specs)
    if len(arms) < len(specs):
        raise UsageError("Two of the arms are the same.", "Give each arm, and each value of --vary, once.")
    return arms


def _stack_cells(spec: Experiment, cells: Sequence[str], match: str) -> list[Experiment]:
    """The spec with each cell in turn, and as it is where its stack is mixed."""
    for cell in cells:
        if cell not in CELLS:
            raise UsageError(f"--cells: there is no cell {cell!r}.", f"There are: {', '.join(CELLS)}.")
    if len(set(cells)) < len(cells) or not cells:
        raise UsageError(f"--cells: {','.join(cells) or 'nothing'} given.", "Give each cell once, such as gru,lstm.")
    with_cell = match_parameters if match == "params" else Experiment.with_cell
    stacks = [with_cell(spec, cell) for cell in cells]
    return [*stacks, spec] if len({layer.cell for layer in spec.model.stack}) > 1 else stacks


def _check_times(spec: Experiment, vary: Mapping[str, object], match: str) -> None:
    """Refuse to vary what the time of training decides."""
    if "training.epochs" in vary and (match == "time" or spec.training.seconds):
        raise UsageError("--vary: training.epochs decides nothing where all train for the same time.", "Leave it out.")
    if "training.seconds" in vary and match == "time":
        raise UsageError("--vary: training.seconds does not go with --match time.", "Leave one of them out.")


def name_arms(specs: Iterable[Experiment]) -> dict[Arm, Experiment]:
    """Make an arm of each spec: its cell, and the settings that differ; units where a cell has several.

    Specs that differ in the seed alone are one arm, with the last of them.
    """
    every = list(specs)
    texts = _write_differing_settings(every)
    arms: dict[str, Arm] = {}
    spec_of: dict[Arm, Experiment] = {}
    for spec, settings in zip(every, texts, strict=True):
        cell = name_cells(spec)
        name = " ".join([cell, *(f"{key}={value}" for key, value in settings.items())])
        arm = arms.setdefault(name, Arm(name=name, cell=cell, settings=settings, color=_color(name, len(arms))))
        spec_of[arm] = spec
    return spec_of


def _write_differing_settings(specs: Sequence[Experiment]) -> list[dict[str, str]]:
    """The settings in which specs differ, as text by the last part of their key, for each spec.

    Where two values of a setting are the same when shortened, all of its values are written in full.
    """
    flat = [flatten_spec(spec) for spec in specs]
    texts: list[dict[str, str]] = [{} for _ in specs]
    unnamed = UNNAMED_KEYS if vary_in_units(specs) else (*UNNAMED_KEYS, UNITS_KEY)
    for key in find_differing_settings(specs):
        if key in unnamed:
            continue
        values = [settings[key] for settings in flat]
        in_full = len({format_value(value) for value in values}) < len({repr(value) for value in values})
        for settings, value in zip(texts, values, strict=True):
            settings[key.partition(".")[2]] = format_value(value, in_full=in_full)
    return texts


def vary_in_units(specs: Sequence[Experiment]) -> bool:
    """Whether a cell has stacks of several units: then they are named, and else they are the cell's own."""
    stacks = {(name_cells(spec), spec.model.layers) for spec in specs}
    return len(stacks) > len({cell for cell, _ in stacks})


def _color(name: str, position: int) -> str:
    """A cell's own color where an arm is the cell alone, else one by the arm's place."""
    colors = {cell.label: cell.color for cell in CELLS.values()}
    return colors.get(name, OTHER_COLORS[position % len(OTHER_COLORS)])


def format_value(value: object, *, in_full: bool = False) -> str:
    """A setting's value as a flag takes it; numbers have six significant digits, or all of them."""
    if isinstance(value, tuple | list):
        return ",".join(format_value(item, in_full=in_full) for item in value)
    return f"{value:g}" if isinstance(value, float) and not in_full else str(value)


def plan_trials(arms: Mapping[Arm, Experiment], seeds: int, first: int = 0) -> list[tuple[str, Experiment]]:
    """List every arm's name with every seed, in alternation; which arm goes first alternates too.

    A machine that drifts then hits all arms alike.

    Args:
        arms: The spec of each arm.
        seeds: How many seeds there are in all.
        first: How many of them are not listed.
    """
    order: list[tuple[str, Experiment]] = []
    for number in range(first, seeds):
        turn = list(arms.items()) if number % 2 == 0 else list(arms.items())[::-1]
        order += [(arm.name, spec.with_seed(spec.seed + number)) for arm, spec in turn]
    return order


def find_differing_settings(specs: Sequence[Experiment]) -> list[str]:
    """The dotted keys of the settings that are not the same in all specs."""
    flat = [flatten_spec(spec) for spec in specs]
    return [key for key in flat[0] if len({repr(settings[key]) for settings in flat}) > 1]


def flatten_spec(spec: Experiment) -> dict[str, object]:
    """The spec as dotted keys; the cells of a stack and its units apart, and one dropout where it is that of all."""
    tree = spec.to_dict()
    flat: dict[str, object] = {"seed": spec.seed}
    for name in SECTIONS:
        flat |= {f"{name}.{key}": value for key, value in tree[name].items()}
    stack = spec.model.stack
    flat["model.cells"] = name_cells(spec)
    flat[UNITS_KEY] = "+".join(str(layer.units) for layer in stack)
    flat["model.dropout"] = shorten_dropout(spec.model.dropout)
    del flat["model.layers"]
    return flat
