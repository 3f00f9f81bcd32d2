"""Names of run folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from grubench.runs import folder


def test_two_runs_of_one_second_get_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder.time, "strftime", lambda _: "2026-01-31-101502")
    first = folder.free_name(tmp_path, "a-gru-s0", "3f2a9c00")
    (tmp_path / first).mkdir()
    assert (first, folder.free_name(tmp_path, "a-gru-s0", "3f2a9c00")) == (
        "2026-01-31-101502-a-gru-s0-3f2a9c",
        "2026-01-31-101502-a-gru-s0-3f2a9c-2",
    )


def test_a_run_is_named_by_its_path_or_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    assert folder.resolve(Path("a"), Path("runs")) == Path("runs/a")
    (tmp_path / "a").mkdir()
    assert folder.resolve(Path("a"), Path("runs")) == Path("a")
    assert folder.resolve(Path("absent"), Path("runs")) == Path("absent")
