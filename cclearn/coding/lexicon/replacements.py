"""Replaces the phrases within parts of a text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

PhraseMatch = tuple[int, int, str]
"""The offsets and the code of a phrase."""

_LONGEST = 1_000
"""Length above which a phrase that begins before a part is not looked for, in code points."""


class Replacement(NamedTuple):
    """New phrases of a part of a text.

    Attributes:
        start: Offset of the part.
        end: Offset after the part.
        matches: Phrases that replace those within the part.
    """

    start: int
    end: int
    matches: list[PhraseMatch]


def replaced(
    matches: Sequence[PhraseMatch], replacements: Iterable[Replacement]
) -> list[PhraseMatch]:
    """Return phrases in order, of which those within some parts are replaced.

    A part is left as it is if a phrase extends beyond it, or if it overlaps an earlier part.

    Args:
        matches: Phrases of a text, sorted.
        replacements: New phrases of parts of the text.
    """
    starts = [start for start, _, _ in matches]
    removed: set[int] = set()
    added: list[PhraseMatch] = []
    free = 0
    for start, end, new in replacements:
        first = bisect_left(starts, start - _LONGEST)
        numbers = range(first, bisect_left(starts, end))
        within = [number for number in numbers if matches[number][1] > start]
        if start < free or any(
            matches[number][0] < start or end < matches[number][1] for number in within
        ):
            continue
        removed.update(within)
        added += new
        free = end
    return sorted([match for n, match in enumerate(matches) if n not in removed] + added)
