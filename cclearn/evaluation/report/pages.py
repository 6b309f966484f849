"""Writing a report in all of its formats."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from cclearn.evaluation.evaluate import Evaluation
from cclearn.evaluation.report.content import Report
from cclearn.evaluation.report.html_page import html_report
from cclearn.evaluation.report.markdown_page import markdown_report
from cclearn.runtime.files import atomic_file


def write_report(folder: Path, report: Report) -> None:
    """Write a report to `report.html` and `report.md` in a folder, and all codes to `codes.csv`."""
    for name, page in (
        ("codes.csv", codes_csv(report.evaluations)),
        ("report.html", html_report(report)),
        ("report.md", markdown_report(report)),
    ):
        with atomic_file(folder / name) as stream:
            stream.write(page.encode("utf-8"))


def codes_csv(evaluations: Mapping[str, Evaluation]) -> str:
    """Return a table with a line for each system and code, and the number of notes in which the code is
    right, missed and invented."""
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["system", "code", "title", "right", "missed", "invented"])
    for name, evaluation in evaluations.items():
        table.writerows(
            [name, c.code, c.title, c.right, c.missed, c.invented] for c in evaluation.codes
        )
    return lines.getvalue()
