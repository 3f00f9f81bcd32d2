"""The README is held to what the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from grubench.cli import app
from grubench.presets import names

ROOT = Path(__file__).parent.parent
TEXTS = [ROOT / "README.md", *sorted((ROOT / "experiments").glob("*.toml"))]


def commands() -> list[str]:
    found = []
    for path in TEXTS:
        for line in path.read_text(encoding="utf-8").splitlines():
            match = re.match(r"(?:#\s+|\s*\$ |\s{4})?(grubench .*)", line)
            if match and ("README" in path.name or line.startswith("#")):
                found.append(re.sub(r"\s+#.*", "", match[1]))
    return found


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 10


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_in_the_docs_is_one(line: str) -> None:
    group = typer.main.get_command(app)
    name, *rest = shlex.split(line)[1:] or ["--help"]
    if name.startswith("--"):
        return
    assert name in group.commands, line
    # Flags and their values are parsed as in a call; nothing runs.
    group.commands[name].make_context(name, [word for word in rest if word != "..."], resilient_parsing=False)


def test_every_preset_is_named() -> None:
    readme = TEXTS[0].read_text(encoding="utf-8")
    for name in names():
        assert f"`{name}`" in readme
