"""The progress display: plain lines without a terminal, and text that is never taken for markup."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from grubench.reports.pace import Pace, format_duration
from grubench.reports.progress import Display
from grubench.training.events import EpochEnd, Note, Plan, Stage, Step, TrialEnd, TrialFound, TrialStart

EVENTS = (
    Plan(trials=4, reused=1, work=72.0),
    TrialStart(trial=0, arm="GRU", seed=3, epochs=4, seconds=0.0),
    TrialStart(trial=1, arm="LSTM", seed=3, epochs=4, seconds=0.0),
    Stage(trial=0, text="first step"),
    Step(trial=0, epoch=1, step=5, steps=10, loss=0.5, sequences_per_s=1234.0),
    Step(trial=1, epoch=1, step=1, steps=10, loss=0.6, sequences_per_s=1234.0),
    EpochEnd(trial=0, epoch=1, loss=0.25, val_loss=0.125, epoch_s=1.0, sequences_per_s=1234.0),
    TrialEnd(trial=1, error="no [/red] luck [batch,5]", remedy="Try [2]."),
    TrialEnd(trial=0),
    Note(text="LSTM needs [1] s"),
    TrialFound(arm="GRU", seed=4),
    TrialStart(trial=3, arm="RNN", seed=3, epochs=4, seconds=60.0),
    Step(trial=3, epoch=1, step=5, steps=10, loss=0.5, sequences_per_s=1234.0),
    TrialEnd(trial=3, error="no luck again", remedy="Try [2]."),
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
        "[2/5] GRU seed 3: loss 0.25, validation 0.125",
        "[3/5] LSTM seed 3: no [/red] luck [batch,5]",
        "LSTM needs [1] s",
        "[4/5] GRU seed 4: finished by another process",
        "[5/5] RNN seed 3: no luck again",
    ):
        assert part in text
    assert text.count("Try [2].") == 1
    assert ("\r" in text or "\x1b" in text) == terminal


class Clock:
    """A clock that a test turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def make_console(*, terminal: bool, width: int = 80) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=width, color_system=None)


def step(epoch: int, number: int, trial: int = 0) -> Step:
    return Step(trial=trial, epoch=epoch, step=number, steps=10, loss=0.0123456, sequences_per_s=12345.0)


def epoch_end(epoch: int, trial: int = 0) -> EpochEnd:
    return EpochEnd(trial=trial, epoch=epoch, loss=0.0123456, val_loss=0.0123456, epoch_s=60.0, sequences_per_s=12345.0)


def test_a_pace_counts_from_the_first_work_that_is_seen(clock: Clock) -> None:
    pace = Pace()
    assert pace.time_left_s(10) is None
    clock.now += 500  # compilation
    pace.note(2)
    assert pace.time_left_s(10) is None
    clock.now += 4
    pace.note(4)
    assert pace.time_left_s(10) == 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5000, "83 min"), (5400, "1.5 h"), (90_000, "25 h"), (2e5, "2.3 days")],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("trials", "seconds", "sentence"),
    [
        (
            6,
            0.0,
            "About 60 min for all 6 trials. Shorter: fewer --epochs or --seeds, a larger --batch-size or --stride.",
        ),
        (6, 600.0, "About 58 min for all 6 trials. Shorter: fewer --seconds or --seeds."),
        (1, 0.0, "About 10 min for this trial. Shorter: fewer --epochs, a larger --batch-size or --stride."),
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_long_training_is_said_to_be_long_once_with_what_makes_it_shorter(
    trials: int, seconds: float, sentence: str, terminal: bool, clock: Clock
) -> None:
    """After some steps of the first epoch: ten epochs of a minute each."""
    console = make_console(terminal=terminal, width=120)
    with Display(console) as display:
        display(Plan(trials=trials, reused=0, work=trials * (seconds or 10.0)))
        display(TrialStart(trial=0, arm="GRU", seed=0, epochs=10, seconds=seconds))
        display(Stage(trial=0, text="first step"))
        clock.now += 100
        display(step(1, 1))
        for number in (2, 3):
            clock.now += 6
            display(step(1, number))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("About") == text.count(sentence) == 1


def test_trials_that_take_longer_than_their_epochs_are_counted_whole(clock: Clock) -> None:
    """Each of 6 trials takes 2 s for its epochs, 8 s to forecast and save, and 3 s to start; the first takes 60."""
    with Display(make_console(terminal=False, width=120)) as display:
        display(Plan(trials=6, reused=2, work=12.0))
        for number in range(3):
            display(TrialStart(trial=number, arm="GRU", seed=number, epochs=2, seconds=0.0))
            clock.now += 3 if number else 60
            display(step(1, 1, number))
            for epoch in (1, 2):
                clock.now += 1
                display(epoch_end(epoch, number))
            if number:
                assert display._time_left_s() == 8 + (5 - number) * 13
            clock.now += 8
            display(TrialEnd(trial=number))
    assert display._whole.time_left_s([2.0], []) == 13
    assert display._whole.time_left_s([], [(2.0, 25.0)]) == 0
    assert display._whole.time_left_s([2.0, 2.0], [(2.0, 5.0), (2.0, 3.0)]) == (26 + 5 + 7) / 2


def test_short_training_is_not_said_to_be_long_and_a_log_tells_the_time_of_all_trials(clock: Clock) -> None:
    console = make_console(terminal=False)
    with Display(console) as display:
        display(Plan(trials=4, reused=2, work=8.0))
        display(TrialStart(trial=0, arm="GRU", seed=0, epochs=2, seconds=0.0))
        display(step(1, 5))
        clock.now += 12
        display(epoch_end(1))
        clock.now += 24
        display(epoch_end(2))
        display(TrialEnd(trial=0))
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "2 trials were finished before and are reused (--fresh trains anew).",
        "[3/6] GRU seed 0: 2 epochs",
        "[3/6] GRU seed 0: epoch 1/2 loss 0.01235 val 0.01235 12,345/s 24 s left; all trials: 3 min left",
        "[3/6] GRU seed 0: epoch 2/2 loss 0.01235 val 0.01235 12,345/s 0 s left; all trials: 2 min left",
        "✓ [3/6] GRU seed 0: loss 0.01235, validation 0.01235, 36.0 s",
    ]


@pytest.mark.parametrize(
    ("width", "arm", "name"),
    [(80, "LSTM", "[4/12] LSTM seed 10"), (80, "LSTM learning_rate=0.001 units=64", "[4/12] LSTM lear")],
)
def test_a_line_of_a_narrow_terminal_has_its_name_its_bar_and_the_time_left(
    width: int, arm: str, name: str, clock: Clock
) -> None:
    display = Display(make_console(terminal=True, width=width))
    display(Plan(trials=9, reused=3, work=1800.0))
    display(TrialStart(trial=0, arm=arm, seed=10, epochs=200, seconds=0.0))
    display(epoch_end(122))
    clock.now += 30
    display(epoch_end(123))
    console = make_console(terminal=True, width=width)
    console.print(display._progress.make_tasks_table(display._progress.tasks))
    for_all, of_trial = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "all trials" in for_all
    assert for_all.rstrip().endswith("14 h left")
    assert name in of_trial
    assert "━━" in of_trial
    assert of_trial.rstrip().endswith("epoch 123/200 loss 0.01235 val 0.01235 38 min left")
    assert max(map(len, (for_all, of_trial))) <= width
