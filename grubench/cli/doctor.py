"""`grubench doctor`: versions, devices, threads, and which kernel a stack would use and why."""

from typing import Any

import typer

from grubench.cli.flags import command
from grubench.cli.train import Preset


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "doctor", spec=True)
    def doctor(flags: dict[str, Any], preset: Preset = None) -> None:
        """Show versions, devices and threads, and which kernel the stack would use and why."""
        from grubench.backends import registry
        from grubench.presets import resolve

        spec = resolve(preset, flags)
        from rich.console import Console

        with Console(stderr=True).status("loading Keras"):
            registry.choose(spec.training.backend)
            from grubench.reports import doctor

            found = doctor.examine(spec)
        doctor.show(found, Console())
