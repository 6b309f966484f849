"""The statistics of a review, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.review.folder import ReviewFolder
from cclearn.review.stats import review_stats
from tests.review.reviews import coded_note, do, start


def test_statistics_by_hand(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note(f"n{n}") for n in range(3)])
    do(session, "accept", 0, key="p0")
    do(session, "change", 0, key="p1", code="E11.65")
    do(session, "accept", 1, key="p0")
    do(session, "remove:6-19", 1, key="p0")
    do(session, "reject", 1, key="p1")
    do(session, "add", 1, code="R50.9")
    do(session, "done", 0)
    do(session, "done", 1)
    session.open(2)  # Opened, and not finished: it does not count.
    session.log.close()
    (row,) = review_stats(ReviewFolder.open(tmp_path / "reviewed"))["reviewers"]
    assert (row["reviewer"], row["model"], row["opened"]) == ("anna", "coded.jsonl", 3)
    shown = row["shown"]
    assert shown["notes"] == 2
    assert shown["decisions"] == {
        "accept": 2, "change": 1, "reject": 1, "insufficient": 0, "defer": 0,
    }  # fmt: skip
    assert shown["accepted_share"] == 2 / 4
    assert shown["evidence_kept"] == 1 / 2
    assert shown["added"] == 1
    # Proposed: 2 + 2; assigned: {I50.9, E11.65} and {I50.9, R50.9}; right: 1 + 1.
    assert (shown["precision"], shown["recall"]) == (0.5, 0.5)
    assert shown["f1"] == pytest.approx(0.5)
    assert shown["median_minutes"] >= 0
    assert row["not_shown"]["notes"] == 0
    assert row["not_shown"]["f1"] is None


def test_an_empty_review_has_no_rows(tmp_path: Path, system: CodeSystem) -> None:
    start(tmp_path, system, [coded_note()]).log.close()
    assert review_stats(ReviewFolder.open(tmp_path / "reviewed")) == {
        "reviewers": [],
        "adjudicated": 0,
        "agreement": [],
    }
