"""Standard streams that are closed are opened, and closed ones do not stop Keras from being loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from pathlib import Path
from grubench.backends.stderr import quiet_stderr
from grubench.execution.forkservers import _no_output

with _no_output(Path("log")), quiet_stderr(), Path("kept").open("w") as file:
    file.write(f"{file.fileno() > 2} {sys.stderr}")
"""


def test_closed_streams_are_opened(tmp_path: Path) -> None:
    words = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, CODE]
    assert subprocess.run(words, cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "kept").read_text() == "True None"
