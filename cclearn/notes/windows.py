"""Splitting a text that is too long for a model into windows."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from cclearn.notes.spans import Span

# A window may end after an empty line, a line, a sentence or a word. The best kinds of boundary come
# first. 200 characters without white space are not a word but, for example, an encoded image, and may be
# split. Long runs of white space may be split too.
_BOUNDARIES = tuple(
    map(re.compile, (r"\n[ \t]*\n+", r"\n+", r"(?<=[.!?;])\s+", r"\s{1,200}|\S{200}"))
)

_OVERLAP_DIVISOR = 8
"""Overlapping windows share this fraction of their length: 1 / 8."""

_MIN_HALVED = 400
"""Minimum number of code points of a window that is halved."""


class TooLongError(ValueError):
    """A word, or a span that must not be cut, is longer than a window may be."""


def split_text(
    text: str, fits: Callable[[int, int], bool], uncut: Iterable[Span] = ()
) -> Iterator[Span]:
    """Split a text into consecutive windows that fit and that cover it without a gap.

    Each window is as long as possible. If its second half contains the end of a paragraph, the window
    ends there; otherwise it ends after a line, a sentence or a word.

    Args:
        text: The text to split.
        fits: Function that returns whether the window from a start to an end is short enough. Every
            part of a window that fits must fit too.
        uncut: Spans that no window may cut.

    Yields:
        The windows, in order.

    Raises:
        TooLongError: A single word, or a span of `uncut`, does not fit.
    """
    sorted_uncut = sorted(uncut)
    boundaries = [_boundaries(text, pattern, sorted_uncut) for pattern in _BOUNDARIES]
    start = 0
    while start < len(text):
        end = _furthest_end(start, boundaries[-1], fits)
        if end < len(text):
            middle = start + (end - start) // 2
            for ends in boundaries[:-1]:
                index = bisect_left(ends, end + 1) - 1
                if index >= 0 and ends[index] > middle:
                    end = ends[index]
                    break
        yield start, end
        start = end


def _boundaries(text: str, pattern: re.Pattern[str], uncut: list[Span]) -> list[int]:
    """Return the ends of a pattern's matches that cut no span of `uncut`, and the end of the text."""
    ends: list[int] = []
    reach = index = 0
    for match in pattern.finditer(text):
        end = match.end()
        while index < len(uncut) and uncut[index][0] < end:
            reach = max(reach, uncut[index][1])
            index += 1
        if reach <= end < len(text):
            ends.append(end)
    return [*ends, len(text)]


def _furthest_end(start: int, ends: list[int], fits: Callable[[int, int], bool]) -> int:
    """Return the last end in `ends` for which the window from `start` fits."""
    low = bisect_left(ends, start + 1)
    if not fits(start, ends[low]):
        raise TooLongError(f"characters {start} to {ends[low]} do not fit")
    # The steps double at first, so that `fits` is never called with a window that is far too long.
    step, high = 1, low + 1
    while high < len(ends) and fits(start, ends[high]):
        low, step = high, 2 * step
        high = low + step
    high = min(high, len(ends))
    while high - low > 1:
        middle = (low + high) // 2
        if fits(start, ends[middle]):
            low = middle
        else:
            high = middle
    return ends[low]


def overlapping_windows(text: str, fits: Callable[[str], bool]) -> list[Span]:
    """Return overlapping windows of a text, each of which fits.

    A window ends at a boundary that `split_text` chooses and begins at a word. Blank windows are left
    out. A text that fits, or that cannot be split, is returned as one window.

    Args:
        text: The text to split.
        fits: Function that returns whether a text is short enough.
    """
    if fits(text):
        return [(0, len(text))]

    def fits_with_overlap(start: int, end: int) -> bool:
        return fits(text[start:end] + text[start : start + (end - start) // _OVERLAP_DIVISOR + 1])

    try:
        consecutive = list(split_text(text, fits_with_overlap))
    except TooLongError:
        return [(0, len(text))]
    windows: list[Span] = []
    for start, end in consecutive:
        if text[start:end].isspace():
            continue
        earlier = _word_start_before(text, start, (end - start) // _OVERLAP_DIVISOR)
        windows.append((earlier if fits(text[earlier:end]) else start, end))
    return windows or [(0, 0)]


def overlapping_halves(text: str, span: Span) -> list[Span]:
    """Return two overlapping halves of a span of a text, or the span itself if it is short."""
    start, end = span
    if end - start < _MIN_HALVED:
        return [span]
    half = (end - start) // 2 + 1
    halves = overlapping_windows(
        text[start:end], lambda part: len(part) <= half + half // _OVERLAP_DIVISOR
    )
    return [(start + first, start + last) for first, last in halves]


def _word_start_before(text: str, offset: int, distance: int) -> int:
    """Return the first start of a word that is at most `distance` characters before `offset`."""
    start = max(0, offset - distance)
    if start == 0:
        return 0
    while start < offset and not text[start - 1].isspace():
        start += 1
    return start
