"""Splitting a note into segments, which are sections, sentences or windows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from cclearn.notes.sections import Unit, find_units
from cclearn.notes.spans import Span, merge_overlapping
from cclearn.notes.windows import overlapping_windows

Segmentation = Literal["section", "sentence", "window"]

_NOT_BLANK = re.compile(r"\S")


def find_segments(text: str, segmentation: Segmentation, window: int = 1_000) -> list[Span]:
    """Return the segments of a note that contain more than white space, in order.

    Sections and sentences (`cclearn.notes.sections`) do not overlap. Windows overlap by an eighth, so
    that a mention that one window cuts may be complete in the next one.

    Args:
        text: Text of the note.
        segmentation: Kind of the segments.
        window: Maximum length of a window in code points.
    """
    if segmentation != "window":
        return find_units(text, segmentation)
    spans = overlapping_windows(text, lambda part: len(part) <= window)
    return [(start, end) for start, end in spans if _NOT_BLANK.search(text, start, end)]


def find_uncut_segments(text: str, unit: Unit, uncut: Iterable[Span]) -> list[Span]:
    """Return the segments of a note, none of which cuts a given span.

    Units that share such a span are joined into one segment.

    Args:
        text: Text of the note.
        unit: Kind of the segments.
        uncut: Spans that no segment may cut.
    """
    return merge_overlapping({*uncut, *find_units(text, unit)})
