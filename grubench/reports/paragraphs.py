"""Sentences broken into lines, none of which ends between a number and its unit."""

from __future__ import annotations

import re
import textwrap

# textwrap breaks lines at no other blank than the space of ASCII.
NO_BREAK = "\N{NO-BREAK SPACE}"
UNITS = (
    *("ms", "s", "min", "h", "days?", "MB", "seeds?", "series", "steps?", "epochs?", "units?", "windows?"),
    *("trials?", "arms?", "pairs?", "targets?", "networks?", "settings?", "more", "times", "percentage"),
)
# What stays in one line: a number and its unit, the value of a p, a deviation, a flag's number, and numbers of seeds.
TOGETHER = re.compile(
    rf"\d (?=%|(?:{'|'.join(UNITS)})\b)|\b[pU] [=<] (?=\d)|± (?=\S)|--[a-z-]+ (?=\d)"
    r"|\b(?:A12|seeds?|batch|within) (?=\d)"
)


def wrap(text: str, width: int) -> str:
    """Break a text into lines of so many letters; a longer word has a line of its own."""
    glued = TOGETHER.sub(lambda match: match[0].replace(" ", NO_BREAK), text)
    lines = textwrap.wrap(glued, max(width, 1), break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(NO_BREAK, " ")
