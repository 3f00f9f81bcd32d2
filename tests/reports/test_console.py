"""The terminal: what comes from data steers nothing, in lines, tables and progress."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from grubench.reports.console import Console
from grubench.runs.run import Run

EVIL = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202egnp.exe\u2028[bold]x[/y] \udc80"


def is_plain(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.print(EVIL)
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(Text(EVIL))
    table.add_row(EVIL)
    console.print(table)
    console.print_path("Wrote", Path(f"{EVIL}\n\tSaved in elsewhere"))
    with Progress(TextColumn("{task.description}", markup=False), console=console) as progress:
        progress.add_task(EVIL)
    shown = capsys.readouterr().out
    assert is_plain(shown)
    assert r"\x1b[31m" in shown
    assert r"\n\tSaved in elsewhere" in shown
    assert "[bold]x[/y]" in shown


def test_the_name_of_a_run_folder_is_text(call, trained: dict[str, Run]) -> None:
    name = f"{EVIL[:-1]}\nGRU is better".replace("/", "")
    shutil.copytree(trained["gru"].folder, Path("runs") / name)
    for words in (("runs",), ("runs", f"runs/{name}"), ("predict", f"runs/{name}", "--steps", 1)):
        shown = call(*words).output
        assert is_plain(shown)
        assert r"\x1b" in shown
        assert "\nGRU is better" not in shown
