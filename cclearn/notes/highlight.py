"""A note's text as HTML with highlighted evidence, rendered by displaCy. Everything is escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

_MARK = "<mark {attributes}>{text}<span>{label}</span></mark>"
"""Template that displaCy fills."""


@dataclass(frozen=True, slots=True)
class Region:
    """One piece of evidence, or several that overlap, because displaCy cannot nest them.

    Attributes:
        start: Start of the region, in code points.
        end: End of the region, exclusive.
        codes: Indices of the codes that the region is evidence for, in the note's list of codes.
        pieces: Spans of the pieces of evidence in the region, in order.
    """

    start: int
    end: int
    codes: tuple[int, ...]
    pieces: tuple[tuple[int, int], ...]


def regions(note: Any) -> list[Region]:
    """Return the regions of evidence of a `CodedNote` in order. Overlapping pieces are merged."""
    found: list[Region] = []
    for start, end, code in sorted(
        (evidence.start, evidence.end, index)
        for index, assigned in enumerate(note.codes)
        for evidence in assigned.evidence
    ):
        region = Region(start, end, (code,), ((start, end),))
        if found and start < found[-1].end:
            last = found.pop()
            region = Region(
                last.start,
                max(last.end, end),
                tuple(sorted({*last.codes, code})),
                (*last.pieces, (start, end)),
            )
        found.append(region)
    return found


def highlight(
    note: Any, attributes: Callable[[Region], str], label: Callable[[Region], str]
) -> str:
    """Return a note's text as HTML with a `mark` for each region and a `b` for words of several pieces.

    Args:
        note: A `CodedNote`.
        attributes: Function that returns the HTML attributes of a region's `mark`.
        label: Function that returns the HTML after the words of a region.
    """
    from spacy import displacy

    entities = [
        {
            "start": region.start,
            "end": region.end,
            "label": label(region),
            "params": {"attributes": attributes(region), "text": _words(note.text, region)},
        }
        for region in regions(note)
    ]
    document = {"text": note.text, "ents": entities, "title": None}
    marked = displacy.render(
        document, style="ent", manual=True, jupyter=False, options={"template": _MARK}
    )
    # displaCy's outer element has an inline style, which a strict policy forbids.
    text = marked.partition(">")[2].rpartition("</div>")[0]
    text = text.replace("\r<br>", "<br>")  # Otherwise a line end of two characters is shown as two.
    return f'<div class="note" dir="auto">{text}</div>'


def _words(text: str, region: Region) -> str:
    """Return the words of a region as HTML, with a `b` for words that several pieces share."""
    cuts = sorted({cut for piece in region.pieces for cut in piece})
    parts = []
    for start, end in pairwise(cuts):
        words = escape(text[start:end])
        shared = sum(first <= start and end <= last for first, last in region.pieces) > 1
        parts.append(f"<b>{words}</b>" if shared else words)
    return "".join(parts)
