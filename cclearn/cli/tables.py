"""What the command line shows on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cclearn.codes import CodeSystem
from cclearn.codes.facts import NamedCode, code_facts
from cclearn.errors import visible

if TYPE_CHECKING:
    from cclearn.codes.search import Hit
    from cclearn.evaluation import Evaluation
    from cclearn.evaluation.bootstrap import Difference
    from cclearn.notes import CodedNote, Evidence

_CONTEXT = 12
"""Code points of the note shown on each side of a quote."""

_MANY = 12
"""A longer list of codes is cut, and says so."""


def coded_note_view(note: CodedNote) -> RenderableType:
    """Show a note's codes, each with its quotes in their surroundings, and what the rules say."""
    title = _text(note.id, style="bold")
    for flag in note.flags:
        title.append(f"  {visible(flag)}", style="yellow")
    shown = [*note.codes, *note.rejected]
    if not shown:
        return Group(title, Text("no codes", style="dim"))
    table = Table(title=title, title_justify="left")
    table.add_column("code", style="bold", no_wrap=True)
    table.add_column("description")
    scored = any(assigned.score is not None for assigned in shown)
    decided = bool(note.rejected) or any(assigned.decision for assigned in shown)
    if scored:
        table.add_column("score", justify="right")
    if decided:
        table.add_column("decision")
    table.add_column("evidence")
    for number, assigned in enumerate(shown):
        rejected = number >= len(note.codes)
        cells: list[RenderableType] = [_text(assigned.code), _text(assigned.description)]
        if scored:
            cells.append("–" if assigned.score is None else f"{assigned.score:.2f}")
        if decided:
            cells.append("reject" if rejected else assigned.decision or "–")
        quotes = Text("\n").join(_quote(note.text, piece) for piece in assigned.evidence)
        table.add_row(*cells, quotes, style="dim" if rejected else None)
    flags = [(assigned.code, flag) for assigned in note.codes for flag in assigned.flags]
    return Group(table, *(_text(f"{code} {flag}", style="yellow") for code, flag in flags))


def _quote(text: str, evidence: Evidence) -> Text:
    before = text[max(0, evidence.start - _CONTEXT) : evidence.start]
    after = text[evidence.end : evidence.end + _CONTEXT]
    shown = Text(f"{evidence.start}:{evidence.end} ", style="dim")
    shown.append(
        _visible(" ".join(("…" + before).split())) + (" " if before[-1:].isspace() else "")
    )
    shown.append(_visible(evidence.text), style="bold black on yellow")
    shown.append((" " if after[:1].isspace() else "") + _visible(" ".join((after + "…").split())))
    return shown


def _visible(text: str) -> str:
    """Return a note's words, on one line, with a mark for each character that a terminal would obey."""
    return "".join(
        " " if character.isspace() else character if visible(character) == character else "\ufffd"
        for character in text
    )


def _text(text: str, style: str = "") -> Text:
    """Return foreign text for rich, which neither it nor the terminal obeys."""
    return Text(visible(text), style=style)


def score_table(scores: Mapping[str, Evaluation], unit: str = "notes") -> Table:
    """Show the scores of one or more systems, with their 95 % intervals, and of how many notes."""
    from cclearn.evaluation.report.pages import score_rows

    count = max(evaluation.notes for evaluation in scores.values())
    table = Table(title=f"{count} {unit}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for name in scores:
        table.add_column(_text(name), justify="right", overflow="fold")
    for heading, *cells in score_rows(scores):
        table.add_row(heading, *cells)
    return table


def difference_table(differences: Mapping[tuple[str, str], Mapping[str, Difference]]) -> Table:
    """Show how systems differ, with the 95 % intervals and p-values of the differences."""
    from cclearn.evaluation.report.pages import difference_rows

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("difference (95 %)", justify="right", no_wrap=True)
    # By bootstrap and by randomisation; short, for a terminal of 80 columns.
    table.add_column("p boot.", justify="right", no_wrap=True)
    table.add_column("p rand.", justify="right", no_wrap=True)
    for (one, two), scores in differences.items():
        table.add_row(_text(f"{one} − {two}", style="bold"))
        for heading, *cells in difference_rows(scores):
            table.add_row(f"  {heading}", *cells)
    return table


def code_view(system: CodeSystem, code: str) -> RenderableType:
    """Show a code of a release. Raises UnknownCodeError."""
    facts = code_facts(system, code)
    head = _text(f"{facts.code}  ", style="bold").append(visible(facts.description))
    lines = [head, _text(f"{facts.system} {facts.release}: {facts.status}", style="dim")]
    if facts.stands_for:
        lines.append(_text(f"alone stands for {_named(facts.stands_for)}"))
    instructions = {
        "excludes 1 (never coded together)": facts.excludes1,
        "excludes 2 (not part of it)": facts.excludes2,
        "code first": facts.code_first,
        "use additional code": facts.use_additional_code,
        "code also": facts.code_also,
    }
    sections = {
        "also called": facts.synonyms,
        "includes": facts.includes,
        "7th characters": [
            f"{character} {meaning}" for character, meaning in facts.seventh_characters.items()
        ],
        **{title: [note.text for note in notes] for title, notes in instructions.items()},
        "under": [_named(above) for above in facts.ancestors],
        "children": [_named(child) for child in facts.children],
        "siblings": [_named(sibling) for sibling in facts.siblings],
    }
    for title, entries in sections.items():
        if entries:
            lines.append(Text(title, style="bold"))
            lines += [_text(f"  {entry}") for entry in entries[:_MANY]]
            if len(entries) > _MANY:
                lines.append(Text(f"  … {len(entries)} in all", style="dim"))
    return Group(*lines)


def _named(named: NamedCode) -> str:
    return f"{named.code} {named.description}"


def hits_table(hits: list[Hit], system: CodeSystem) -> RenderableType:
    """Show what a search found."""
    if not hits:
        return Text("Nothing found.")
    table = Table()
    table.add_column("code", style="bold", no_wrap=True)
    table.add_column("status")
    table.add_column("description")
    table.add_column("matched")
    table.add_column("score", justify="right")
    for hit in hits:
        matched = "" if hit.matched == hit.code.description else hit.matched
        status = system.status(hit.code.code)
        cells = map(_text, (hit.code.code, status, hit.code.description, matched))
        table.add_row(*cells, f"{hit.score:.0f}")
    return table
