"""Columns of text as inputs: one input for each text that the training part has (one-hot)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from grubench.data.splits import split_all, split_rows
from grubench.errors import UsageError
from grubench.text import count, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grubench.data.series import Dataset, Series
    from grubench.data.splits import Split
    from grubench.spec.experiment import Experiment

Categories = dict[str, tuple[str, ...]]


def encode(dataset: Dataset, spec: Experiment) -> Dataset:
    """Replace each column of text by an input for each of its texts in the training part.

    Args:
        dataset: The data, whose columns of text hold the places of texts in `Series.categories`.
        spec: Says what the training part is.
    """
    if not any(series.categories for series in dataset.series):
        return dataset
    train = dataset.select(spec.data.train_series, "data.train_series")
    first = 1 if spec.window.every_step else spec.window.lookback
    if spec.window.split == "time":
        splits = {series.name: split_rows(len(series), first, spec.window) for series in train}
    else:
        splits = split_all(list(train), train, first, spec.window)
    return encode_as(dataset, _find_trained(train, splits))


def encode_as(dataset: Dataset, categories: Mapping[str, tuple[str, ...]]) -> Dataset:
    """Replace each column of text by an input for each of these texts; another text is 0 in all of them.

    Args:
        dataset: The data.
        categories: The texts of each column.

    Raises:
        UsageError: A column of numbers should have texts, or the other way round.
    """
    known = set(categories)
    for series in dataset.series:
        different = sorted(known ^ set(series.categories))
        if different:
            raise UsageError(
                f"{dataset.name}, column {quote(different[0])}: the run was trained on "
                f"{'text' if different[0] in known else 'numbers'}, and this is not.",
                "Give data with the columns that the run was trained on.",
            )
    unseen = {column: _list_unseen(dataset, column, texts) for column, texts in categories.items()}
    notes = tuple(note for column, texts in unseen.items() for note in _explain_unseen(dataset, column, texts))
    every = tuple(_expand(series, categories, notes) for series in dataset.series)
    return replace(dataset, series=every, categories=dict(categories))


def _find_trained(train: tuple[Series, ...], splits: Mapping[str, Split]) -> Categories:
    """The texts of each column in the training part, in order."""
    trained: Categories = {}
    for column in train[0].categories:
        seen: set[str] = set()
        for series in train:
            codes = series.values[: splits[series.name].train, series.columns.index(column)]
            seen |= {series.categories[column][int(code)] for code in np.unique(codes)}
        trained[column] = tuple(sorted(seen))
    return trained


def _list_unseen(dataset: Dataset, column: str, texts: tuple[str, ...]) -> dict[str, int]:
    """How often each text occurs that is not among these."""
    unseen: dict[str, int] = {}
    for series in dataset.series:
        codes, counts = np.unique(series.values[:, series.columns.index(column)], return_counts=True)
        for code, number in zip(codes.astype(int), counts.tolist(), strict=True):
            text = series.categories[column][code]
            if text not in texts:
                unseen[text] = unseen.get(text, 0) + number
    return unseen


def _explain_unseen(dataset: Dataset, column: str, unseen: Mapping[str, int]) -> tuple[str, ...]:
    if not unseen:
        return ()
    rows = count(sum(unseen.values()), "row")
    return (f"Column {column}: {rows} of {dataset.name} with texts that no training row has: {list_names(unseen)}.",)


def _expand(series: Series, categories: Mapping[str, tuple[str, ...]], notes: tuple[str, ...]) -> Series:
    """A series with the columns of text replaced."""
    names: list[str] = []
    columns = []
    for place, name in enumerate(series.columns):
        if name not in series.categories:
            names.append(name)
            columns.append(series.values[:, place])
            continue
        own = np.array(series.categories[name])[series.values[:, place].astype(int)]
        names += [f"{name}={text}" for text in categories[name]]
        columns += [(own == text).astype(np.float64) for text in categories[name]]
    return replace(
        series,
        values=np.column_stack(columns),
        columns=tuple(names),
        categories={},
        notes=(*series.notes, *notes),
    )
