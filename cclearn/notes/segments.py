"""Segments of a note that are read one by one: its sections, its sentences, or windows."""

from __future__ import annotations

import re
from typing import Literal

from cclearn.coding.findings import Span
from cclearn.notes.sections import find_units
from cclearn.notes.windows import parts_of

Segmentation = Literal["section", "sentence", "window"]

_NOT_BLANK = re.compile(r"\S")


def find_segments(text: str, segmentation: Segmentation, window: int = 1_000) -> list[Span]:
    """Return the segments of a note that hold more than white space, in order.

    Sections and sentences (`cclearn.notes.sections`) do not overlap. Windows overlap by an eighth, so
    that what one cuts may stand whole in the next.

    Args:
        text: A note.
        segmentation: What is cut.
        window: The most code points of a window.
    """
    if segmentation != "window":
        return find_units(text, segmentation)
    spans = parts_of(text, lambda part: len(part) <= window)
    return [(start, end) for start, end in spans if _NOT_BLANK.search(text, start, end)]
