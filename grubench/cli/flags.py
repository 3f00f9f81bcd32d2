"""Flags made from the spec: every field of every section is one, with the field's name."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from grubench.errors import GrubenchError, SpecError, UsageError
from grubench.spec.arms import find_setting_key
from grubench.spec.sections import SECTIONS
from grubench.text import escape_control_characters

Tree = dict[str, Any]
# More than one way to say a field.
NAMES = {"data.file": ("--csv", "--parquet", "--file")}
SHORT_FORMS = {
    "cell": "One cell for every layer: gru, lstm or rnn.",
    "units": "Units of each layer, such as 50,100.",
}
INTERRUPTED = 130
INTERRUPTED_HINTS = {"compare": "Finished trials are kept; the same command goes on from there."}


class SectionedCommand(TyperCommand):
    """A command whose plain help lists its options under the headings of the spec."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write each heading with its options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def command(app: typer.Typer, name: str, *, spec: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command: with the spec's flags if asked, with --debug, and with errors told plainly.

    A command with `spec=True` takes the given flags as its argument `flags`, nested dictionaries of
    what was set.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "flags"]
        added = [*(_spec_parameters() if spec else []), _debug_parameter()]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            debug = given.pop("debug")
            try:
                if spec:
                    given["flags"] = collect({one.name: given.pop(one.name) for one in added[:-1]})
                function(**given)
            except KeyboardInterrupt:
                tell("Interrupted.", INTERRUPTED_HINTS.get(name, ""))
                raise typer.Exit(INTERRUPTED) from None
            except GrubenchError as error:
                if debug:
                    raise
                tell(error.message, error.remedy)
                raise typer.Exit(error.exit_code) from None

        run.__signature__ = inspect.Signature([*parameters, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in (*parameters, *added)}
        app.command(name, cls=SectionedCommand)(run)
        return run

    return register


def tell(message: str, remedy: str) -> None:
    """An error in red, its remedy below; plain where there is no terminal or NO_COLOR is set."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    # What an error quotes may come from a stranger's file: escaped, it cannot steer the terminal.
    console.print(Text(f"grubench: {escape_control_characters(message)}", style="red"), soft_wrap=True)
    if remedy:
        console.print(Text(escape_control_characters(remedy)), soft_wrap=True)


def check_file(flag: str, path: Path, endings: tuple[str, ...]) -> None:
    """Refuse a file to write whose ending or folder will not do, before any work is put in.

    Raises:
        UsageError: Naming the flag and the path.
    """
    if path.suffix not in endings:
        raise UsageError(f"{flag}: {path} has an unknown ending.", f"Valid: {', '.join(endings)}.")
    if not path.parent.is_dir():
        raise UsageError(f"{flag}: there is no folder {path.parent}.", "Make it first.")


def collect(given: dict[str, Any]) -> Tree:
    """The flags that were given, as nested dictionaries in the spec's types.

    Raises:
        SpecError: An item of a list is not of its type.
    """
    tree: Tree = {}
    types = _types()
    for key, value in given.items():
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
            part[name] = _items(f"{section}.{name}", value, types[key]) if isinstance(types[key], tuple) else value
    return tree


def varied(text: str) -> tuple[str, list[Any]]:
    """A setting to vary and its values, from `training.learning_rate=1e-3,3e-4`.

    Raises:
        UsageError: It is not of that form.
        SpecError: There is no such setting, or a value is not of its type.
    """
    key, _, values = text.partition("=")
    items = [item.strip() for item in values.split(",") if item.strip()]
    if len(items) < 2:
        raise UsageError(f"--vary: {text!r} varies nothing.", "Write KEY=VALUE,VALUE, such as batch_size=32,256.")
    key = find_setting_key(key.strip())
    twice = [item for item in items if items.count(item) > 1]
    if twice:
        raise UsageError(f"--vary: {key} is given {twice[0]} twice.", "Give each value once.")
    default = _types().get(key.replace(".", "__"), "")
    return key, [_value(key, item, default[0] if isinstance(default, tuple) and default else default) for item in items]


def _value(key: str, item: str, default: Any) -> Any:
    if isinstance(default, bool):
        choices = {"true": True, "on": True, "false": False, "off": False}
        if item.lower() not in choices:
            raise SpecError(f"--vary: {key}: {item!r} is neither true nor false.")
        return choices[item.lower()]
    try:
        return type(default)(item)
    except ValueError as error:
        raise SpecError(f"--vary: {key}: {item!r} is not a number.") from error


def _types() -> dict[str, Any]:
    found = {f"{name}__{one.name}": one.default for name, section in SECTIONS.items() for one in fields(section)}  # type: ignore[arg-type]
    return found | {"model__cell": "", "model__units": (0,)}


def _items(key: str, text: str, default: tuple[Any, ...]) -> list[Any]:
    kind = type(default[0]) if default else str
    try:
        return [kind(item.strip()) for item in text.split(",") if item.strip()]
    except ValueError as error:
        raise SpecError(
            f"{key}: {text!r} is not a list of numbers.", "Separate them by commas, such as 50,100."
        ) from error


def _spec_parameters() -> list[inspect.Parameter]:
    found = []
    for name, section in SECTIONS.items():
        heading = name.capitalize()
        for one in fields(section):  # type: ignore[arg-type]
            found.append(_parameter(f"{name}__{one.name}", _annotation(name, one, heading)))
            if (name, one.name) == ("model", "layers"):
                found += [_short_form(short, text, heading) for short, text in SHORT_FORMS.items()]
    seed = Annotated[int | None, typer.Option("--seed", help="The (first) seed. [default: 0]", rich_help_panel="Trial")]
    return [*found, _parameter("seed", seed)]


def _short_form(name: str, text: str, heading: str) -> inspect.Parameter:
    return _parameter(
        f"model__{name}", Annotated[str | None, typer.Option(f"--{name}", help=text, rich_help_panel=heading)]
    )


def _annotation(section: str, one: Any, heading: str) -> Any:
    flag = "--" + one.name.replace("_", "-")
    names = NAMES.get(f"{section}.{one.name}", (flag,))
    default, meta = one.default, one.metadata
    if isinstance(default, bool):
        names = (f"{flag}/--no-{flag[2:]}",)
        kind: Any = bool
    elif one.name == "file":
        kind = Path
    else:
        kind = str if isinstance(default, tuple) else type(default)
    text = meta["help"] + _choices(meta["choices"], meta["help"]) + _default(default)
    return Annotated[kind | None, typer.Option(*names, help=text, rich_help_panel=heading)]


def _choices(choices: tuple[str, ...], text: str) -> str:
    said = all(choice in text for choice in choices)
    return "" if said else f" One of {', '.join(choices)}."


def _default(default: Any) -> str:
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    if isinstance(shown, bool):
        shown = "on" if shown else "off"
    return f" [default: {shown:g}]" if isinstance(shown, float) else f" [default: {shown}]" if shown != "" else ""


def _debug_parameter() -> inspect.Parameter:
    return _parameter(
        "debug", Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")], default=False
    )


def _parameter(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
