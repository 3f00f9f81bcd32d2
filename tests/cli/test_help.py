"""Help on two levels: every command's help is short, and every flag is in the long one."""

from __future__ import annotations

import pytest
import typer

from grubench.cli import app
from grubench.spec.sections import SECTIONS

COMMANDS = ("compare", "report", "train", "predict", "bench", "datasets", "runs", "doctor", "guide")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("level", ["--help", "--help-all"])
def test_every_command_and_flag_has_help(call, command: str, level: str) -> None:
    result = call(command, level)
    if level == "--help-all" and "--help-all" not in call(command, "--help").stdout:
        assert result.exit_code == 2  # a command without rare flags has one level
        return
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if line.strip().startswith("--")]
    assert len(lines) > 1
    parameters = typer.main.get_command(app).commands[command].params
    assert all(parameter.help for parameter in parameters)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_short(call, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = call(command, "--help").stdout.splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", ["compare", "train", "doctor"])
def test_every_flag_is_in_the_long_help(call, command: str) -> None:
    short, full = call(command, "--help").stdout, call(command, "--help-all").stdout
    parameters = typer.main.get_command(app).commands[command].params
    for flag in (flag for parameter in parameters for flag in parameter.opts if flag.startswith("--")):
        assert flag in full
    for section in SECTIONS.values():
        for setting in section.settings:
            flag = f"--{setting.name.replace('_', '-')}"
            assert flag in full
            assert (f"{flag} " in short or f"{flag}/" in short) != setting.rare, flag
    assert "--epochs" in short
    assert "--min-delta" not in short


def test_help_shows_the_defaults_that_apply(call) -> None:
    """Those of the dataset that is the default, and of a file of one's own where they differ."""
    said = " ".join(call("compare", "--help-all").stdout.split())
    for text in (
        "--lookback INT Steps in. [default: 28; own file: 60]",
        "[default: activity0; own file: all]",
        "[default: 0.001]",
        "--epochs INT Passes over the training windows. [default: 20]",
        "--seeds INT Trials of each cell. [default: 3]",
    ):
        assert text in said
