"""Flags made from the spec: every field of every section is one, with the field's name."""

from __future__ import annotations

import csv
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grubench.errors import SpecError, UsageError
from grubench.spec.cells import CELLS
from grubench.spec.fields import Tree
from grubench.spec.sections import SECTIONS, WRITTEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grubench.spec.fields import Scalar, Setting

# More than one name for a field.
NAMES = {"data.file": ("--csv", "--parquet", "--file")}
SHORT_FORMS = {
    "cell": f"One cell for every layer: {', '.join(CELLS)}.",
    "units": "Units of each layer, such as 50,100.",
}
METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", tuple: "LIST", Path: "FILE"}


def make_file_parameters() -> list[inspect.Parameter]:
    """The parameters of a command that looks into a file: what says how it is written."""
    settings = [setting for setting in SECTIONS["data"].settings if setting.name in WRITTEN]
    return [make_parameter(f"data__{setting.name}", _annotate("data", setting, "File")) for setting in settings]


def make_spec_parameters() -> tuple[list[inspect.Parameter], frozenset[str]]:
    """The parameters of a command that takes the spec, and the names of the rare ones.

    A setting's parameter is called `section__field`, and is None where its flag is not given.
    """
    parameters, rare = [], set()
    for section, kind in SECTIONS.items():
        heading = section.capitalize()
        for setting in kind.settings:
            name = f"{section}__{setting.name}"
            parameters.append(make_parameter(name, _annotate(section, setting, heading)))
            if setting.rare:
                rare.add(name)
            if (section, setting.name) == ("model", "layers"):
                parameters += [_make_short_form(short, text, heading) for short, text in SHORT_FORMS.items()]
    seed = typer.Option("--seed", metavar="INT", help="The seed; the first of several.", rich_help_panel=heading)
    return [*parameters, make_parameter("seed", Annotated[int | None, seed])], frozenset(rare)


def make_parameter(name: str, annotation: object, default: object = None) -> inspect.Parameter:
    """A parameter that is given by its name alone."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def collect(values: Mapping[str, object]) -> Tree:
    """The flags that were given, as nested dictionaries in the spec's types.

    Args:
        values: The values of the parameters, None where a flag was not given.

    Raises:
        SpecError: An item of a list is not of its type.
    """
    tree: Tree = {}
    defaults = _read_defaults()
    for key, value in values.items():
        if value is None:
            continue
        section, _, name = key.partition("__")
        if not name:
            tree[key] = value
            continue
        part = tree.setdefault(section, {})
        if name == "file":
            part[name] = str(value)
        else:
            default = defaults[key]
            part[name] = _split_list(f"{section}.{name}", str(value), default) if isinstance(default, tuple) else value
    return tree


def parse_variation(text: str) -> tuple[str, list[Scalar]]:
    """A setting to vary and its values, from `training.learning_rate=1e-3,3e-4`.

    Raises:
        UsageError: It is not of that form.
        SpecError: There is no such setting, or a value is not of its type.
    """
    from grubench.spec.arm_settings import UNITS_KEY, find_setting_key

    key, _, values = text.partition("=")
    items = [item.strip() for item in values.split(",") if item.strip()]
    if len(items) < 2:
        raise UsageError(f"--vary: {text!r} varies nothing.", "Write KEY=VALUE,VALUE, such as batch_size=32,256.")
    key = find_setting_key(key.strip())
    repeated = [item for item in items if items.count(item) > 1]
    if repeated:
        raise UsageError(f"--vary: {key} is given {repeated[0]} twice.", "Give each value once.")
    if key == UNITS_KEY:  # those of several layers, such as 16+8, are no number
        return key, list(items)
    default = _read_defaults().get(key.replace(".", "__"), "")
    item_default = default[0] if isinstance(default, tuple) and default else default
    return key, [_parse_value(key, item, item_default) for item in items]


def _parse_value(key: str, item: str, default: object) -> Scalar:
    if isinstance(default, bool):
        choices = {"true": True, "on": True, "false": False, "off": False}
        if item.lower() not in choices:
            raise SpecError(f"--vary: {key}: {item!r} is neither true nor false.")
        return choices[item.lower()]
    try:
        return float(item) if isinstance(default, float) else int(item) if isinstance(default, int) else item
    except ValueError as error:
        raise SpecError(f"--vary: {key}: {item!r} is not a number.") from error


def _read_defaults() -> dict[str, object]:
    """The default of each setting, whose type is the setting's, by the name of its parameter."""
    defaults: dict[str, object] = {
        f"{section}__{setting.name}": setting.default for section, kind in SECTIONS.items() for setting in kind.settings
    }
    return defaults | {"model__cell": "", "model__units": (0,)}


def _split_list(key: str, text: str, default: tuple[Scalar, ...]) -> list[Scalar]:
    """The items of a list; one that holds a comma is quoted, as in a CSV file."""
    kind = type(default[0]) if default else str
    try:
        items = next(csv.reader([text], skipinitialspace=True), [])
        return [kind(item.strip()) for item in items if item.strip()]
    except (ValueError, csv.Error) as error:
        raise SpecError(
            f"{key}: {text!r} is not a list of numbers.", "Separate them by commas, such as 50,100."
        ) from error


def _make_short_form(name: str, text: str, heading: str) -> inspect.Parameter:
    metavar = "LIST" if name == "units" else "TEXT"
    option = typer.Option(f"--{name}", metavar=metavar, help=text, rich_help_panel=heading)
    return make_parameter(f"model__{name}", Annotated[str | None, option])


def _annotate(section: str, setting: Setting, heading: str) -> object:
    flag = "--" + setting.name.replace("_", "-")
    names = NAMES.get(f"{section}.{setting.name}", (flag,))
    kind: type = Path if setting.name == "file" else type(setting.default)
    metavar = METAVARS.get(kind)
    if kind is bool:
        names = (f"{flag}/--no-{flag[2:]}",)
    text = setting.help + _list_choices(setting.choices, setting.help)
    option = typer.Option(*names, metavar=metavar, help=text, rich_help_panel=heading)
    return Annotated[(str if kind is tuple else kind) | None, option]


def _list_choices(choices: tuple[str, ...], text: str) -> str:
    is_said = all(choice in text for choice in choices)
    shown = [choice if choice.isalnum() else repr(choice) for choice in choices if choice]
    return "" if is_said else f" One of {', '.join(shown)}."
