"""Parts of notes that are too long for a model: overlapping windows."""

from __future__ import annotations

from collections.abc import Callable

from cclearn.coding.findings import Span
from cclearn.notes import CodedNote
from cclearn.rows.windows import windows

_OVERLAP = 8
"""A window begins with so small a part of the one before: an eighth."""

_LEAST = 400
"""Characters of a part that is not halved any more."""


def parts_of(text: str, fits: Callable[[str], bool]) -> list[Span]:
    """Return overlapping windows of a text, each of which fits; the whole text where that does, or where
    nothing can be done. Blank windows are left out.

    Windows end where a reader would end them (`cclearn.rows.windows`), and begin at a blank.

    Args:
        text: A note.
        fits: Says whether a text is short enough.
    """
    if fits(text):
        return [(0, len(text))]
    note = CodedNote(id="-", text=text)
    try:
        # With room for the overlap.
        found = list(
            windows(
                note, lambda part: fits(part.text + part.text[: len(part.text) // _OVERLAP + 1])
            )
        )
    except ValueError:
        return [(0, len(text))]
    spans: list[Span] = []
    start = 0
    for window in found:
        end = start + len(window.text)
        first = _blank_before(text, start, (end - start) // _OVERLAP)
        if not window.text.isspace():
            spans.append((first if fits(text[first:end]) else start, end))
        start = end
    return spans or [(0, 0)]


def halves_of(text: str, span: Span) -> list[Span]:
    """Return two overlapping parts of a part of a text, itself where it is short."""
    start, end = span
    if end - start < _LEAST:
        return [span]
    half = (end - start) // 2 + 1
    found = parts_of(text[start:end], lambda part: len(part) <= half + half // _OVERLAP)
    return [(start + first, start + last) for first, last in found]


def _blank_before(text: str, place: int, most: int) -> int:
    """Return the begin of a word at most so many characters before a place."""
    first = max(0, place - most)
    if first == 0:
        return 0
    while first < place and not text[first - 1].isspace():
        first += 1
    return first
