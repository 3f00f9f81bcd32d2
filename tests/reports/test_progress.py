"""The progress display: plain lines without a terminal, and text that is never taken for markup."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from grubench.reports.progress import Display
from grubench.training.events import EpochEnd, Note, Plan, Stage, Step, TrialEnd, TrialFound, TrialStart

EVENTS = (
    Plan(trials=4, reused=1),
    TrialStart(trial=0, arm="GRU", seed=3, epochs=4, seconds=0.0),
    TrialStart(trial=1, arm="LSTM", seed=3, epochs=4, seconds=0.0),
    Stage(trial=0, text="first step"),
    Step(trial=0, epoch=1, step=5, steps=10, loss=0.5, sequences_per_s=1234.0),
    Step(trial=1, epoch=1, step=1, steps=10, loss=0.6, sequences_per_s=1234.0),
    EpochEnd(trial=0, epoch=1, loss=0.25, val_loss=0.125, epoch_s=1.0, sequences_per_s=1234.0),
    TrialEnd(trial=1, error="no [/red] luck [batch,5]"),
    TrialEnd(trial=0),
    Note(text="LSTM needs [1] s"),
    TrialFound(arm="GRU", seed=4),
    TrialStart(trial=3, arm="RNN", seed=3, epochs=4, seconds=60.0),
    Step(trial=3, epoch=1, step=5, steps=10, loss=0.5, sequences_per_s=1234.0),
    TrialEnd(trial=3),
)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_finished_stays_in_sight(terminal: bool) -> None:
    console = Console(file=StringIO(), force_terminal=terminal, width=100, color_system=None)
    with Display(console) as display:
        for event in EVENTS:
            display(event)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in (
        "1 trial was finished before",
        "[1/4] GRU seed 3: loss 0.25, validation 0.125",
        "[2/4] LSTM seed 3: no [/red] luck [batch,5]",
        "LSTM needs [1] s",
        "[3/4] GRU seed 4: finished by another process",
        "[4/4] RNN seed 3: 0.0 s",
    ):
        assert part in text
    assert ("\r" in text or "\x1b" in text) == terminal
