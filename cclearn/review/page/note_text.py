"""The text of a note with its evidence, where pieces of evidence may overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from html import escape
from itertools import pairwise

from cclearn.review.events import Entry
from cclearn.review.shown_text import text_html

_MOST_DEPTH = 4
"""Number of pieces at one place from which on they look alike."""


def note_html(text: str, entries: Iterable[Entry]) -> str:
    """Return the text of a note as HTML, with a `mark` for each part that the same pieces cover.

    The text content of the HTML is the text of the note (`shown_text`). The stylesheet adds the codes
    beside the evidence, so that they are not part of a selection.

    Args:
        text: Text of the note.
        entries: Codes under review. Rejected codes have no marks.
    """
    covering: dict[int, list[tuple[int, Entry]]] = defaultdict(list)
    cuts = {0, len(text)}
    for entry in entries:
        if entry.verdict != "reject":
            for start, end in entry.evidence:
                covering[start].append((end, entry))
                cuts |= {start, end}
    parts: list[str] = []
    active: list[tuple[int, Entry]] = []
    places = sorted(cuts)
    for start, end in pairwise(places):
        active = [piece for piece in active if piece[0] > start] + covering[start]
        words = text_html(text[start:end])
        if not active:
            parts.append(words)
            continue
        keys = dict.fromkeys(entry.key for _, entry in active)
        ending = dict.fromkeys(entry.code for piece_end, entry in active if piece_end == end)
        label = f' data-label="{escape(" ".join(ending))}"' if ending else ""
        parts.append(
            f'<mark id="t{start}" tabindex="-1" class="depth{min(len(keys), _MOST_DEPTH)}"'
            f' data-keys="{escape(" ".join(keys))}"{label}>{words}</mark>'
        )
    return "".join(parts)
