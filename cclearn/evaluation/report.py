"""A self-contained HTML page: the table of scores and the notes with their evidence highlighted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from cclearn.evaluation.evaluate import Evaluation
from cclearn.notes import CodedNote

COLUMNS: tuple[tuple[str, str], ...] = (
    ("micro_f1", "micro F1"),
    ("micro_precision", "micro P"),
    ("micro_recall", "micro R"),
    ("macro_f1", "macro F1"),
    ("evidence_f1", "evidence F1"),
    ("focus_recall", "span-only recall"),
    ("invalid_rate", "invalid rate"),
    ("ungrounded_rate", "ungrounded rate"),
)
"""The scores that a table shows, and their headings."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid #d0d7de; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.note { border: 1px solid #d0d7de; border-radius: 8px; padding: .4rem 1rem 1rem; margin: 1rem 0; }
.note h3 { font-size: 1rem; margin: .6rem 0; } .note h4 { font-size: .85rem; margin: .8rem 0 .2rem;
       color: #57606a; font-weight: 600; }
.entities { white-space: pre-wrap; line-height: 2.1; }
mark.entity { border-radius: 4px; padding: .15rem .35rem; margin: 0 .1rem; }
mark.entity span { font-size: .72em; font-weight: 700; margin-left: .4rem; vertical-align: middle; }
.right { background: #c8f0d0; } .wrong { background: #ffd7d5; } .gold { background: #dbe9ff; }
.codes { color: #57606a; font-size: .85rem; margin: .3rem 0 0; }
@media print { .note { break-inside: avoid; } }
"""

_ENTITY = '<mark class="entity {verdict}">{text}<span>{label}</span></mark>'
"""displaCy fills it, the text escaped."""


def score_rows(scores: Mapping[str, Evaluation]) -> list[list[str]]:
    """Return the table's rows: the system's name and its scores with three decimals."""
    rows = []
    for name, evaluation in scores.items():
        values = [getattr(evaluation, key) for key, _ in COLUMNS]
        rows.append([name, *("–" if value is None else f"{value:.3f}" for value in values)])
    return rows


def html_report(
    title: str,
    introduction: Sequence[str],
    scores: Mapping[str, Evaluation],
    gold: Sequence[CodedNote],
    predicted: Mapping[str, Mapping[str, CodedNote]],
) -> str:
    """Return the page.

    Args:
        title: Its heading.
        introduction: Paragraphs below it.
        scores: By system.
        gold: The notes to show, with the right codes.
        predicted: By system and note id, the notes with the assigned codes.
    """
    head = "".join(f"<th>{escape(heading)}</th>" for _, heading in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in score_rows(scores)
    )
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in introduction),
        f"<table><thead><tr><th>system</th>{head}</tr></thead><tbody>{body}</tbody></table>",
        "<h2>Notes</h2><p>Highlighted is the cited evidence with its code: ",
        "<mark class='entity gold'>gold</mark> <mark class='entity right'>right code</mark> ",
        "<mark class='entity wrong'>wrong code</mark></p>",
    ]
    for note in gold:
        right = {assigned.code for assigned in note.codes}
        parts.append(f"<div class='note'><h3>{escape(note.id)}</h3><h4>gold</h4>")
        parts.append(_highlight(note, None))
        for system, notes in predicted.items():
            parts.append(f"<h4>{escape(system)}</h4>{_highlight(notes[note.id], right)}")
        parts.append("</div>")
    parts.append("</body></html>")
    return "".join(parts)


def _highlight(note: CodedNote, right: set[str] | None) -> str:
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
