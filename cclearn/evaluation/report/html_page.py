"""A report as one self-contained HTML page, which needs no script, no font and no other file."""

from __future__ import annotations

from collections.abc import Sequence

from cclearn.evaluation.report.confusion import ConfusionBranch
from cclearn.evaluation.report.content import (
    Report,
    TableSection,
    format_confusion,
    format_notes,
)
from cclearn.evaluation.report.plots import plots
from cclearn.notes import CodedNote
from cclearn.notes.highlight import Region, highlight
from cclearn.runtime.display import html_text
from cclearn.runtime.page_style import STYLE


def html_report(report: Report) -> str:
    """Return a report as an HTML page."""
    title = html_text(report.title)
    figures = plots(report.evaluations, report.costs)
    return "".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{title}</title><style>{STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            *(f"<p>{html_text(paragraph)}</p>" for paragraph in report.introduction),
            *map(_table, report.score_tables),
            *(
                f"<figure><figcaption>{html_text(heading)}</figcaption>{drawing}</figure>"
                for heading, drawing in figures
            ),
            *map(_table, report.code_tables),
            *(
                f"<h2>{html_text(tree.heading)}</h2><div class='tree'>{_tree(tree.branches)}</div>"
                for tree in report.trees
            ),
            *map(_table, report.retention_tables),
            _notes(report) if report.gold else "",
            "</body></html>",
        ]
    )


def _table(table: TableSection) -> str:
    heading = "" if table.heading is None else f"<h2>{html_text(table.heading)}</h2>"
    rows = "".join(map(_row, table.rows))
    head = _row(table.head, "th")
    return f"{heading}<table class='numbers'><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _row(cells: Sequence[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _tree(branches: Sequence[ConfusionBranch]) -> str:
    items = []
    for branch in branches:
        items.append(f"<li><b>{html_text(branch.code)}</b> {html_text(branch.title)}")
        items.append(f" <i>{format_notes(branch.notes)}</i>{_tree(branch.below)}<ul>")
        items += [f"<li>{html_text(format_confusion(c))}</li>" for c in branch.confusions]
        items.append("</ul></li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _notes(report: Report) -> str:
    parts = [
        "<h2>Notes</h2><p>Highlighted is the cited evidence with its code:"
        " <mark class='gold'>gold</mark> <mark class='right'>right code</mark>"
        " <mark class='wrong'>wrong code</mark></p>"
    ]
    for note in report.gold:
        gold = {assigned.code for assigned in note.codes}
        parts.append(f"<article><h3>{html_text(note.id)}</h3><h4>gold</h4>")
        parts.append(_highlighted(note, None))
        for system, notes in report.predicted.items():
            parts.append(f"<h4>{html_text(system)}</h4>{_highlighted(notes[note.id], gold)}")
        parts.append("</article>")
    return "".join(parts)


def _highlighted(note: CodedNote, gold: set[str] | None) -> str:
    """Return a note with its evidence highlighted, and its codes.

    Args:
        note: The note.
        gold: Gold codes of the note, by which the evidence is marked as right or wrong; None marks all
            of it as gold.
    """

    def verdict(region: Region) -> str:
        if gold is None:
            return 'class="gold"'
        return f'class="{"right" if _cited(note, region) <= gold else "wrong"}"'

    def label(region: Region) -> str:
        return html_text(", ".join(sorted(_cited(note, region))))

    codes = "; ".join(
        f"{assigned.code} {assigned.description}"
        + ("" if assigned.score is None else f" ({assigned.score:.2f})")
        for assigned in note.codes
    )
    marked = highlight(note, verdict, label)
    return f"{marked}<p class='quiet'>{html_text(codes) or 'no codes'}</p>"


def _cited(note: CodedNote, region: Region) -> set[str]:
    return {note.codes[index].code for index in region.codes}
