"""The command line and the commit of the code, as runs record them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from grubench.backends import provenance
from grubench.text import is_recordable


def test_the_commit_is_that_of_the_checkout() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or not Path(provenance.__file__).is_relative_to(root):
        pytest.skip("grubench does not run from this checkout")
    head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert (provenance.find_commit() or "").removesuffix("+") == head.stdout.strip()


@pytest.mark.parametrize(
    "word", [b"a b", b"--csv=it's.csv", b"a\nb", b"a\tb", b"\x1b[31m", b"a\\'\xff\xc3\xa9", "x\u2028\u00e9".encode()]
)
def test_a_command_is_recorded_as_text_that_a_shell_takes(monkeypatch: pytest.MonkeyPatch, word: bytes) -> None:
    monkeypatch.setattr("sys.argv", ["grubench", os.fsdecode(word)])
    command = provenance.format_command()
    assert is_recordable(command)
    command.encode()
    bash = shutil.which("bash")
    if bash:
        script = f"printf %s {command.removeprefix('grubench ')}"
        assert subprocess.run([bash, "-c", script], capture_output=True, check=True).stdout == word
