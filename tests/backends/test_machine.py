"""The machine that a run is recorded with, and the cores that a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grubench.backends import machine
from grubench.training.options import TrialOptions


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 cores, of which this process may run on three."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 5, 7}, raising=False)
    monkeypatch.setattr(machine, "CORE_QUOTAS", ())


def test_a_run_records_the_machines_cores_and_threads_follow_the_affinity(affinity: None) -> None:
    """A run is reused by the machine: a batch system's share of its cores must not make another machine of it."""
    assert machine.describe_machine("tensorflow").cores == 64
    assert machine.describe_provenance("tensorflow").cores == 64
    assert machine.count_cores() == 3


@pytest.mark.parametrize(
    ("quota", "period", "cores"), [("max", "100000", 3), ("150000", "100000", 2), ("50000", "100000", 1)]
)
def test_threads_follow_the_quota_of_a_container(
    affinity: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, period: str, cores: int
) -> None:
    """Of both versions of control groups; the first says -1 where there is no quota."""
    files = {"max": f"{quota} {period}\n", "quota": quota.replace("max", "-1"), "period": period}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for paths in (("max",), ("quota", "period")):
        absent = ((tmp_path / "absent",), (tmp_path / "quota", tmp_path / "absent"))
        monkeypatch.setattr(machine, "CORE_QUOTAS", (tuple(tmp_path / name for name in paths), *absent))
        assert machine.count_cores() == cores


def test_a_trial_with_a_card_of_its_own_records_the_cards_of_the_comparison() -> None:
    here = machine.describe_provenance("tensorflow")
    cards = ("NVIDIA L4", "NVIDIA L4")
    assert TrialOptions(card="1", cards=cards).with_all_cards(here).cards == cards
    assert TrialOptions(cards=cards).with_all_cards(here) is here
