"""CSV for people: no cell is a formula, and numbers stay numbers."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grubench.reports.spreadsheet import format_cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d", "\uff0b"])
def test_a_formula_begins_with_an_apostrophe(start: str) -> None:
    (row,) = csv.reader([format_cell(f"{start}1+1").replace("\n", " ")])
    assert row[0].startswith("'")


@pytest.mark.parametrize(("value", "cell"), [(-1.5, "-1.5"), (3, "3"), (None, ""), ("GRU", "GRU"), ("", "")])
def test_numbers_and_plain_names_are_as_they_are(value: object, cell: str) -> None:
    assert format_cell(value) == cell


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_separator_parts_a_cell(separator: str) -> None:
    (row,) = csv.reader([format_cell(f"a{separator}=1+1")], delimiter=separator)
    assert row == [f"a{separator}=1+1"]


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_a_text_is_read_back(text: str) -> None:
    rows = list(csv.reader([format_cell(text)]))
    assert rows[0][0].removeprefix("'") == text.removeprefix("'")
