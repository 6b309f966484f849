"""A note's text as HTML, its evidence highlighted; displaCy renders it and everything is escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from cclearn.notes import CodedNote

_MARK = "<mark {attributes}>{text}<span>{label}</span></mark>"
"""displaCy fills it."""


@dataclass(frozen=True, slots=True)
class Region:
    """A run of evidence: one piece, or several that overlap, for displaCy cannot nest them.

    Attributes:
        start: Where it begins, in code points.
        end: Where it ends, half-open.
        codes: The places in the note's list of the codes that it is evidence for, in order.
        pieces: The pieces of evidence in it, in order, as half-open offsets.
    """

    start: int
    end: int
    codes: tuple[int, ...]
    pieces: tuple[tuple[int, int], ...]


def regions(note: CodedNote) -> list[Region]:
    """Return the evidence in order, overlapping pieces joined."""
    found: list[Region] = []
    for start, end, code in sorted(
        (evidence.start, evidence.end, place)
        for place, assigned in enumerate(note.codes)
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
    note: CodedNote, attributes: Callable[[Region], str], label: Callable[[Region], str]
) -> str:
    """Render a note's text, a `mark` for each region; words of several pieces are a `b` in it.

    Args:
        note: The note.
        attributes: Returns the attributes of a region's `mark`, as HTML.
        label: Returns what stands behind a region's words, as HTML.
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
    # displaCy's own element has a style of its own, which a strict page would not obey.
    text = marked.partition(">")[2].rpartition("</div>")[0]
    text = text.replace("\r<br>", "<br>")  # Else a line end of two characters would show as two.
    return f'<div class="entities" dir="auto">{text}</div>'


def _words(text: str, region: Region) -> str:
    """Return a region's words, those that several pieces share in `b`."""
    cuts = sorted({cut for piece in region.pieces for cut in piece})
    parts = []
    for start, end in pairwise(cuts):
        words = escape(text[start:end])
        shared = sum(first <= start and end <= last for first, last in region.pieces) > 1
        parts.append(f"<b>{words}</b>" if shared else words)
    return "".join(parts)
