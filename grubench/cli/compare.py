"""`grubench compare`: cells against each other over seeds, or finished runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grubench.cli.flags import command
from grubench.cli.train import InProcess, Output
from grubench.errors import UsageError

SOME_FAILED = 3


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "compare", spec=True)
    def compare(
        flags: dict[str, Any],
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[PRESET] | --runs RUN RUN ...", help="A preset by name or path; or runs."),
        ] = None,
        cells: Annotated[str, typer.Option("--cells", help="The cells to compare.")] = "gru,lstm",
        seeds: Annotated[int, typer.Option("--seeds", help="Trials of each cell.", min=1)] = 3,
        runs: Annotated[bool, typer.Option("--runs", help="Compare finished runs, given by their folders.")] = False,
        export: Annotated[
            list[Path] | None,
            typer.Option("--export", help="Write the result to a .json, .csv or .md file; repeatable."),
        ] = None,
        output: Output = Path("runs"),
        fresh: Annotated[bool, typer.Option("--fresh", help="Train again what was finished before.")] = False,
        in_process: InProcess = False,
    ) -> None:
        """Train every cell with every seed on equal terms, and say what the numbers support."""
        _check_exports(export or [])
        if runs:
            _compare_runs(names or [], flags, export or [])
            return
        if len(names or []) > 1:
            raise UsageError(f"More than one preset is given: {', '.join(names or [])}.", "Runs go after --runs.")
        from grubench.presets import resolve

        spec = resolve(names[0] if names else None, flags)
        from rich.console import Console

        from grubench import comparison
        from grubench.progress import Display

        with Display(Console(stderr=True)) as display:
            found = comparison.compare(
                spec,
                cells=[cell.strip() for cell in cells.split(",") if cell.strip()],
                seeds=seeds,
                output=output,
                fresh=fresh,
                in_process=in_process,
                report=display,
            )
        _show(found, export or [])
        if found.failures:
            raise typer.Exit(SOME_FAILED)


def _compare_runs(names: list[str], flags: dict[str, Any], export: list[Path]) -> None:
    if flags:
        raise UsageError("--runs compares finished runs: settings cannot be changed.", "Leave the other flags out.")
    from grubench import comparison, runs

    _show(comparison.from_runs([runs.load(Path(name)) for name in names]), export)


def _show(found: Any, export: list[Path]) -> None:
    from rich.console import Console

    from grubench import record, tables

    console = Console()
    tables.show_comparison(found, console)
    if found.folder:
        record.keep(found)
        console.print(f"Tables and pictures: {found.folder}", highlight=False, soft_wrap=True)
    for path in export:
        record.export(found, path)
        console.print(f"Wrote {path}", highlight=False, soft_wrap=True)


def _check_exports(export: list[Path]) -> None:
    for path in export:
        if path.suffix not in (".json", ".csv", ".md"):
            raise UsageError(f"--export: {path} has an unknown ending.", "Valid: .json, .csv, .md.")
        if not path.parent.is_dir():
            raise UsageError(f"--export: there is no folder {path.parent}.", "Make it first.")
