"""Long notes as windows: every evidence stands whole in one of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from cclearn.notes import CodedNote

# Where a window may end, the best places first: behind an empty line, a line, a sentence, a word. Two
# hundred characters without a blank are no word, but an image or the like; nor are as many blanks one.
_ENDS = tuple(map(re.compile, (r"\n[ \t]*\n+", r"\n+", r"(?<=[.!?;])\s+", r"\s{1,200}|\S{200}")))


def windows(note: CodedNote, fits: Callable[[CodedNote], bool]) -> Iterator[CodedNote]:
    """Split a note into windows that fit, none of which cuts an evidence.

    Each window is as long as it may be, and ends behind a paragraph if its last half has the end of one,
    else behind a line, a sentence, a word. Their texts joined are the note's.

    Args:
        note: With its codes; a window has the codes whose evidence is in it.
        fits: Says whether a window is short enough; a part of one that is must be so too.

    Raises:
        ValueError: A word or an evidence alone is too long.
    """
    text = note.text
    cited = sorted((e.start, e.end) for code in note.codes for e in code.evidence)
    ends = [_ends(text, pattern, cited) for pattern in _ENDS]
    start, number = 0, 1
    while start < len(text):
        end = _furthest(note, start, ends[-1], fits)
        if end < len(text):
            middle = start + (end - start) // 2
            for better in ends[:-1]:
                place = bisect_left(better, end + 1) - 1
                if place >= 0 and better[place] > middle:
                    end = better[place]
                    break
        yield part_of(note, start, end, number)
        start, number = end, number + 1


def _ends(text: str, pattern: re.Pattern[str], cited: list[tuple[int, int]]) -> list[int]:
    """Return the ends of the matches that lie inside no evidence, and the text's own."""
    ends: list[int] = []
    reach = place = 0
    for match in pattern.finditer(text):
        end = match.end()
        while place < len(cited) and cited[place][0] < end:
            reach = max(reach, cited[place][1])
            place += 1
        if reach <= end < len(text):
            ends.append(end)
    return [*ends, len(text)]


def _furthest(
    note: CodedNote, start: int, ends: list[int], fits: Callable[[CodedNote], bool]
) -> int:
    """Return the last of the ends whose window fits. Raises ValueError where not even the next does."""
    low = bisect_left(ends, start + 1)
    if not fits(part_of(note, start, ends[low], 0)):
        raise ValueError(f"{note.id}: characters {start} to {ends[low]} do not fit")
    # Doubling steps first: what is far too long is never looked at.
    step, high = 1, low + 1
    while high < len(ends) and fits(part_of(note, start, ends[high], 0)):
        low, step = high, 2 * step
        high = low + step
    high = min(high, len(ends))
    while high - low > 1:
        middle = (low + high) // 2
        if fits(part_of(note, start, ends[middle], 0)):
            low = middle
        else:
            high = middle
    return ends[low]


def part_of(note: CodedNote, start: int, end: int, number: int) -> CodedNote:
    """Return a part of a note with the codes whose evidence is in it.

    Args:
        note: With its codes.
        start: Where the part begins, in code points.
        end: Where it ends, half-open.
        number: Behind the note's id, in that of the part.
    """
    codes = []
    for code in note.codes:
        inside = [
            evidence.model_copy(
                update={"start": evidence.start - start, "end": evidence.end - start}
            )
            for evidence in code.evidence
            if start <= evidence.start and evidence.end <= end
        ]
        if inside:
            codes.append(code.model_copy(update={"evidence": inside}))
    changed = {
        "id": f"{note.id}#{number}",
        "text": note.text[start:end],
        "codes": codes,
        "rejected": [],
    }
    return note.model_copy(update=changed)
