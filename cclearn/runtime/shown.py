"""Foreign text as each medium can show it.

Names, ids, flags and messages come from files of others. On a terminal they might move the cursor,
change the direction of the text or add lines that look like ours; in Markdown and HTML they might become
links or scripts. Each function here returns text that its medium shows and does not obey.
"""

from __future__ import annotations

import re
import sys
from html import escape

from cclearn.errors import visible

_MARKDOWN = re.compile(
    r"[\\`*\[\]|~#$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.|^[-+](?=\s|$|[-+])|^=|^\d{1,9}[.)](?=\s|$)"
)
"""What begins or ends an element of CommonMark or of GitHub's tables, links and lists."""


def markdown_text(text: str) -> str:
    """Return text that CommonMark renders as itself: in paragraphs, headings, lists and table cells."""
    line = escape(visible(text).strip(), quote=False)
    return _MARKDOWN.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", line)


def html_text(text: str) -> str:
    """Return text that HTML renders as itself, in an element or in a quoted attribute."""
    return escape(visible(text))


def tell(line: str) -> None:
    """Write a line to standard error, for a user to read."""
    sys.stderr.write(f"{visible(line)}\n")
