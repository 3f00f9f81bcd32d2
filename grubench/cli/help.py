"""Help on two levels, under the sections of the spec: `--help` has the common flags, `--help-all` every flag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where a command's context says that all flags are wanted.
ALL_FLAGS = "grubench.all_flags"
MAX_NAME_WIDTH = 24


class SectionedCommand(TyperCommand):
    """A command that lists its options under the headings of the spec, the rare ones on demand.

    Attributes:
        rare: The names of the parameters that `--help` leaves out.
    """

    rare: frozenset[str] = frozenset()

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write each heading with its options."""
        shows_all = ctx.meta.get(ALL_FLAGS, False)
        parameters = self.get_params(ctx)
        has_settings = any("__" in str(parameter.name) for parameter in parameters)
        defaults = read_applied_defaults() if has_settings else {}
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in parameters:
            if shows_all or parameter.name not in self.rare:
                heading = getattr(parameter, "rich_help_panel", None) or "Options"
                sections.setdefault(heading, []).append(describe_parameter(parameter, defaults))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=MAX_NAME_WIDTH)


def make_command_class(rare: frozenset[str]) -> type[SectionedCommand]:
    """The class of a command with these rare parameters."""
    return type("Command", (SectionedCommand,), {"rare": rare})


def show_all_flags(ctx: typer.Context, wanted: bool) -> None:
    """The callback of `--help-all`: print the help with every flag, and end."""
    if wanted:
        ctx.meta[ALL_FLAGS] = True
        typer.echo(ctx.get_help())
        raise typer.Exit


def describe_parameter(parameter: Any, defaults: Mapping[str, str]) -> tuple[str, str]:
    """The row of a parameter: its names with the kind of value, and its help with the default that applies.

    Args:
        parameter: An option or an argument of a command.
        defaults: The text of a setting's default, by the name of its parameter.
    """
    if parameter.param_type_name == "argument":
        return parameter.metavar or parameter.name.upper(), parameter.help or ""
    names = ", ".join(parameter.opts)
    if parameter.secondary_opts:
        names += f"/{', '.join(parameter.secondary_opts)}"
    elif not parameter.is_flag:
        names += f" {parameter.metavar or 'TEXT'}"
    default = defaults.get(parameter.name, "")
    if not parameter.is_flag and parameter.default not in (None, ""):
        default = str(parameter.default)
    return names, (parameter.help or "") + (f" [default: {default}]" if default else "")


def read_applied_defaults() -> dict[str, str]:
    """The default of each setting where nothing is given, and that of a file of one's own where it differs."""
    from grubench.presets import resolve
    from grubench.spec.experiment import Experiment
    from grubench.spec.sections import SECTIONS

    applied, own_file = resolve(None), Experiment()
    texts = {"seed": "0"}
    for section, kind in SECTIONS.items():
        for setting in kind.settings:
            text, own = (format_default(getattr(getattr(spec, section), setting.name)) for spec in (applied, own_file))
            texts[f"{section}__{setting.name}"] = text if text == own else f"{text}; own file: {own or 'all'}"
    return texts


def format_default(value: object) -> str:
    """A setting's value as a person would write it; empty where it is not set."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(format_default, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
