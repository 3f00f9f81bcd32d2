"""The commit of the code, as runs record it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from grubench.backends import provenance


def test_the_commit_is_that_of_the_checkout() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or not Path(provenance.__file__).is_relative_to(root):
        pytest.skip("grubench does not run from this checkout")
    head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert (provenance.find_commit() or "").removesuffix("+") == head.stdout.strip()
