"""What stands under the tables about the columns that they have; the same in every view."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grubench.comparison.comparison import Comparison
    from grubench.reports.columns import Column

# What is said of a column on one dataset alone, whose article measures it otherwise.
OF_ARTICLES = {("energy", "smape_percent"): "; the article's own is a quarter of it"}


def write_legend(comparison: Comparison, columns: Iterable[Column]) -> str:
    """Write what the spread, the intervals and the columns mean.

    Args:
        comparison: The comparison.
        columns: The columns that are shown.
    """
    several_seeds = max(len(runs) for runs in comparison.arms.values()) > 1
    parts = []
    if several_seeds:
        parts.append("± standard deviation over seeds; ratios: geometric means; intervals: at their test's level.")
    for column in dict.fromkeys(columns):
        if column.explanation:
            more = OF_ARTICLES.get((comparison.spec.data.dataset, column.key), "")
            parts.append(f"{column.heading}: {column.explanation}{more}.")
    return " ".join(parts)
