"""Escaping of untrusted text for terminals, Markdown and HTML.

Names, ids, flags and messages can come from files that others wrote. On a terminal they could move the
cursor, change the direction of the text or add lines that look like messages of the program. In Markdown
and HTML they could become links or scripts. Each function returns text that is only displayed.
"""

from __future__ import annotations

import re
import sys
from html import escape

from cclearn.errors import visible

_MARKDOWN = re.compile(
    r"[\\`*\[\]|~#$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.|^[-+](?=\s|$|[-+])|^=|^\d{1,9}[.)](?=\s|$)"
)
"""Characters that begin or end an element of CommonMark or of GitHub's tables, links and lists."""


def markdown_text(text: str) -> str:
    """Return text that CommonMark renders literally in paragraphs, headings, lists and table cells."""
    line = escape(visible(text).strip(), quote=False)
    return _MARKDOWN.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", line)


def html_text(text: str) -> str:
    """Return text that HTML renders literally in an element or in a quoted attribute."""
    return escape(visible(text))


def print_message(line: str) -> None:
    """Write a message of one line to standard error."""
    sys.stderr.write(f"{visible(line)}\n")


def counted(count: int, unit: str = "note") -> str:
    """Return a number with its unit: `1 note`, `2,000 notes`."""
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"
