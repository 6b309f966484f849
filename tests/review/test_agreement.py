"""Agreement of two reviewers against hand-computed values, and adjudication."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.review.agreement import agreements, cohens_kappa
from cclearn.review.folder import ReviewFolder
from cclearn.review.reviewed import ReviewedNote, opened_logs, reviewed_notes
from cclearn.review.run import make_adjudication
from tests.review.reviews import TEXT, coded_note, decide_all, do, start


def both(tmp_path: Path, system: CodeSystem) -> ReviewFolder:
    """Return a review of three notes. Bob rejects E11.9 in two of them and moves evidence in one."""
    notes = [coded_note(f"n{n}") for n in range(3)]
    anna = start(tmp_path, system, notes, "anna")
    decide_all(anna, lambda code: "accept")
    anna.log.close()
    bob = start(tmp_path, system, notes, "bob")
    moved = {"start": "0", "end": "19", "quote": TEXT[:19]}
    for n in range(3):
        do(bob, "accept", n, key="p0")
        do(bob, "accept" if n == 2 else "reject", n, key="p1")
    do(bob, "move:6-19", 2, key="p0", **moved)
    for n in range(3):
        do(bob, "done", n)
    bob.log.close()
    return ReviewFolder.open(tmp_path / "reviewed")


def of_all(folder: ReviewFolder) -> list[ReviewedNote]:
    with opened_logs(folder) as logs:
        return [note for log in logs for note in reviewed_notes(log)]


def test_agreement_by_hand(tmp_path: Path, system: CodeSystem) -> None:
    (agreement,) = agreements(of_all(both(tmp_path, system)))
    assert (agreement.reviewers, agreement.notes, agreement.decisions) == (("anna", "bob"), 3, 6)
    # Anna has 6 codes and Bob 4, which are all Anna's.
    assert agreement.code_f1 == pytest.approx(2 * 4 / 10)
    # One of Bob's four spans is elsewhere.
    assert agreement.span_f1 == pytest.approx(2 * 3 / 10)
    # Anna always says yes, so that agreement by chance is the observed one.
    assert agreement.kappa == 0


def test_kappa_by_hand() -> None:
    # Observed 0.7; yes 0.6 and 0.5; expected 0.6 * 0.5 + 0.4 * 0.5 = 0.5.
    pairs = [(True, True)] * 4 + [(True, False)] * 2 + [(False, True)] + [(False, False)] * 3
    assert cohens_kappa(pairs) == pytest.approx(0.2 / 0.5)
    assert cohens_kappa([(True, True)]) is None
    assert cohens_kappa([]) is None


def test_only_disagreements_are_adjudicated(tmp_path: Path, system: CodeSystem) -> None:
    folder = both(tmp_path, system)
    session, label = make_adjudication(folder, "carla", system)
    assert label == "2 notes on which reviewers disagree"
    assert session.candidates is not None
    assert session.candidates.tolist() == [True, True, False]
    view = session.open(0)
    entries = {entry.code: entry for entry in view.state.entries.values()}
    assert {code: entry.verdict for code, entry in entries.items()} == {
        "I50.9": "accept",
        "E11.9": "undecided",
    }
    assert entries["E11.9"].flags == ("adjudication: anna: accepted", "adjudication: bob: rejected")
    decide_all(session, lambda code: "reject")
    session.log.close()
    with pytest.raises(ConfigurationError, match="has opened the notes already"):
        make_adjudication(folder, "anna", system)
    # Adjudications are no third opinion.
    assert len(agreements(of_all(folder))) == 1


def test_without_disagreements_there_is_nothing_to_adjudicate(
    tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note()])
    decide_all(session, lambda code: "accept")
    session.log.close()
    with pytest.raises(CclearnError, match="no note was finished by several reviewers"):
        make_adjudication(ReviewFolder.open(tmp_path / "reviewed"), "carla", system)


def test_adjudication_keeps_what_is_agreed(tmp_path: Path, system: CodeSystem) -> None:
    from tests.review.reviews import code

    codes = [
        code(TEXT, "I50.9", "heart failure"),
        code(TEXT, "E11.9", "diabetes"),
        code(TEXT, "R50.9", "fever"),
        code(TEXT, "R05.9", "Acute"),
        code(TEXT, "R07.9", "Known"),
    ]
    decisions = {"anna": "accept accept reject insufficient defer".split()}
    decisions["bob"] = "accept reject reject insufficient defer".split()
    for name, verdicts in decisions.items():
        session = start(tmp_path, system, [coded_note(codes=codes)], name)
        for number, verdict in enumerate(verdicts):
            do(session, verdict, key=f"p{number}")
        do(session, "add", code="Z79.4")
        if name == "anna":
            do(session, "principal", key="p0")
        do(session, "done")
        session.log.close()
    folder = ReviewFolder.open(tmp_path / "reviewed")
    (agreement,) = agreements(of_all(folder))
    assert agreement.decisions == 4  # Without the deferred and the insufficient code.
    session, _ = make_adjudication(folder, "carla", system)
    entries = {entry.code: entry for entry in session.open(0).state.entries.values()}
    assert {name: entry.verdict for name, entry in entries.items()} == {
        "I50.9": "accept",
        "E11.9": "undecided",
        "R50.9": "reject",
        "R05.9": "insufficient",
        "R07.9": "undecided",
        "Z79.4": "accept",
    }
    assert [name for name, entry in entries.items() if entry.principal] == ["I50.9"]
    assert [name for name, entry in entries.items() if entry.proposed is None] == ["Z79.4"]
    session.log.close()


def test_who_has_opened_a_note_cannot_adjudicate_it(tmp_path: Path, system: CodeSystem) -> None:
    folder = both(tmp_path, system)
    session = start(tmp_path, system, [], "carla")
    session.open(0)
    session.log.close()
    with pytest.raises(ConfigurationError, match="has opened the notes already"):
        make_adjudication(folder, "carla", system)


def test_other_notes_are_not_shown_in_an_adjudication(tmp_path: Path, system: CodeSystem) -> None:
    session, _ = make_adjudication(both(tmp_path, system), "carla", system)
    with pytest.raises(CclearnError, match="not among those that are reviewed"):
        session.open(2)
    session.log.close()


def test_a_code_that_was_changed_and_added_again_is_assigned(
    tmp_path: Path, system: CodeSystem
) -> None:
    for name in ("anna", "bob"):
        session = start(tmp_path, system, [coded_note()], name)
        do(session, "change", key="p0", code="I50.20")
        do(session, "add", code="I50.9")
        do(session, "accept" if name == "anna" else "reject", key="p1")
        do(session, "done")
        session.log.close()
    session, _ = make_adjudication(ReviewFolder.open(tmp_path / "reviewed"), "carla", system)
    entries = {entry.code: entry.verdict for entry in session.open(0).state.entries.values()}
    assert entries == {"I50.20": "accept", "I50.9": "accept", "E11.9": "undecided"}
    session.log.close()


def test_notes_that_have_changed_are_not_adjudicated(tmp_path: Path, system: CodeSystem) -> None:
    from cclearn.notes.jsonl import write_rows

    folder = both(tmp_path, system)
    text = "XXXX " + TEXT
    write_rows(tmp_path / "coded.jsonl", [coded_note("n0", text=text), coded_note("n1")])
    session, label = make_adjudication(folder, "carla", system)
    assert label == "1 note on which reviewers disagree"
    assert session.candidates is not None
    assert session.candidates.tolist() == [False, True]
    session.log.close()
    write_rows(tmp_path / "coded.jsonl", [coded_note("other")])
    with pytest.raises(CclearnError, match="no note with a disagreement"):
        make_adjudication(folder, "carla", system)
