"""From quotes to offsets: where in a note the quoted words stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice

Span = tuple[int, int]
"""Half-open code-point offsets."""

MAXIMUM_OCCURRENCES = 1_000
"""Occurrences of one quote that are looked at; bounds the work on any note."""


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
    taken: dict[str, list[Span]] = {}
    cursor = 0
    spans: list[Span | None] = []
    for quote in quotes:
        wanted = as_quote(quote)
        occurrences = _occurrences(text, wanted)
        if prefer is not None and len(occurrences) > 1:
            ranks = [prefer(*span) for span in occurrences]
            occurrences = [
                s for s, rank in zip(occurrences, ranks, strict=True) if rank == max(ranks)
            ]
        if not occurrences:
            spans.append(None)
            continue
        used = taken.setdefault(wanted, [])
        free = [span for span in occurrences if span not in used]
        ahead = [span for span in free if span[0] >= cursor]
        span = (ahead or free or used[-1:])[0]
        used.append(span)
        cursor = span[1]
        spans.append(span)
    return spans


def _occurrences(text: str, quote: str) -> list[Span]:
    """Return where a quote stands: as whole words, or inside words only where it stands nowhere else."""
    if not quote:
        return []
    pattern = r"\s+".join(re.escape(word) for word in quote.split(" "))
    found = _find(text, pattern, 0) or _find(text, pattern, re.IGNORECASE)
    return [span for span in found if _is_whole(text, span)] or found


def _find(text: str, pattern: str, flags: int) -> list[Span]:
    matches = re.finditer(pattern, text, flags)
    return [match.span() for match in islice(matches, MAXIMUM_OCCURRENCES)]


def _is_whole(text: str, span: Span) -> bool:
    start, end = span
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    after = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
    return not before and not after
