"""The machine that a run is recorded with, and the cores that a process may use."""

from __future__ import annotations

import os

import pytest

from grubench.backends import machine
from grubench.training.options import TrialOptions


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 cores, of which this process may run on three."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 5, 7}, raising=False)


def test_a_run_records_the_machines_cores_and_threads_follow_the_affinity(affinity: None) -> None:
    """A run is reused by the machine: a batch system's share of its cores must not make another machine of it."""
    assert machine.describe_machine("tensorflow").cores == 64
    assert machine.describe_provenance("tensorflow").cores == 64
    assert machine.count_cores() == 3


def test_a_trial_with_a_card_of_its_own_records_the_cards_of_the_comparison() -> None:
    here = machine.describe_provenance("tensorflow")
    cards = ("NVIDIA L4", "NVIDIA L4")
    assert TrialOptions(card="1", cards=cards).with_all_cards(here).cards == cards
    assert TrialOptions(cards=cards).with_all_cards(here) is here
