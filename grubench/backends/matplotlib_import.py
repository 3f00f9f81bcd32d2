"""matplotlib, imported where no file of the current folder decides; Keras imports it, too.

matplotlib reads the file `matplotlibrc` of the current folder when it is imported, before any other. One that lies
beside somebody's data could have LaTeX set every text, or be a pipe that never ends. A user's own file, in the other
places where matplotlib looks for it, holds.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import chdir, suppress
from pathlib import Path


def import_matplotlib() -> None:
    """Import matplotlib from its own folder; harmless to call again, and where it is not installed."""
    spec = None if "matplotlib" in sys.modules else importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return
    # A broken one is told where a picture is drawn; the current folder may be gone, and no way leads back to it.
    with suppress(ImportError, OSError), chdir(Path(spec.origin).parent):
        importlib.import_module("matplotlib")
