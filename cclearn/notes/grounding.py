"""Grounding: finding the offsets of quotes in a note."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property

from cclearn.notes.spans import Span
from cclearn.runtime.folding import lower_case

MAXIMUM_OCCURRENCES = 1_000
"""Maximum number of occurrences of a quote that are considered. It limits the time for a note."""


_WHITE_SPACE = re.compile(r"\s+")
_LONGER_WHITE_SPACE = re.compile(r"\s{2,}")


def as_quote(text: str) -> str:
    """Return a text in the form of a quote in an answer: on one line, with single blanks."""
    return " ".join(text.split())


def ground(
    text: str,
    quotes: Sequence[str],
    prefer: Callable[[int, int], int] | None = None,
) -> list[Span | None]:
    """Find the span of each quote, assuming that quotes are listed in order of mention.

    A blank of a quote matches any white space of the note; all other characters must be equal. If
    there is no such occurrence, upper and lower case may differ.

    A quote may occur several times. The first occurrence after the previous quote is chosen, otherwise
    the first one that no earlier quote uses, otherwise the last one that was used.

    Args:
        text: Text of the note.
        quotes: Quotes in the order of the answer.
        prefer: Function that ranks a span by how likely it is meant, for example lower if it is negated.
            Only the occurrences with the highest rank are considered.

    Returns:
        One span for each quote, None if the quote is not in the note.
    """
    note = _CollapsedText(text)
    known: dict[str, list[Span]] = {}
    used_spans: dict[str, dict[Span, None]] = {}
    cursor = 0
    spans: list[Span | None] = []
    for quote in quotes:
        collapsed = as_quote(quote)
        if collapsed not in known:
            known[collapsed] = _highest_ranked(note.occurrences(collapsed), prefer)
        occurrences = known[collapsed]
        if not occurrences:
            spans.append(None)
            continue
        used = used_spans.setdefault(collapsed, {})
        free = [span for span in occurrences if span not in used]
        ahead = [span for span in free if span[0] >= cursor]
        span = (ahead or free or list(used)[-1:])[0]
        used[span] = None
        cursor = span[1]
        spans.append(span)
    return spans


def _highest_ranked(spans: list[Span], prefer: Callable[[int, int], int] | None) -> list[Span]:
    if prefer is None or len(spans) < 2:
        return spans
    ranks = [prefer(*span) for span in spans]
    best = max(ranks)
    return [span for span, rank in zip(spans, ranks, strict=True) if rank == best]


class _CollapsedText:
    """A text with each run of white space as one blank, which finds spans of the original text.

    The time of a search grows with the sum of the lengths of the text and the quote, not with their
    product.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._collapsed = _WHITE_SPACE.sub(" ", text)
        self._offsets: list[int] = []
        self._shifts = [0]
        for run in _LONGER_WHITE_SPACE.finditer(text):
            self._offsets.append(run.start() - self._shifts[-1])
            self._shifts.append(self._shifts[-1] + len(run[0]) - 1)

    @cached_property
    def _lowered(self) -> str:
        return lower_case(self._collapsed)

    def occurrences(self, quote: str) -> list[Span]:
        """Return the spans of a quote. Occurrences inside words count only if there are no others."""
        if not quote:
            return []
        found = self._find(self._collapsed, quote) or self._find(self._lowered, lower_case(quote))
        return [span for span in found if _has_word_boundaries(self._text, span)] or found

    def _find(self, text: str, quote: str) -> list[Span]:
        found: list[Span] = []
        start = text.find(quote)
        while start >= 0 and len(found) < MAXIMUM_OCCURRENCES:
            end = start + len(quote)
            found.append((self._offset(start), self._offset(end - 1) + 1))
            start = text.find(quote, end)
        return found

    def _offset(self, collapsed_offset: int) -> int:
        """Return the offset in the original text for an offset in the collapsed text."""
        return collapsed_offset + self._shifts[bisect_left(self._offsets, collapsed_offset)]


def _has_word_boundaries(text: str, span: Span) -> bool:
    """Return whether a span neither starts nor ends inside a word."""
    start, end = span
    starts_in_word = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    ends_in_word = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
    return not starts_in_word and not ends_in_word
