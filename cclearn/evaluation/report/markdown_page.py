"""The tables of a report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cclearn.evaluation.report.confusion import ConfusionBranch
from cclearn.evaluation.report.content import Report, TableSection, format_confusion, format_notes
from cclearn.runtime.display import markdown_text


def markdown_report(report: Report) -> str:
    """Return the tables and trees of a report as Markdown, without plots and notes."""
    lines = [f"# {markdown_text(report.title)}", ""]
    for paragraph in report.introduction:
        lines += [markdown_text(paragraph), ""]
    scores, *others = report.score_tables
    lines += _table(scores)
    for table in others:
        lines += _section(table)
    for table in report.code_tables:
        lines += _section(table)
    for tree in report.trees:
        lines += ["", f"## {markdown_text(tree.heading)}", "", *_tree(tree.branches)]
    for table in report.retention_tables:
        lines += _section(table)
    return "\n".join(lines) + "\n"


def _section(table: TableSection) -> list[str]:
    return ["", f"## {markdown_text(table.heading or '')}", "", *_table(table)]


def _table(table: TableSection) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(markdown_text, cells)) + " |"

    return [
        line(table.head),
        "| --- |" + " ---: |" * (len(table.head) - 1),
        *map(line, table.rows),
    ]


def _tree(branches: Sequence[ConfusionBranch], indent: str = "") -> list[str]:
    lines = []
    for branch in branches:
        code, title = markdown_text(branch.code), markdown_text(branch.title)
        lines.append(f"{indent}- **{code}** {title}: {format_notes(branch.notes)}")
        lines += _tree(branch.below, f"{indent}  ")
        lines += [f"{indent}  - {markdown_text(format_confusion(c))}" for c in branch.confusions]
    return lines
