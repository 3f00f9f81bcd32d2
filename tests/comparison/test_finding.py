"""Findings: how pairs that are many, and numbers that are many, stand in a sentence."""

from __future__ import annotations

import pytest
from conftest import arm

from grubench.comparison.finding import Finding, format_span, name_arms_together, summarize_pairs
from grubench.comparison.pairs import Pair
from grubench.comparison.statistics import compare_paired

DIFFERENT = compare_paired([1.0, 1.01, 0.99], [2.0, 2.01, 1.99])
LIKE = compare_paired([1.0, 2.0, 3.0], [2.0, 1.0, 3.0])


def pairs(differing: int, count: int = 6) -> list[Pair]:
    """Pairs of arms, of which the first so many differ."""
    results = [DIFFERENT] * differing + [LIKE] * (count - differing)
    return [
        Pair(first=arm(f"a{number}"), second=arm(f"b{number}"), result=result, p=result.p)
        for number, result in enumerate(results)
    ]


@pytest.mark.parametrize(
    ("differing", "said"),
    [
        (0, "no difference shown between the arms of any of 6 pairs (paired t-tests, Holm's correction over 6 pairs)."),
        (1, "the arms of 1 of 6 pairs differ (paired t-tests, Holm's correction over 6 pairs): a0 from b0."),
        (
            3,
            "the arms of 3 of 6 pairs differ (paired t-tests, Holm's correction over 6 pairs): "
            "a0 from b0; a1 from b1; a2 from b2.",
        ),
        (4, "the arms of 4 of 6 pairs differ (paired t-tests, Holm's correction over 6 pairs)."),
    ],
)
def test_pairs_that_differ_are_named_up_to_three(differing: int, said: str) -> None:
    finding = summarize_pairs("error", pairs(differing))
    assert finding.text == said
    assert finding.numbers == {"differing": differing, "tested": 6}


def test_the_topic_is_the_heading() -> None:
    finding = Finding(topic="speed", text="GRU trained 2.00 times as fast as LSTM.")
    assert str(finding) == "Speed: GRU trained 2.00 times as fast as LSTM."


def test_few_values_have_names_and_many_a_span() -> None:
    few = {"a": 1.0, "b": 2.0, "c": 10.0}
    assert format_span(few, 1) == "1.0 (a) and 2.0 (b) and 10.0 (c)"
    assert format_span(few | {"d": 3.0}, 1) == "1.0 to 10.0"


def test_few_arms_are_named_and_many_counted() -> None:
    assert name_arms_together(["a", "b"], 3) == "a and b"
    assert name_arms_together(["a", "b"], 4) == "2 of 4 arms"
    assert name_arms_together(["a", "b", "c", "d"], 4) == "all 4 arms"
