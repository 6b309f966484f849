"""The text of a note as a browser shows it: every code point stays one code point.

HTML has no form for most control characters: a browser replaces U+0000 by U+FFFD, and reads U+0080 to
U+009F as characters of Windows-1252 (https://html.spec.whatwg.org, "numeric character reference end
state"). They are shown as the pictures of Unicode's block "Control Pictures". The offsets of a selection
are therefore those of the note.
"""

from __future__ import annotations

from html import escape

_KEPT = "\t\n\r"

_PICTURES = {
    **{n: 0x2400 + n for n in range(0x20) if chr(n) not in _KEPT},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}

_REFERENCES = {"\r": "&#13;"}
"""A parser of HTML would join CR and LF, or replace CR by LF, if CR were not a reference."""


def shown_text(text: str) -> str:
    """Return text with pictures in place of control characters. Its length is that of the text."""
    return text.translate(_PICTURES)


def text_html(text: str) -> str:
    """Return text as HTML whose text content in a browser is `shown_text`."""
    return escape(shown_text(text)).replace("\r", _REFERENCES["\r"])
