"""Which rows of a batch go into which group, and which groups into which slot."""

from __future__ import annotations

# Rows at a slot's end are a multiple of this, so that groups are whole but in the last slot.
ROUND = 4


def plan(batch: int, slots: int, sizes: list[int]) -> list[list[tuple[int, int]]]:
    """The groups of each slot: their first row and how many rows the function handles that runs them.

    The batch is halved as often as there are pairs of slots, each part cut into as few groups as can be, and the
    groups shared between its two slots: two threads then have the same work, and four nearly so. All groups but the
    last are whole; that may reach past the batch.
    """
    parts = -(-slots // 2)
    ends = [round(batch * (part + 1) / parts / ROUND) * ROUND for part in range(parts - 1)] + [batch]
    made: list[list[tuple[int, int]]] = []
    first = 0
    for end in ends:
        groups = []
        for size in _sizes(end - first, sizes):
            groups.append((first, size))
            first += size
        middle = -(-len(groups) // 2)
        made += [groups[:middle], groups[middle:]]
    return [groups for groups in made if groups]


def _sizes(rows: int, sizes: list[int]) -> list[int]:
    """Group sizes for so many rows: the least wasted, then the fewest."""
    if rows <= 0:
        return []
    most, least = max(sizes), min(sizes)
    options = []
    for large in range(rows // most + 2):
        rest = max(0, rows - large * most)
        found = [most] * large + [least] * -(-rest // least)
        options.append((sum(found), len(found), found))
    return min(options)[2]
