"""HTML: one page for a reviewer, which shows each note with highlighted evidence and its codes.

The page needs no scripts, fonts or other files, and its policy forbids them. No note can add a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.highlight import Region, highlight, regions
from cclearn.outputs.output import Output
from cclearn.runtime.page_style import STYLE, allowed_source

_POLICY = (
    f"default-src 'none'; style-src {allowed_source(STYLE)}; base-uri 'none'; form-action 'none'"
)

_HEAD = (
    "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    "<meta name='referrer' content='no-referrer'>"
    f"<title>Coded notes</title><style>{STYLE}</style></head>\n<body><header><h1>Coded notes</h1>"
    "<p class='quiet'>The words cited for a code are highlighted and lead to it; a quote leads back to"
    " its place. Underlined words are cited by several quotes. Codes are proposals until a coder has"
    " reviewed them.</p>"
    "</header><main>\n"
)


class HTML(Output):
    """Writes one page with all notes, in their order."""

    name = "html"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield the head of the page, each note, and the end of the page."""
        yield _HEAD
        count = codes = 0
        for note in notes:
            count += 1
            codes += len(note.codes)
            yield _article(note, f"note-{count}")
        totals = f"{_counted(count, 'note')}, {_counted(codes, 'code')}"
        yield f"</main><footer class='quiet'>{totals}</footer></body></html>\n"


def _article(note: CodedNote, anchor: str) -> str:
    found = regions(note)
    anchors = {region: f"{anchor}-evidence-{n}" for n, region in enumerate(found, start=1)}
    piece_anchors = {piece: anchors[region] for region in found for piece in region.pieces}

    def attributes(region: Region) -> str:
        return f'id="{anchors[region]}"'

    def label(region: Region) -> str:
        return "".join(
            f'<a href="#{anchor}-code-{index + 1}">{escape(note.codes[index].code)}</a>'
            for index in region.codes
        )

    listed = "".join(
        _code(assigned, f"{anchor}-code-{n}", piece_anchors)
        for n, assigned in enumerate(note.codes, start=1)
    )
    return (
        f"<article aria-labelledby='{anchor}' lang=''><div class='head' lang='en'>"
        f"<h2 id='{anchor}'><bdi>{escape(note.id)}</bdi></h2>"
        f"<span class='quiet'>{_counted(len(note.codes), 'code')}</span>{_flags(note.flags)}</div>"
        f"<div class='columns'>{highlight(note, attributes, label)}"
        f"<aside lang='en' aria-label='Codes of note {escape(note.id)}'>"
        + (f"<ol class='codes'>{listed}</ol>" if listed else "<p class='quiet'>No codes.</p>")
        + _unused(note)
        + "</aside></div></article>\n"
    )


def _code(assigned: AssignedCode, anchor: str, piece_anchors: dict[tuple[int, int], str]) -> str:
    score = ""
    if assigned.score is not None:
        score = f"<span class='score'>score {assigned.score:.2f}</span>"
    remarks = [] if assigned.status == "valid" else [f"{assigned.status} code"]
    if assigned.assertion != "present":
        remarks.append(assigned.assertion.replace("_", " "))
    decided = ""
    if assigned.decision is not None:
        decided = f"<span class='decision {assigned.decision}'>{assigned.decision}</span> "
    quotes = "".join(
        f"<li><a href='#{piece_anchors[piece.start, piece.end]}'>"
        f"<q dir='auto'>{escape(piece.text)}</q></a>"
        f" <small>{piece.start}–{piece.end}</small></li>"
        for piece in assigned.evidence
    )
    return (
        f"<li id='{anchor}'>{score}<span class='code'>{escape(assigned.code)}</span>"
        f"{escape(assigned.description)} {decided}{_flags([*remarks, *assigned.flags])}"
        f"<ul class='quotes'>{quotes or '<li>no evidence cited</li>'}</ul></li>"
    )


def _unused(note: CodedNote) -> str:
    """Return the answers of a prediction that are not assigned, as HTML."""
    parts = []
    if note.rejected:
        parts.append("<h3>Rejected: scores too low</h3><ul class='quotes'>")
        for code in note.rejected:
            quotes = " ".join(f"<q dir='auto'>{escape(piece.text)}</q>" for piece in code.evidence)
            score = "" if code.score is None else f" <small>score {code.score:.2f}</small>"
            parts.append(f"<li>{escape(code.code)} {escape(code.description)} {quotes}{score}</li>")
        parts.append("</ul>")
    if note.ungrounded:
        parts.append("<h3>Quotes that the note does not hold</h3><ul class='quotes'>")
        parts += [
            f"<li>{escape(answer.code)} <q dir='auto'>{escape(answer.quote)}</q></li>"
            for answer in note.ungrounded
        ]
        parts.append("</ul>")
    if note.invalid:
        parts.append("<h3>Answers that may not be assigned</h3><ul class='quotes'>")
        parts += [
            f"<li>{escape(answer.code or 'a line')} {_flags([answer.status])}</li>"
            for answer in note.invalid
        ]
        parts.append("</ul>")
    if note.repeated:
        parts.append(f"<p class='quiet'>{_counted(note.repeated, 'line')} said again.</p>")
    return "".join(parts)


def _flags(flags: Iterable[str]) -> str:
    return "".join(f"<span class='flag'>{escape(flag)}</span> " for flag in flags)


def _counted(count: int, of: str) -> str:
    return f"{count:,} {of}" if count == 1 else f"{count:,} {of}s"
