"""Findings: how numbers and arms that are many stand in a sentence."""

from __future__ import annotations

from grubench.comparison.finding import Finding, format_span, name_arms_together


def test_the_topic_is_the_heading() -> None:
    finding = Finding(topic="speed", text="GRU trained 2.00 times as fast as LSTM.")
    assert str(finding) == "Speed: GRU trained 2.00 times as fast as LSTM."


def test_few_values_have_names_and_many_a_span() -> None:
    few = {"a": 1.0, "b": 2.0, "c": 10.0}
    assert format_span(few, 1) == "1.0 (a) and 2.0 (b) and 10.0 (c)"
    assert format_span(few | {"d": 3.0}, 1) == "1.0 to 10.0"


def test_few_arms_are_named_and_many_counted() -> None:
    assert name_arms_together(["a", "b"], 3) == "a and b"
    assert name_arms_together(["a", "b"], 8) == "a and b"
    assert name_arms_together(["a", "b", "c", "d"], 8) == "4 of 8 arms"
    assert name_arms_together(["a", "b", "c", "d"], 4) == "all 4 arms"
