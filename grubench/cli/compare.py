"""`grubench compare`: cells against each other over seeds, or finished runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from grubench.cli.flags import check_file, command, tell, varied
from grubench.cli.train import CheckpointEvery, InProcess, Output
from grubench.errors import RunError, UsageError

SOME_FAILED = 3
EXPORTS = (".json", ".csv", ".md", ".tex")


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
        vary: Annotated[
            list[str] | None,
            typer.Option(
                "--vary",
                help="Cross the cells with a setting: KEY=VALUE,VALUE, such as backend=tensorflow,jax; repeatable.",
            ),
        ] = None,
        match: Annotated[
            str,
            typer.Option(
                "--match", help="What is equal between cells: units, params (the LSTM keeps its units), or time."
            ),
        ] = "units",
        seeds: Annotated[int, typer.Option("--seeds", help="Trials of each cell.", min=1)] = 3,
        runs: Annotated[bool, typer.Option("--runs", help="Compare finished runs, given by their folders.")] = False,
        export: Annotated[
            list[Path] | None,
            typer.Option("--export", help="Write the result to a .json, .csv, .md or .tex file; repeatable."),
        ] = None,
        report: Annotated[
            Path | None, typer.Option("--report", help="Write an HTML report that opens offline (extra `report`).")
        ] = None,
        output: Output = Path("runs"),
        fresh: Annotated[bool, typer.Option("--fresh", help="Train again what was finished before.")] = False,
        jobs: Annotated[
            int, typer.Option("--jobs", help="Trials at a time; they share the cores, and times are marked.", min=1)
        ] = 1,
        executor: Annotated[
            str, typer.Option("--executor", help="What runs the trials: processes, or ray (extra `ray`).")
        ] = "processes",
        ray_address: Annotated[
            str, typer.Option("--ray-address", help="A running Ray cluster, such as auto; one is started without it.")
        ] = "",
        retries: Annotated[
            int, typer.Option("--retries", help="Ray: how often a trial whose worker or node died is run again.", min=0)
        ] = 3,
        checkpoint_every: CheckpointEvery = 0,
        in_process: InProcess = False,
        pictures: Annotated[str, typer.Option("--pictures", help="The form of the pictures: png or svg.")] = "png",
    ) -> None:
        """Train every cell with every seed on equal terms, and say what the numbers support."""
        for path in export or []:
            check_file("--export", path, EXPORTS)
        if report:
            from grubench.reports.html import check_installed

            check_file("--report", report, (".html",))
            check_installed()
        from grubench.execution.options import ExecutionOptions

        if in_process and executor != "processes":
            raise UsageError(f"--executor {executor} does not go with --in-process.", "Leave one out.")
        options = ExecutionOptions(
            executor="in-process" if in_process else executor,
            jobs=jobs,
            ray_address=ray_address,
            retries=retries,
            checkpoint_every=checkpoint_every,
        )
        if runs:
            trained = (cells, match, seeds, fresh, options) != ("gru,lstm", "units", 3, False, ExecutionOptions())
            if flags or vary or trained:
                raise UsageError("--runs compares finished runs: no setting can be changed.", "Leave the flags out.")
            _compare_runs(names or [], output, export or [], report)
            return
        _check(names or [], flags, pictures)
        from grubench.presets import resolve

        spec = resolve(names[0] if names else None, flags)
        from rich.console import Console

        from grubench import api
        from grubench.reports.progress import Display

        with Display(Console(stderr=True)) as display:
            found = api.compare(
                spec,
                cells=[cell.strip() for cell in cells.split(",") if cell.strip()],
                vary=dict(varied(one) for one in vary or []),
                match=match,
                seeds=seeds,
                output=output,
                fresh=fresh,
                options=options,
                on_event=display,
            )
        _finish(found, export or [], report, pictures)


def _finish(found: Any, export: list[Path], report: Path | None, pictures: str) -> None:
    """Show the comparison; some failed trials are told by the exit code, whatever else fails."""
    try:
        _show(found, export, report, pictures)
    except RunError as error:
        if not found.failures:
            raise
        tell(error.message, error.remedy)  # a full disk, say, that has failed trials before
    if found.failures:
        raise typer.Exit(SOME_FAILED)


def _check(names: list[str], flags: dict[str, Any], pictures: str) -> None:
    if pictures not in ("png", "svg"):
        raise UsageError(f"--pictures: unknown value {pictures!r}.", "Valid: png, svg.")
    if "cell" in flags.get("model", {}):
        raise UsageError("--cell: every cell of --cells is compared.", "Use --cells, such as --cells gru,rnn.")
    if len(names) > 1:
        raise UsageError(f"More than one preset is given: {', '.join(names)}.", "Runs go after --runs.")


def _compare_runs(names: list[str], output: Path, export: list[Path], report: Path | None) -> None:
    from grubench.comparison import comparison
    from grubench.runs import run as runs

    _show(comparison.from_runs([runs.load(runs.folder_of(Path(name), output)) for name in names]), export, report, "")


def _show(found: Any, export: list[Path], report: Path | None, pictures: str) -> None:
    from rich.console import Console

    from grubench.reports import export as record
    from grubench.reports import terminal

    console = Console()
    terminal.show_comparison(found, console)
    if found.folder:
        record.keep(found, pictures)
        console.print(f"Tables and pictures: {found.folder}", highlight=False, soft_wrap=True, markup=False)
    for path in export:
        record.export(found, path)
        console.print(f"Wrote {path}", highlight=False, soft_wrap=True, markup=False)
    if report:
        from grubench.reports.html import write

        write(found, report)
        console.print(f"Report: {report}", highlight=False, soft_wrap=True, markup=False)
