"""How a command is registered, and how its errors are shown."""

from __future__ import annotations

import functools
import inspect
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grubench.cli.flags import collect, make_file_parameters, make_parameter, make_spec_parameters
from grubench.cli.help import make_command_class, show_all_flags
from grubench.errors import GrubenchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

# The exit code of a process that a signal ended is this and the signal's number.
SIGNAL_CODE = 128
INTERRUPTED = SIGNAL_CODE + signal.SIGINT
ENDING_SIGNALS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
GONE = "The current folder is gone: change to another one (cd)."
INTERRUPTED_HINTS = {"compare": "Finished trials are kept; the same command continues from there."}


class Interruption(KeyboardInterrupt):
    """A signal asks this process to end, as Ctrl-C does.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = SIGNAL_CODE + number


def take_signals() -> None:
    """Have SIGTERM and SIGHUP end this process as Ctrl-C does: what runs is stopped, and what is finished is kept."""

    def interrupt(number: int, _: object) -> None:
        for again in ENDING_SIGNALS:  # it ends already
            signal.signal(again, signal.SIG_IGN)
        raise Interruption(number)

    for number in ENDING_SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:  # `nohup` has SIGHUP ignored
            signal.signal(number, interrupt)


def command(
    app: typer.Typer, name: str, *, spec: bool = False, file: bool = False, rare: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command, with --debug, and with errors shown as a message.

    Args:
        app: What the command belongs to.
        name: What it is called.
        spec: Whether it takes the settings of the spec as flags. The function gets those that were given as its
            argument `flags`, in nested dictionaries.
        file: Whether it takes those settings alone that say how a file is written.
        rare: The function's parameters that `--help` leaves to `--help-all`.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter
            for parameter in inspect.signature(function, eval_str=True).parameters.values()
            if parameter.name != "flags"
        ]
        settings, rare_settings = (
            make_spec_parameters() if spec else (make_file_parameters() if file else [], frozenset())
        )
        hidden = rare_settings.union(rare)
        general = _general_parameters(has_levels=bool(hidden))

        @functools.wraps(function)
        def run(**values: object) -> None:
            values.pop("help_all", None)
            debug = values.pop("debug")
            try:
                if settings:
                    values["flags"] = collect({setting.name: values.pop(setting.name) for setting in settings})
                function(**values)
            except KeyboardInterrupt as error:
                show_error("Interrupted.", INTERRUPTED_HINTS.get(name, ""))
                raise typer.Exit(error.exit_code if isinstance(error, Interruption) else INTERRUPTED) from None
            except EOFError as error:  # Typer would say no more than "Aborted!"
                raise RuntimeError(f"EOFError: {error}") from error
            except GrubenchError as error:
                if debug:
                    raise
                show_error(error.message, GONE if is_folder_gone() else error.remedy)
                raise typer.Exit(error.exit_code) from None

        parameters = [*own, *settings, *general]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, cls=make_command_class(hidden))(run)
        return run

    return register


def is_folder_gone() -> bool:
    """Whether the current folder has been removed."""
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def show_error(message: str, remedy: str) -> None:
    """An error in red, its remedy below; plain where there is no terminal or NO_COLOR is set."""
    from rich.text import Text

    from grubench.reports.console import Console

    console = Console(stderr=True)
    console.print(Text(f"grubench: {message}", style="red"), soft_wrap=True)
    if remedy:
        console.print(Text(remedy), soft_wrap=True)


def check_file(flag: str, path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse an output file whose suffix or folder is not valid, before any work is done.

    Raises:
        UsageError: Naming the flag and the path.
    """
    if path.suffix not in suffixes:
        raise UsageError(f"{flag}: {path} has an unknown ending.", f"Valid: {', '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise UsageError(f"{flag}: there is no folder {path.parent}.", "Make it first.")


def _general_parameters(*, has_levels: bool) -> list[inspect.Parameter]:
    debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
    parameters = [make_parameter("debug", debug, default=False)]
    if has_levels:
        option = typer.Option(
            "--help-all", help="Show every flag and exit.", callback=show_all_flags, is_eager=True, expose_value=False
        )
        parameters.append(make_parameter("help_all", Annotated[bool, option], default=False))
    return parameters
