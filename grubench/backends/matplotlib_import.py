"""matplotlib, imported where no file of the current folder decides; Keras imports it, too.

matplotlib reads the file `matplotlibrc` of the current folder when it is imported, before any other. One that lies
beside somebody's data could have LaTeX set every text, or be a pipe that never ends. A user's own file, in the other
places where matplotlib looks for it, holds.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from pathlib import Path


def import_matplotlib() -> None:
    """Import matplotlib from its own folder; harmless to call again, and where it is not installed."""
    spec = None if "matplotlib" in sys.modules else importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return
    before = Path.cwd()
    os.chdir(Path(spec.origin).parent)
    try:
        with suppress(ImportError):  # a broken one is told where a picture is drawn
            importlib.import_module("matplotlib")
    finally:
        os.chdir(before)
