"""The progress display: plain lines without a terminal, and text that is never taken for markup."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from grubench.progress import Display

EVENTS = (
    {"kind": "plan", "trials": 3, "reused": 1},
    {"kind": "trial", "arm": "GRU", "seed": 3, "epochs": 4, "seconds": 0.0},
    {"kind": "stage", "text": "first step"},
    {"kind": "step", "epoch": 1, "step": 5, "steps": 10, "loss": 0.5, "sequences_per_s": 1234.0},
    {"kind": "epoch", "epoch": 1, "loss": 0.25, "val_loss": 0.125, "seconds": 1.0, "sequences_per_s": 1234.0},
    {"kind": "end", "failed": ""},
    {"kind": "trial", "arm": "LSTM", "seed": 3, "epochs": 4, "seconds": 0.0},
    {"kind": "end", "failed": "no [/red] luck [batch,5]"},
    {"kind": "note", "text": "LSTM needs [1] s"},
    {"kind": "trial", "arm": "RNN", "seed": 3, "epochs": 4, "seconds": 60.0},
    {"kind": "step", "epoch": 1, "step": 5, "steps": 10, "loss": 0.5, "sequences_per_s": 1234.0},
    {"kind": "end", "failed": ""},
)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_finished_stays_in_sight(terminal: bool) -> None:
    console = Console(file=StringIO(), force_terminal=terminal, width=100, color_system=None)
    with Display(console) as display:
        for event in EVENTS:
            display(event)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in (
        "1 trials were finished before",
        "[1/3] GRU seed 3: loss 0.25, validation 0.125",
        "no [/red] luck [batch,5]",
        "LSTM needs [1] s",
        "[3/3] RNN seed 3: 0.0 s",
    ):
        assert part in text
    assert ("\r" in text or "\x1b" in text) == terminal
