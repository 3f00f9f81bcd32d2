"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[Path, typer.Option("--output", metavar="FOLDER", help="The folder of the runs.")]
InProcess = Annotated[bool, typer.Option("--in-process", help="Train in this process, for debugging.")]
CheckpointEvery = Annotated[
    int,
    typer.Option(
        "--checkpoint-every",
        metavar="INT",
        help="Epochs between checkpoints, from which a killed trial continues; 0 for none.",
        min=0,
    ),
]
MaxTable = Annotated[
    int,
    typer.Option(
        "--max-table",
        metavar="MB",
        help="The largest table that is read: MB of text or of numbers, unpacked.",
        min=1,
        max=10**9,
    ),
]
Preset = Annotated[str | None, typer.Argument(help="A preset by name, or the path of a TOML file.")]
