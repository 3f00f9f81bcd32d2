"""Ratios in words: digits that say something."""

from __future__ import annotations

import pytest

from grubench.comparison.phrases import write_ratio


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (30856.73, "30,857"),
        (89.32, "89.3"),
        (14.2334, "14.2"),
        (2.345, "2.35"),
        (1.0, "1.00"),
        (1.0012, "1.001"),
        (0.9996, "0.9996"),
        (0.512, "0.51"),
        (0.0512, "0.051"),
        (0.0004, "< 0.001"),
    ],
)
def test_a_ratio_has_about_three_digits_and_is_not_rounded_to_1(ratio: float, text: str) -> None:
    assert write_ratio(ratio, 2) == text
