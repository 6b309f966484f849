"""The commands of the review, without the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cclearn.cli.main import app
from cclearn.codes import CodeSystem
from tests.review.reviews import coded_note, do, start


def test_the_statistics_have_their_numbers_under_their_headings(
    tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note()])
    do(session, "accept", key="p0")
    do(session, "defer", key="p1")
    do(session, "add", code="R50.9")
    do(session, "done")
    session.log.close()
    result = CliRunner().invoke(app, ["review", "stats", str(tmp_path / "reviewed")])
    assert result.exit_code == 0
    title, head, row, *_ = result.output.splitlines()
    assert title == "anna: proposals of coded.jsonl"
    names = head.split()
    values = row.removeprefix("with proposals").split()
    assert len(names) == len(values) + 1
    shown = dict(zip(names[1:], values, strict=True))
    assert shown["done"] == "1"
    assert shown["accepted"] == "0.500"
    assert (shown["changed"], shown["rejected"], shown["unclear"], shown["added"]) == (
        "0", "0", "1", "1",
    )  # fmt: skip
    # Proposed without the deferred code: one, which is right. Assigned: two.
    assert (shown["P"], shown["R"], shown["F1"]) == ("1.000", "0.500", "0.667")


def test_export_is_told_about_the_folder_first(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "file").touch()
    arguments = ["review", "export", str(tmp_path / "none"), "--out", str(tmp_path / "rows")]
    result = CliRunner().invoke(app, arguments)
    assert "it is not the folder of a review" in str(result.exception)


@pytest.mark.parametrize("arguments", [["review"], ["review", "--help"], ["review", "start", "-h"]])
def test_help(arguments: list[str]) -> None:
    assert "review" in CliRunner().invoke(app, arguments).output
