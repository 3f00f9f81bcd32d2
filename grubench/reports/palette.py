"""The colors and line styles of tables and pictures.

An arm brings its own color (`spec.arms`), and so do a cell (`spec.cells`) and a baseline (`spec.baselines`). They are
Okabe and Ito's, which color-blind readers tell apart.
"""

from __future__ import annotations

from grubench.spec.baselines import BASELINES
from grubench.spec.cells import CELLS

ACTUAL = "#111111"
# The lines of kernels and the points of sizes, in pictures that have several of them.
LINE_STYLES = ("-", "--", ":", "-.")
MARKERS = "osD^vP"
# Arms whose forecasts are drawn: more lines cannot be told apart.
MAX_FORECASTS = 10

_BY_LABEL = {cell.label: cell.color for cell in CELLS.values()} | {
    name: baseline.color for name, baseline in BASELINES.items()
}


def find_color(name: str) -> str:
    """The color of a cell, by its label, or of a baseline; empty for any other name."""
    return _BY_LABEL.get(name, "")
