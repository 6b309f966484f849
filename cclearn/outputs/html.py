"""HTML: one page for a reviewer, which shows each note with highlighted evidence and its codes.

The page needs no scripts, fonts or other files, and its policy forbids them. No note can add a script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape

from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.highlight import Region, highlight, regions
from cclearn.outputs.output import Output

_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --page: #f6f8fa; --card: #fff;
        --line: #d0d7de; --mark: #fff1b8; --link: #0550ae; --warn: #9a3412; --warned: #ffedd5; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --quiet: #9da7b3; --page: #0d1117; --card: #161b22; --line: #30363d;
          --mark: #4d3f0c; --link: #79b8ff; --warn: #ffc078; --warned: #3b2410; }
}
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 90rem; padding: 1.5rem;
       color: var(--text); background: var(--page); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: .8rem; margin: 1.2rem 0 .4rem; color: var(--quiet); text-transform: uppercase;
     letter-spacing: .04em; }
a { color: var(--link); } .quiet { color: var(--quiet); font-size: .9rem; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
          margin: 1.5rem 0; padding: 1.2rem 1.4rem; content-visibility: auto;
          contain-intrinsic-size: auto 40rem; }
.head { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: baseline;
        border-bottom: 1px solid var(--line); padding-bottom: .7rem; margin-bottom: 1rem; }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(20rem, 2fr); gap: 2rem; }
.entities { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; max-width: 75ch; }
mark { background: var(--mark); color: inherit; border-radius: 4px; padding: .1rem .2rem;
       box-decoration-break: clone; -webkit-box-decoration-break: clone; scroll-margin: 5rem; }
mark b { font-weight: inherit; border-bottom: 2px solid var(--quiet); }
mark span { white-space: nowrap; }
mark a { font: 600 .72rem/1 ui-monospace, monospace; margin-left: .35rem; text-decoration: none; }
mark a:hover, mark a:focus { text-decoration: underline; }
:target { outline: 3px solid var(--link); outline-offset: 2px; }
.codes { list-style: none; margin: 0; padding: 0; }
.codes > li { border-bottom: 1px solid var(--line); border-radius: 4px; padding: .6rem .3rem;
              scroll-margin: 2rem; }
.code { font: 700 1rem ui-monospace, monospace; margin-right: .5rem; }
.score { float: right; font-variant-numeric: tabular-nums; color: var(--quiet); font-size: .9rem; }
.flag { display: inline-block; font-size: .78rem; font-weight: 600; color: var(--warn);
        background: var(--warned); border-radius: 10px; padding: .05rem .6rem; }
.decision { font-size: .78rem; font-weight: 600; border: 1px solid var(--line);
            border-radius: 999px; padding: .05rem .6rem; }
.accept { color: var(--link); border-color: var(--link); }
.quotes { list-style: none; margin: .25rem 0 0; padding: 0; font-size: .9rem; }
.quotes li { margin: .15rem 0; overflow-wrap: anywhere; }
.quotes small { color: var(--quiet); font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (min-width: 60rem) {
  aside { position: sticky; top: 1rem; align-self: start; max-height: calc(100vh - 2rem);
          overflow-y: auto; }
}
@media (max-width: 59.99rem) { .columns { grid-template-columns: minmax(0, 1fr); } }
@media print { body { padding: 0; } article { border: 0; content-visibility: visible; } }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)

_HEAD = (
    "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    "<meta name='referrer' content='no-referrer'>"
    f"<title>Coded notes</title><style>{_STYLE}</style></head>\n<body><header><h1>Coded notes</h1>"
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
