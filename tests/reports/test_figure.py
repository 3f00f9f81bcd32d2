"""Figures: names in them are text, and no file of the current folder decides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grubench.reports.figure import Figure, save

DRAW = (
    "from pathlib import Path\n"
    "from grubench.reports.figure import Figure, save\n"
    "figure = Figure()\n"
    "figure.suptitle('a title')\n"
    "save(figure, Path('a.png'))\n"
    "print(Path.cwd().name)"
)


@pytest.mark.parametrize("name", [r"$\frac{$", "$x$", "a$b", "$" * 40, "a\nb", "x" * 100_000])
def test_a_name_is_drawn_as_it_is(tmp_path: Path, name: str) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 1000], [1, 2, 1000], label=name)
    axes.set(title=name, xlabel=name, ylabel=name, yscale="log")
    axes.legend()
    figure.suptitle(name)
    save(figure, tmp_path / "a.svg")
    assert not axes.title.get_parse_math()
    assert len(axes.title.get_text()) < 200
    assert any("mathdefault" in label.get_text() for label in axes.get_yticklabels())


@pytest.mark.parametrize("kind", ["settings", "pipe"])
def test_matplotlibrc_of_the_current_folder_does_not_decide(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    if kind == "pipe":
        os.mkfifo(folder / "matplotlibrc")
    else:
        (folder / "matplotlibrc").write_text("text.usetex: True\nbackend: module://evil\n")
    done = subprocess.run([sys.executable, "-c", DRAW], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "work\n"
    assert (folder / "a.png").stat().st_size > 1000
