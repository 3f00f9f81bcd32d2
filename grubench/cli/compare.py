"""`grubench compare`: cells against each other over seeds, or finished runs."""

from __future__ import annotations

import functools
import importlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grubench.cli.command import check_file, command
from grubench.cli.delivery import Delivery
from grubench.cli.flags import parse_variation
from grubench.cli.options import CheckpointEvery, InProcess, MaxTable, Output
from grubench.data.input_files import MAX_TABLE_MB
from grubench.errors import UsageError
from grubench.spec.fields import Tree

if TYPE_CHECKING:
    from collections.abc import Collection

    from grubench.comparison.comparison import Comparison
    from grubench.training.events import Event

SOME_FAILED = 3
EXPORTS = (".json", ".csv", ".md", ".tex")
# What --help leaves to --help-all.
RARE = (
    "executor",
    "ray_address",
    "retries",
    "checkpoint_every",
    "max_table",
    "in_process",
    "margin",
    "most",
    "pictures",
    "debug",
    "model__cell",
    "seed",
)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="PRESET", help="A preset by name or path; with --runs, runs."),
]
Cells = Annotated[str, typer.Option("--cells", metavar="LIST", help="The cells to compare.")]
Arms = Annotated[
    list[str] | None,
    typer.Option("--arm", metavar="TEXT", help="An arm written out: 'gru:64 dropout=0.2'; repeatable."),
]
Vary = Annotated[
    list[str] | None,
    typer.Option("--vary", metavar="KEY=A,B", help="Cross the cells with a setting; repeatable."),
]
Match = Annotated[str, typer.Option("--match", metavar="TEXT", help="What is equal: units, params or time.")]
Seeds = Annotated[int, typer.Option("--seeds", metavar="INT", help="Trials of each cell.", min=1)]
Runs = Annotated[bool, typer.Option("--runs", help="Compare finished runs, given by their folders.")]
Export = Annotated[
    list[Path] | None,
    typer.Option("--export", metavar="FILE", help="Write a .json, .csv, .md or .tex file; repeatable."),
]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write an HTML report (extra `report`).")]
UntilLearned = Annotated[
    bool,
    typer.Option("--until-learned", help="Double the epochs until no trial still learns."),
]
UntilDecided = Annotated[
    bool, typer.Option("--until-decided", help="Add seeds until each pair is different or equivalent.")
]
Most = Annotated[int, typer.Option("--most", metavar="INT", help="--until-decided: the most seeds.", min=4)]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train finished trials again.")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="INT", help="Trials at a time.", min=1)]
Executor = Annotated[
    str, typer.Option("--executor", metavar="TEXT", help="What runs the trials: processes, or ray (extra `ray`).")
]
RayAddress = Annotated[
    str,
    typer.Option(
        "--ray-address", metavar="TEXT", help="A running Ray cluster, such as auto; without it, one is started."
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        "--retries", metavar="INT", help="Ray: how often a trial whose worker or node died is run again.", min=0
    ),
]
Margin = Annotated[
    float,
    typer.Option(
        "--margin",
        metavar="FLOAT",
        help="By how much errors may differ and be equivalent: 0.05 for 5 %.",
        min=1e-6,
        max=0.99,
    ),
]
Details = Annotated[bool, typer.Option("--details", help="Print every column, table and test.")]
Pictures = Annotated[str, typer.Option("--pictures", metavar="TEXT", help="The format of the pictures: png or svg.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "compare", spec=True, rare=RARE)(compare)


def compare(
    flags: Tree,
    names: Names = None,
    cells: Cells = "gru,lstm",
    arm: Arms = None,
    vary: Vary = None,
    match: Match = "units",
    seeds: Seeds = 3,
    runs: Runs = False,
    export: Export = None,
    report: Report = None,
    output: Output = Path("runs"),
    fresh: Fresh = False,
    until_learned: UntilLearned = False,
    until_decided: UntilDecided = False,
    most: Most = 40,
    jobs: Jobs = 1,
    executor: Executor = "processes",
    ray_address: RayAddress = "",
    retries: Retries = 3,
    checkpoint_every: CheckpointEvery = 0,
    max_table: MaxTable = MAX_TABLE_MB,
    in_process: InProcess = False,
    margin: Margin = 0.05,
    details: Details = False,
    pictures: Pictures = "png",
) -> None:
    """Train cells on equal terms and compare them. Presets and datasets have defaults of their own."""
    _check_files(export or [], report)
    from grubench.execution.options import ExecutionOptions

    if in_process and executor != "processes":
        raise UsageError(f"--executor {executor} does not go with --in-process.", "Leave one out.")
    options = ExecutionOptions(
        executor="in-process" if in_process else executor,
        jobs=jobs,
        ray_address=ray_address,
        retries=retries,
        checkpoint_every=checkpoint_every,
        max_table_mb=max_table,
    )
    if runs:
        trained = (cells, match, seeds, most, options) != ("gru,lstm", "units", 3, 40, ExecutionOptions())
        if flags or arm or vary or fresh or until_learned or until_decided or trained:
            raise UsageError("--runs compares finished runs: no setting can be changed.", "Leave the flags out.")
        _deliver(_compare_runs(names or [], output, margin), export or [], report, "", details=details, told=())
        return
    _check_settings(names or [], flags, pictures)
    if arm and cells != "gru,lstm":
        raise UsageError("--arm and --cells both say what is compared.", "Leave one of them out.")
    from grubench import api
    from grubench.presets import resolve
    from grubench.reports.console import Console, share_one_place
    from grubench.reports.progress import Display
    from grubench.training.events import TrialStart

    spec = resolve(names[0] if names else None, flags)
    with Display(Console(stderr=True)) as display:

        def show(event: Event) -> None:
            display(event)
            if isinstance(event, TrialStart):
                _import_ahead()

        comparison = api.compare(
            spec,
            cells=[cell.strip() for cell in cells.split(",") if cell.strip()],
            arms=arm or (),
            vary=dict(map(parse_variation, vary or [])),
            match=match,
            seeds=seeds,
            output=output,
            fresh=fresh,
            margin=margin,
            until_learned=until_learned,
            until_decided=until_decided,
            most=most,
            options=options,
            on_event=show,
        )
    told = display.notes if share_one_place() else ()
    _deliver(comparison, export or [], report, pictures, details=details, told=told)


@functools.cache
def _import_ahead() -> None:
    """Import what the answer and the pictures need, more than a second, while Keras loads for the first trial."""
    with suppress(ImportError):  # told where it is needed
        importlib.import_module("grubench.comparison.answer")
        importlib.import_module("grubench.reports.plots")


def _check_files(export: list[Path], report: Path | None) -> None:
    for path in export:
        check_file("--export", path, EXPORTS)
    if report:
        from grubench.reports.html import check_installed

        check_file("--report", report, (".html",))
        check_installed()


def _check_settings(names: list[str], flags: Tree, pictures: str) -> None:
    if pictures not in ("png", "svg"):
        raise UsageError(f"--pictures: unknown value {pictures!r}.", "Valid: png, svg.")
    if "cell" in flags.get("model", {}):
        raise UsageError("--cell: every cell of --cells is compared.", "Use --cells, such as --cells gru,rnn.")
    if len(names) > 1:
        raise UsageError(f"More than one preset is given: {', '.join(names)}.", "Runs go after --runs.")


def _compare_runs(names: list[str], output: Path, margin: float) -> Comparison:
    from grubench.comparison.comparison import from_runs
    from grubench.runs.folder import resolve
    from grubench.runs.run import load

    return from_runs([load(resolve(Path(name), output)) for name in names], margin)


def _deliver(
    comparison: Comparison,
    export: list[Path],
    report: Path | None,
    pictures: str,
    *,
    details: bool,
    told: Collection[str],
) -> None:
    """Keep the comparison, then show it and write the rest; the exit code says that trials failed, if any did."""
    from grubench.comparison.answer import answer
    from grubench.comparison.best_arm import find_best_run
    from grubench.comparison.finding import NEITHER
    from grubench.comparison.remarks import advise_again
    from grubench.reports import export as record
    from grubench.reports import terminal
    from grubench.reports.console import Console

    console, delivery, folder = Console(), Delivery(), comparison.folder
    if folder:
        with delivery.step(f"{folder}"):
            record.write_folder(comparison)
    with delivery.step("The tables"):
        terminal.show_comparison(comparison, console, details=details, told=told)
    if folder and folder.is_dir():
        _draw(comparison, folder, pictures, delivery)
        console.print_path(f"Tables, loss.{pictures}, forecast.{pictures}:", folder)
        again = advise_again(comparison)
        if again:
            console.print_path("Next:", again)
        elif answer(comparison).choice == NEITHER:
            console.print_path("Next: grubench report", folder)
        else:
            steps = comparison.spec.window.horizon
            console.print_path(f"Next: grubench predict --steps {steps}", find_best_run(comparison).folder)
    for path in export:
        with delivery.step(f"{path}"):
            record.export_comparison(comparison, path)
            console.print_path("Wrote", path)
    if report:
        with delivery.step(f"{report}"):
            from grubench.reports.html import write

            write(comparison, report)
            console.print_path("Report:", report)
    delivery.finish(SOME_FAILED if comparison.failures else 1)
    if comparison.failures:
        raise typer.Exit(SOME_FAILED)


def _draw(comparison: Comparison, folder: Path, pictures: str, delivery: Delivery) -> None:
    """Draw the pictures of a comparison's folder, each on its own."""
    for name in ("loss", "forecast"):
        path = folder / f"{name}.{pictures}"
        with delivery.step(f"{path}"):
            from grubench.reports import plots

            draw = plots.draw_losses if name == "loss" else plots.draw_forecasts
            draw(comparison, path)
