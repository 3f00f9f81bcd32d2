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


def test_long_names_are_shortened_to_what_a_file_system_takes(tmp_path: Path) -> None:
    assert folder.shorten("prices") == "prices"
    for text in ("x" * 255, "\u65e5" * 85, "gru-lstm-" * 50):
        part = folder.shorten(text)
        assert text.startswith(part)
        name = folder.free_name(tmp_path, f"compare-{part}-{part}-s4294967295", "3f2a9c00")
        (tmp_path / name).mkdir()
