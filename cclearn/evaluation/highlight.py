"""A coded note as HTML, its evidence highlighted; displaCy renders it and escapes the text."""

from __future__ import annotations

from html import escape

from cclearn.notes import CodedNote

_ENTITY = '<mark class="entity {verdict}">{text}<span>{label}</span></mark>'
"""displaCy fills it, the text escaped."""


def highlight(note: CodedNote, right: set[str] | None) -> str:
    """Render a note with displaCy, which escapes its text; `right` None marks everything as gold."""
    from spacy import displacy

    entities = [
        {
            "start": start,
            "end": end,
            "label": escape(", ".join(sorted(codes))),
            "params": {
                "verdict": "gold" if right is None else "right" if codes <= right else "wrong"
            },
        }
        for start, end, codes in _regions(note)
    ]
    document = {"text": note.text, "ents": entities, "title": None}
    marked = displacy.render(
        document, style="ent", manual=True, jupyter=False, options={"template": _ENTITY}
    )
    codes = "; ".join(
        f"{assigned.code} {assigned.description}"
        + ("" if assigned.score is None else f" ({assigned.score:.2f})")
        for assigned in note.codes
    )
    return f"{marked}<p class='codes'>{escape(codes) or 'no codes'}</p>"


def _regions(note: CodedNote) -> list[tuple[int, int, set[str]]]:
    """Return the evidence in order, overlapping pieces joined, for displaCy cannot nest them."""
    regions: list[tuple[int, int, set[str]]] = []
    for start, end, code in sorted(
        (evidence.start, evidence.end, assigned.code)
        for assigned in note.codes
        for evidence in assigned.evidence
    ):
        if regions and start < regions[-1][1]:
            first, last, codes = regions[-1]
            regions[-1] = (first, max(last, end), codes | {code})
        else:
            regions.append((start, end, {code}))
    return regions
