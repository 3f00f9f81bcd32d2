"""Epochs that are doubled until no trial still learns, and seeds that are added until every pair is decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import IN_PROCESS, tiny, visible

from grubench import api, stopping
from grubench.comparison.comparison import Comparison, load
from grubench.comparison.verdict import write_verdict
from grubench.errors import UsageError
from grubench.execution.session import Session
from grubench.reports.export import write_folder
from grubench.training.events import Event, Note, TrialStart
from grubench.training.fit_record import FitRecord


class TestUntilLearned:
    """Epochs are doubled, the same for all cells, until no trial is still learning."""

    @pytest.mark.parametrize(
        ("falls_until", "cells", "epochs", "note"),
        [
            (0, ["gru"], [6], "epochs were not doubled. At the end no trial's loss still fell by 10 %"),
            (
                7,
                ["gru"],
                [6, 12],
                "epochs were doubled once, from 6 to 12. At the end no trial's loss still fell by 10 %",
            ),
            (
                25,
                ["gru", "lstm"],
                [6, 12, 24],
                "epochs were doubled 2 times, from 6 to 24. Still learning at the end: 2 of 2 trials. ",
            ),
        ],
    )
    def test_until_no_loss_falls_or_the_limit(
        self, falls_until: int, cells: list[str], epochs: list[int], note: str, tmp_path: Path, monkeypatch
    ) -> None:
        """Only the longest are compared; the others are runs of their own, and a second call trains none."""
        monkeypatch.setattr(stopping, "MAX_LONGER", 4)
        monkeypatch.setattr(
            FitRecord, "compute_late_fall", lambda record: 0.2 if len(record.epochs) < falls_until else 0.1
        )
        events: list[Event] = []

        def call() -> Comparison:
            events.clear()
            return api.compare(
                tiny(epochs=6),
                cells=cells,
                seeds=1,
                until_learned=True,
                output=tmp_path,
                options=IN_PROCESS,
                on_event=events.append,
            )

        for started in (epochs, []):
            comparison = call()
            trained = [event.epochs for event in events if isinstance(event, TrialStart)]
            assert trained == np.repeat(started, len(cells)).tolist()
            assert [run.metrics.loss.epochs for run in comparison.runs] == epochs[-1:] * len(cells)
            assert comparison.notes[0].startswith(f"--until-learned: {note}")
            assert comparison.notes[0].endswith("This is the limit.") == (falls_until > epochs[-1])
        assert len(visible(tmp_path)) == len(cells) * len(epochs)

    @pytest.mark.parametrize(("epochs", "trained"), [(1, 8), (5, 10), (6, 6)])
    def test_of_fewer_than_six_epochs_it_cannot_be_told(self, epochs: int, trained: int, tmp_path: Path) -> None:
        slow = tiny(epochs=epochs, optimizer="sgd", learning_rate=1e-6)
        comparison = api.compare(slow, cells=["gru"], seeds=1, until_learned=True, output=tmp_path, options=IN_PROCESS)
        assert [run.metrics.loss.epochs for run in comparison.runs] == [trained]

    @pytest.mark.parametrize(
        ("training", "more", "named"),
        [
            ({"seconds": 1}, {}, "training.seconds"),
            ({}, {"match": "time"}, "--match time"),
            ({"patience": 2}, {}, "training.patience"),
            ({}, {"vary": {"training.epochs": [2, 4]}}, "--vary"),
            ({}, {"vary": {"patience": [0, 4]}}, "training.patience"),
        ],
    )
    def test_what_ends_trials_otherwise_is_refused(
        self, training: dict, more: dict, named: str, tmp_path: Path
    ) -> None:
        with pytest.raises(UsageError, match="--until-learned") as caught:
            api.compare(tiny(**training), until_learned=True, output=tmp_path, **more)
        assert named in caught.value.message
        assert not visible(tmp_path)


class TestUntilDecided:
    """Seeds are added to all arms until each pair is different or equivalent, by tests that hold at every look."""

    @staticmethod
    def call(folder: Path, events: list[Event], **more: object) -> Comparison:
        events.clear()
        settings = {"seeds": 3, "until_decided": True, "options": IN_PROCESS, "output": folder} | more
        return api.compare(tiny(epochs=1), on_event=events.append, **settings)  # type: ignore[arg-type]

    def test_what_is_equivalent_within_a_wide_margin_is_decided_early_and_trained_once(self, tmp_path: Path) -> None:
        events: list[Event] = []
        first = self.call(tmp_path, events, margin=0.99)
        seeds = len(first.runs) // 2
        assert 4 <= seeds < 40  # no t of three seeds is an e-value of 20
        assert sum(isinstance(event, TrialStart) for event in events) == 2 * seeds
        assert (
            sum(isinstance(event, Note) and " is undecided. 1 seed more." in event.text for event in events)
            == seeds - 3
        )
        assert f"--until-decided: looked at after 3 to {seeds} seeds" in first.notes[0]
        assert write_verdict(first).answer.choice != "undecided"
        calls = {run.environment.call for run in first.runs}
        assert (len(calls), sorted(run.environment.place for run in first.runs)) == (1, list(range(2 * seeds)))

        again = self.call(tmp_path, events, margin=0.99)
        assert not any(isinstance(event, TrialStart) for event in events)
        assert [run.name for run in again.runs] == [run.name for run in first.runs]
        assert (again.folder, again.notes) == (first.folder, first.notes)

    def test_it_ends_with_the_most_seeds_and_goes_on_with_more(self, tmp_path: Path) -> None:
        events: list[Event] = []
        first = self.call(tmp_path, events, margin=1e-6, most=4)
        assert len(first.runs) == 8
        assert first.notes[0].endswith("That is the most.")
        more = self.call(tmp_path, events, margin=1e-6, most=5)
        assert [event.seed for event in events if isinstance(event, TrialStart)] == [4, 4]
        assert len(more.runs) == 10

    def test_it_is_kept_with_the_comparison(self, tmp_path: Path) -> None:
        found = self.call(tmp_path, [], margin=0.99, most=6)
        write_folder(found)
        assert found.folder
        kept = load(found.folder)
        assert kept.until_decided
        assert write_verdict(kept).answer == write_verdict(found).answer

    def test_several_trials_at_a_time_add_several_seeds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        steps: list[int] = []
        train = stopping.Trained.add

        def watch(trained: stopping.Trained, seeds: int, session: Session) -> stopping.Trained:
            steps.append(seeds - trained.seeds)
            return train(trained, seeds, session)

        monkeypatch.setattr(stopping.Trained, "add", watch)
        options = replace(IN_PROCESS)
        object.__setattr__(options, "jobs", 4)  # it runs them one after another all the same
        self.call(tmp_path, [], margin=1e-6, most=7, options=options)
        assert steps == [3, 2, 2]

    @pytest.mark.parametrize(
        ("more", "named"), [({"cells": ["gru"]}, "a single arm"), ({"seeds": 5, "most": 5}, "--most: 5")]
    )
    def test_what_cannot_be_decided_is_refused(self, more: dict, named: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=named):
            self.call(tmp_path, [], **more)

    def test_seeds_that_are_added_after_a_look_are_told(self, tmp_path: Path) -> None:
        more = {"until_decided": False}
        assert not self.call(tmp_path, [], seeds=3, **more).notes
        write_folder(self.call(tmp_path, [], seeds=3, **more))
        (note,) = self.call(tmp_path, [], seeds=4, **more).notes
        assert note.startswith("These arms were compared before with 3 seeds: ")
        assert "--until-decided" in note
        assert not self.call(tmp_path, [], seeds=3, **more).notes

    def test_after_epochs_were_doubled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(FitRecord, "compute_late_fall", lambda record: 0.2 if len(record.epochs) < 7 else 0.0)
        found = api.compare(
            tiny(epochs=6),
            seeds=3,
            until_learned=True,
            until_decided=True,
            margin=0.99,
            output=tmp_path,
            options=IN_PROCESS,
        )
        assert {run.metrics.loss.epochs for run in found.runs} == {12}
        assert [note.split(":")[0] for note in found.notes[:2]] == ["--until-learned", "--until-decided"]
