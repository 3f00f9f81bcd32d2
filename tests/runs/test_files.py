"""Reading records from untrusted JSON files: what does not fit is named by its key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import Struct

from grubench.errors import RunError
from grubench.runs import files
from grubench.runs.records import Number, Whole


class Inner(Struct, frozen=True, kw_only=True):
    count: Whole
    name: str = ""


class Outer(Struct, frozen=True, kw_only=True):
    scores: Mapping[str, Mapping[str, Number | None]]
    parts: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"scores": {"a": {"b": 1}, "c": {"d": 2, "e": "x"}}}',
            "scores.c.e is 'x' (Expected `float | null`, got `str`)",
        ),
        ('{"scores": {}, "parts": [{"count": 1}, {"count": -1}]}', "parts[1].count is -1 (Expected `int` >= 0)"),
        ('{"scores": {}, "parts": [{"count": 1}, {}]}', "parts[1].count is missing"),
        ('{"scores": {"a": {"b": 1e150}}}', "scores.a.b is 1e+150"),
        ('{"scores": {"a": {"b": 1e400}}}', "scores.a.b is inf"),
        ('{"scores": {"a": {"b": 1' + "0" * 400 + "}}}", "scores.a.b is 1000"),
        ('{"scores": {"a": 3, "a": {}}}', "Expected `object`, got `int`"),
        ("[]", "it is [] (Expected `object`, got `array`)"),
        ("{}", "scores is missing"),
        ('{"scores": {}, "parts": [{"count": 1, "name": "\\u001b[2J"}]}', "parts[0].name holds control characters"),
        ('{"scores": {"\\u009b": {}}}', "scores.'\\x9b' holds control characters"),
        ('{"scores": {"\x7f": {}}}', "scores.'\\x7f' holds control characters"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError) as caught:
        files.read_record(path, Outer)
    assert message in caught.value.message
    assert caught.value.message.startswith(f"{path} ")
    assert caught.value.remedy


def test_other_letters_and_escapes_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"scores": {"é\\\\u001b\\n\\"": {"b": null}}, "more": [1]}', encoding="utf-8")
    assert files.read_record(path, Outer) == Outer(scores={'é\\u001b\n"': {"b": None}})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = Outer(scores={"a": {"b": 0.1, "c": 1e-320}}, parts=(Inner(count=2**63 - 1, name="x"),))
    path = tmp_path / "a.json"
    path.write_bytes(files.to_json(record))
    assert files.read_record(path, Outer) == record


def test_no_more_is_read_than_a_file_may_have(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"x" * 10)
    assert files.read_bytes(path, 10) == b"x" * 10
    with pytest.raises(RunError, match="more than 9 bytes"):
        files.read_bytes(path, 9)
