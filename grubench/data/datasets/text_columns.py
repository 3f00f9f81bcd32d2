"""Columns of text among the inputs: found out, and coded as the places of their texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grubench.data.datasets.number_format import is_number
from grubench.errors import DataError, SpecError
from grubench.text import is_recordable, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grubench.spec.sections import Data

# Each text becomes an input; names of customers and the like would be thousands.
MAX_TEXTS = 100
MAX_TEXT_LETTERS = 100
# Numbers with a unit; a few such texts may be classes: 1st, 2nd; 4h, 8h.
QUANTITY = re.compile(r"\s*[+-]?\d[\d.,]*\s*[^\W\d_%]{1,5}\s*")
MAX_GRADES = 20


def code_texts(frame: pd.DataFrame, spec: Data, where: str) -> tuple[pd.DataFrame, Mapping[str, tuple[str, ...]]]:
    """Replace the columns of text among the features by the places of their texts, in order; NaN for empty cells.

    A column is one of text where none of its cells is a number.

    Args:
        frame: The table.
        spec: Names the features.
        where: The file's name, for messages.

    Returns:
        The table, and the texts of each such column.

    Raises:
        DataError: A column has too many texts, or one that cannot be recorded.
        SpecError: The mean of duplicates is asked for, and texts have none.
    """
    texts: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(spec.features):
        if name in spec.target:
            continue
        column = frame[name]
        if not (column.dtype == object or pd.api.types.is_string_dtype(column) or _is_categorical(column)):
            continue
        column = column.astype(object).mask(column.isin(["", *spec.na]))
        different = column.dropna().unique()
        if not len(different) or not all(isinstance(text, str) and not is_number(text.strip()) for text in different):
            continue
        _refuse_quantities(list(map(str, different)), name, where)
        texts[name] = _check_texts(sorted({text.strip() for text in different}), name, where)
        places = {text: float(place) for place, text in enumerate(texts[name])}
        codes = [places.get(cell.strip(), np.nan) if isinstance(cell, str) else np.nan for cell in column]
        frame = frame.assign(**{name: np.array(codes, np.float64)})
    if texts and spec.duplicates == "mean":
        raise SpecError(
            f"data.duplicates: texts such as those of {quote(next(iter(texts)))} have no mean.", "Use first."
        )
    return frame, texts


def _refuse_quantities(texts: list[str], name: str, where: str) -> None:
    """Refuse numbers with a unit or a factor, such as 12.5K: as texts they would say nothing of their size."""
    if len(texts) > MAX_GRADES and all(map(QUANTITY.fullmatch, texts)):
        raise DataError(
            f"{where}, column {quote(name)}: {quote(texts[0])} is not a number, and all others are written so.",
            "Write them as numbers, or leave the column out of --features.",
        )


def _is_categorical(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _check_texts(texts: list[str], name: str, where: str) -> tuple[str, ...]:
    if len(texts) > MAX_TEXTS:
        raise DataError(
            f"{where}, column {quote(name)} has {len(texts):,} different texts, and at most {MAX_TEXTS} can be inputs.",
            "Leave it out of --features, or name it as --series-column.",
        )
    wrong = [text for text in texts if len(text) > MAX_TEXT_LETTERS or not is_recordable(text)]
    if wrong:
        raise DataError(
            f"{where}, column {quote(name)}: the text {quote(wrong[0])} is long or holds control characters.",
            "Leave the column out of --features.",
        )
    return tuple(texts)
