"""Writing a report in all of its formats."""

from __future__ import annotations

from pathlib import Path

from cclearn.evaluation.report.content import Report
from cclearn.evaluation.report.html_page import html_report
from cclearn.evaluation.report.markdown_page import markdown_report
from cclearn.runtime.files import atomic_file


def write_report(folder: Path, report: Report) -> None:
    """Write a report to `report.html` and `report.md` in a folder."""
    for name, page in (
        ("report.html", html_report(report)),
        ("report.md", markdown_report(report)),
    ):
        with atomic_file(folder / name) as stream:
            stream.write(page.encode("utf-8"))
