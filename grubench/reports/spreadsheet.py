"""CSV for people: a spreadsheet that opens it must not run a cell as a formula.

References:
    OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re

from grubench.text import escape_control_characters

# What a spreadsheet takes a cell for a formula by, in full width too.
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
# What has to stand in quotes: semicolons and tabs part cells where a spreadsheet is set to other languages.
SEPARATOR = re.compile(r'[,;"\t\r\n]')


def format_cell(value: object) -> str:
    """A cell: a text that would be a formula begins with an apostrophe, and a number is as it is."""
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = escape_control_characters(f"'{value}" if FORMULA.match(value) else value)
    return '"' + text.replace('"', '""') + '"' if SEPARATOR.search(text) else text
