"""Segments of a note that are read one by one: its sections, its sentences, or windows."""

from __future__ import annotations

import re
from typing import Literal

from cclearn.coding.findings import Span
from cclearn.coding.parts import parts_of
from cclearn.notes.sections import find_sections, find_sentences

Segmentation = Literal["section", "sentence", "window"]

_NOT_BLANK = re.compile(r"\S")


def find_segments(text: str, segmentation: Segmentation, window: int = 1_000) -> list[Span]:
    """Return the segments of a note that hold more than white space, in order.

    Sections and sentences do not overlap, and no sentence reaches over the header of a section. Windows
    overlap by an eighth, so that what one cuts may stand whole in the next.

    Args:
        text: A note.
        segmentation: What is cut.
        window: The most code points of a window.
    """
    if segmentation == "window":
        spans = parts_of(text, lambda part: len(part) <= window)
    elif segmentation == "section":
        spans = [(section.start, section.end) for section in find_sections(text)]
    else:
        borders = {section.start for section in find_sections(text)}
        starts = sorted(borders | {start for start, _ in find_sentences(text)})
        spans = list(zip(starts, [*starts[1:], len(text)], strict=True))
    return [(start, end) for start, end in spans if _NOT_BLANK.search(text, start, end)]
