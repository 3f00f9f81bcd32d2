"""`grubench doctor`: versions, devices, threads, and which kernel a stack would use and why."""

import typer

from grubench.cli.command import command
from grubench.cli.options import Preset
from grubench.spec.fields import Tree


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor", spec=True, rare=("debug",))(doctor)


def doctor(flags: Tree, preset: Preset = None) -> None:
    """Show versions, devices, and which kernel runs."""
    from grubench.backends import loader
    from grubench.presets import resolve

    spec = resolve(preset, flags)
    from grubench.reports.console import Console

    with Console(stderr=True).status("loading Keras"):
        loader.start(spec.training.backend)
        from grubench.reports import doctor

        diagnosis = doctor.examine(spec)
    doctor.show(diagnosis, Console())
