"""Standard streams that are full or closed: the text is lost, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import sys
from pathlib import Path
import typer
from grubench.cli.streams import guard_streams

with guard_streams():
    typer.echo("shown")
    print("a word " * 100_000)
    print("progress", file=sys.stderr)
    with Path("kept").open("w") as file:
        file.write(str(file.fileno()))
    sys.exit(int(sys.argv[1]))
"""


def run(folder: Path, streams: str, exit_code: int, **options: int) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell does, with its streams led elsewhere."""
    words = ["sh", "-c", f'exec "$0" -c "$1" "$2" {streams}', sys.executable, COMMAND, str(exit_code)]
    places = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(words, cwd=folder, text=True, check=False, **places)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("exit_code", [0, 3])
@pytest.mark.parametrize(
    ("streams", "code", "said"),
    [
        ("", 0, ""),
        (">/dev/full", 1, "No space left on device"),
        (">&-", 1, "Bad file descriptor"),
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        ("<&- >&- 2>&-", 1, ""),
    ],
)
def test_only_the_text_is_lost(tmp_path: Path, streams: str, code: int, said: str, exit_code: int) -> None:
    done = run(tmp_path, streams, exit_code)
    assert done.returncode == (exit_code or code)
    assert int((tmp_path / "kept").read_text()) > 2  # no file took the number of a standard stream
    assert said in done.stderr
    assert ("Standard output could not be written" in done.stderr) == bool(said)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_has_gone_is_told_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(tmp_path, "", 0, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "progress\n")
    assert (tmp_path / "kept").is_file()
