"""`grubench predict`: forecasts of a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from grubench.cli.command import check_file, command
from grubench.cli.delivery import Delivery
from grubench.cli.options import MaxTable, Output
from grubench.data.input_files import MAX_TABLE_MB
from grubench.spec.backends import BACKENDS
from grubench.text import join_or


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "predict")(predict)


def predict(
    run: Annotated[Path, typer.Argument(help="A run folder, or the name of one below --output.")],
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", "--parquet", "--file", metavar="FILE", help="New data of the same shape, CSV, Excel or Parquet."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="INT", help="Forecast this many steps past the end.", min=1)
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="The run's series whose scaling the new data takes.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write the forecasts to a .csv file.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="The picture, .png or .svg. [default: in the run]"),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option("--backend", help=f"{join_or(BACKENDS)}; models load on each. [default: the run's]"),
    ] = None,
    output: Output = Path("runs"),
    max_table: MaxTable = MAX_TABLE_MB,
) -> None:
    """Forecast with a finished run."""
    from grubench.reports.console import Console
    from grubench.runs.folder import resolve
    from grubench.runs.run import load

    if export:
        check_file("--export", export, (".csv",))
    if picture:
        check_file("--picture", picture, (".png", ".svg"))
    console = Console()
    trained = load(resolve(run, output))
    with Console(stderr=True).status("loading Keras and the model"):
        from grubench.reports import export as record
        from grubench.reports import forecast as forecast_view
        from grubench.training import predict

        forecast = predict.predict(trained, file=csv, steps=steps, series=series, backend=backend, max_mb=max_table)
    delivery = Delivery()
    if export:
        with delivery.step(f"{export}"):
            record.export_forecast(forecast, export)
            console.print_path("Wrote", export)
    with delivery.step("The tables"):
        forecast_view.show_forecast(forecast, console)
    target = picture or trained.folder / ("ahead.png" if steps else "forecast.png")
    with delivery.step(f"{target}"):
        from grubench.reports import plots

        console.print_path("Picture:", plots.draw_forecast(forecast, target))
    delivery.finish()
