"""The partition of a batch: which rows go into which group, and which groups into which part."""

from __future__ import annotations

# The rows of a pair of parts are a multiple of this, so that only the last group reaches past the batch.
ROUND = 4


def partition_batch(batch: int, parts: int, group_sizes: list[int]) -> list[list[tuple[int, int]]]:
    """Divide a batch into parts that threads compute, and each part into groups.

    The batch is divided among pairs of parts, each share into as few groups as possible, and the groups between the
    two parts of the pair: two threads then have the same work, and four nearly so.

    Args:
        batch: The rows.
        parts: The number of parts; an odd one is rounded up.
        group_sizes: The numbers of rows that there are functions for.

    Returns:
        The groups of each part that has any, as `(first row, rows)`. The last group may reach past the batch.
    """
    pairs = -(-parts // 2)
    ends = [round(batch * (pair + 1) / pairs / ROUND) * ROUND for pair in range(pairs - 1)] + [batch]
    partition: list[list[tuple[int, int]]] = []
    first = 0
    for end in ends:
        groups = []
        for size in _choose_sizes(end - first, group_sizes):
            groups.append((first, size))
            first += size
        half = -(-len(groups) // 2)
        partition += [groups[:half], groups[half:]]
    return [groups for groups in partition if groups]


def _choose_sizes(rows: int, group_sizes: list[int]) -> list[int]:
    """The group sizes for so many rows: as few rows too many as possible, then as few groups as possible."""
    if rows <= 0:
        return []
    largest, smallest = max(group_sizes), min(group_sizes)
    options = []
    for large_groups in range(rows // largest + 2):
        remaining = max(0, rows - large_groups * largest)
        sizes = [largest] * large_groups + [smallest] * -(-remaining // smallest)
        options.append((sum(sizes), len(sizes), sizes))
    return min(options)[2]


def tile_rows(first: int, rows: int, group_sizes: list[int]) -> list[tuple[int, int]]:
    """Divide some rows into groups, as `(first row, rows)`; exactly, where their number allows it."""
    groups = []
    for size in _choose_sizes(rows, group_sizes):
        groups.append((first, size))
        first += size
    return groups
