"""The command line: each command parses, makes one call of the library, and hands the result to a view."""

import sys
from typing import Annotated

import typer

from grubench.cli import bench, compare, datasets, doctor, guide, predict, report, runs, train
from grubench.cli.command import GONE, is_folder_gone, show_error, take_signals
from grubench.cli.streams import guard_streams
from grubench.errors import UsageError

app = typer.Typer(
    name="grubench",
    help="GRU or LSTM for this sequence data? Train both on equal terms and see what the numbers support.",
    epilog="Start with `grubench compare`. Every command has --help; `grubench guide` explains.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (compare, report, train, predict, bench, datasets, runs, doctor, guide):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("grubench"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """GRU or LSTM for this sequence data? Train both on equal terms and see what the numbers support."""


def main() -> None:
    """Run the command line; an unexpected error ends in one line, and with --debug in its traceback."""
    take_signals()
    with guard_streams():
        _check_folder()
        try:
            app()
        except Exception as error:
            if "--debug" in sys.argv:
                raise
            show_error(
                f"unexpected {type(error).__name__}: {error}",
                "This is a bug in grubench; --debug shows where it happened.",
            )
            sys.exit(1)


def _check_folder() -> None:
    if is_folder_gone():
        show_error(GONE, "")
        sys.exit(UsageError.exit_code)
