"""From quotes to offsets: where in a note the quoted words stand."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property

from cclearn.notes.folding import lower_case
from cclearn.notes.spans import Span

MAXIMUM_OCCURRENCES = 1_000
"""Occurrences of one quote that are looked at; bounds the work on any note."""


_WHITE_SPACE = re.compile(r"\s+")
_LONGER_WHITE_SPACE = re.compile(r"\s{2,}")


def as_quote(text: str) -> str:
    """Return a piece of a note as an answer quotes it: on one line, white space as single blanks."""
    return " ".join(text.split())


def ground(
    text: str,
    quotes: Sequence[str],
    prefer: Callable[[int, int], int] | None = None,
) -> list[Span | None]:
    """Find where each quote stands, taking the quotes as listed in order of mention.

    Any white space of the note answers a blank of the quote, and no other character may differ; where
    the note holds no such place, upper and lower case may differ too. Among the occurrences of a
    quote the first at or behind the end of the quote before is taken, else the first that no earlier
    quote took, else the last taken: a quote repeated more often than the note repeats it says
    nothing new.

    Args:
        text: The note.
        quotes: The quotes, in the order of the answer.
        prefer: Ranks occurrences by how likely each is meant (say, not negated); only the likeliest are
            used.

    Returns:
        One span a quote, None where the note does not hold it.
    """
    note = _Squeezed(text)
    known: dict[str, list[Span]] = {}
    taken: dict[str, dict[Span, None]] = {}
    cursor = 0
    spans: list[Span | None] = []
    for quote in quotes:
        wanted = as_quote(quote)
        if wanted not in known:
            known[wanted] = _likeliest(note.occurrences(wanted), prefer)
        occurrences = known[wanted]
        if not occurrences:
            spans.append(None)
            continue
        used = taken.setdefault(wanted, {})
        free = [span for span in occurrences if span not in used]
        ahead = [span for span in free if span[0] >= cursor]
        span = (ahead or free or list(used)[-1:])[0]
        used[span] = None
        cursor = span[1]
        spans.append(span)
    return spans


def _likeliest(spans: list[Span], prefer: Callable[[int, int], int] | None) -> list[Span]:
    if prefer is None or len(spans) < 2:
        return spans
    ranks = [prefer(*span) for span in spans]
    best = max(ranks)
    return [span for span, rank in zip(spans, ranks, strict=True) if rank == best]


class _Squeezed:
    """A note with each run of white space as one blank, and where in the note its characters stand.

    Searching it takes a time that grows with the note and the quote, never with their product.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._squeezed = _WHITE_SPACE.sub(" ", text)
        self._places: list[int] = []
        self._shifts = [0]
        for run in _LONGER_WHITE_SPACE.finditer(text):
            self._places.append(run.start() - self._shifts[-1])
            self._shifts.append(self._shifts[-1] + len(run[0]) - 1)

    @cached_property
    def _lowered(self) -> str:
        return lower_case(self._squeezed)

    def occurrences(self, quote: str) -> list[Span]:
        """Return where a quote stands: as whole words, or inside words only where it stands nowhere
        else."""
        if not quote:
            return []
        found = self._find(self._squeezed, quote) or self._find(self._lowered, lower_case(quote))
        return [span for span in found if _is_whole(self._text, span)] or found

    def _find(self, text: str, quote: str) -> list[Span]:
        found: list[Span] = []
        place = text.find(quote)
        while place >= 0 and len(found) < MAXIMUM_OCCURRENCES:
            end = place + len(quote)
            found.append((self._offset(place), self._offset(end - 1) + 1))
            place = text.find(quote, end)
        return found

    def _offset(self, place: int) -> int:
        return place + self._shifts[bisect_left(self._places, place)]


def _is_whole(text: str, span: Span) -> bool:
    start, end = span
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    after = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
    return not before and not after
