"""Writing a report in all of its formats."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from cclearn.evaluation.evaluate import Evaluation
from cclearn.evaluation.report.content import Report
from cclearn.evaluation.report.html_page import html_report
from cclearn.evaluation.report.markdown_page import markdown_report
from cclearn.runtime.files import atomic_file
from cclearn.runtime.workbooks import Sheet, workbook

_CODES_HEAD = ["system", "code", "title", "right", "missed", "invented"]


def write_report(folder: Path, report: Report) -> None:
    """Write a report to `report.html` and `report.md` in a folder.

    All codes are written to `codes.csv`, and scores and codes to the two sheets of `scores.xlsx`.
    """
    for name, page in (
        ("codes.csv", codes_csv(report.evaluations)),
        ("report.html", html_report(report)),
        ("report.md", markdown_report(report)),
    ):
        with atomic_file(folder / name) as stream:
            stream.write(page.encode("utf-8"))
    with workbook(folder / "scores.xlsx") as book:
        scores = Sheet(book, "scores", ["system", "score", "value", "low", "high"])
        for system, evaluation in report.evaluations.items():
            for name, score in evaluation.scores.items():
                scores.write([system, name, score.value, score.low, score.high])
        codes = Sheet(book, "codes", _CODES_HEAD)
        for row in _code_rows(report.evaluations):
            codes.write(row)


def codes_csv(evaluations: Mapping[str, Evaluation]) -> str:
    """Return a table with a line for each system and code, and the number of notes in which the code is
    right, missed and invented."""
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(_CODES_HEAD)
    table.writerows(_code_rows(evaluations))
    return lines.getvalue()


def _code_rows(evaluations: Mapping[str, Evaluation]) -> Iterator[list[object]]:
    for name, evaluation in evaluations.items():
        for c in evaluation.codes:
            yield [name, c.code, c.title, c.right, c.missed, c.invented]
