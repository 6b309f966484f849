"""The rows that are made from decisions, and a recipe that reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.review.export import export
from cclearn.review.folder import ReviewFolder
from cclearn.review.order import in_share
from cclearn.review.run import make_adjudication
from cclearn.rows import Negatives
from cclearn.training.row_settings import RowSourceSettings
from tests.review.reviews import TEXT, coded_note, decide_all, do, start


def test_decisions_become_notes_and_pairs(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note(origin="public")])
    do(session, "change", key="p0", code="I50.21")
    do(session, "reject", key="p1")
    do(session, "add", code="R50.9", start="47", end="52", quote="fever")
    do(session, "add", code="Z79.4")
    do(session, "principal", key="a0")
    do(session, "done")
    session.log.close()
    out = tmp_path / "rows"
    counts = export(ReviewFolder.open(tmp_path / "reviewed"), system, out)
    (note,) = read_coded_notes(out / "notes.jsonl", system)
    assert [(c.code, [e.text for e in c.evidence], c.origin) for c in note.codes] == [
        ("R50.9", ["fever"], "added"),
        ("I50.21", ["heart failure"], "proposed"),
        ("Z79.4", [], "added"),
    ]
    assert [code.principal for code in note.codes] == [True, False, False]
    assert note.codes[1].description == system.description("I50.21")
    assert [(code.code, code.evidence[0].text) for code in note.rejected] == [("E11.9", "diabetes")]
    assert note.origin == "public"
    assert note.review is not None
    assert (note.review.reviewers, note.review.shown) == (["anna"], True)
    pairs = list(read_span_pairs(out / "pairs.jsonl", system))
    assert [(p.text, p.code, p.grade, p.source, p.origin) for p in pairs] == [
        ("fever", "R50.9", "gold", "review/anna", "public"),
        ("heart failure", "I50.21", "gold", "review/anna", "public"),
    ]
    assert counts == {
        "notes.jsonl": 1, "evaluation.jsonl": 0, "calibration.jsonl": 0, "pairs.jsonl": 2,
        "examples.jsonl": 0,
    }  # fmt: skip
    assert json.loads((out / "manifest.json").read_text())["rows"] == counts
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in out.iterdir())


def test_notes_kept_apart_are_not_for_training(tmp_path: Path, system: CodeSystem) -> None:
    notes = [coded_note(f"n{n}") for n in range(40)]
    session = start(tmp_path, system, notes, kept_apart=0.5)
    decide_all(session, lambda code: "accept")
    session.log.close()
    export(ReviewFolder.open(tmp_path / "reviewed"), system, tmp_path / "rows")
    ids = {
        name: {note.id for note in read_coded_notes(tmp_path / "rows" / f"{name}.jsonl")}
        for name in ("notes", "evaluation", "calibration", "examples")
    }
    apart = {note.id for note in notes if in_share(note.id, 0.5, "kept apart", 0)}
    assert ids["evaluation"] | ids["calibration"] == apart
    assert not ids["evaluation"] & ids["calibration"]
    assert ids["notes"] == {note.id for note in notes} - apart
    assert ids["examples"] <= ids["notes"]
    cited = {pair.id.split()[0] for pair in read_span_pairs(tmp_path / "rows" / "pairs.jsonl")}
    assert cited == ids["notes"]


def test_what_is_left_out_is_counted(tmp_path: Path, system: CodeSystem) -> None:
    notes = [coded_note(f"n{n}") for n in range(4)]
    session = start(tmp_path, system, notes)
    do(session, "accept", 0, key="p0")  # Not finished.
    do(session, "accept", 1, key="p0")
    do(session, "defer", 1, key="p1")
    do(session, "done", 1)
    for key in ("p0", "p1"):
        do(session, "accept", 2, key=key)
    do(session, "done", 2)
    session.log.close()
    bob = start(tmp_path, system, [], "bob")
    do(bob, "accept", 2, key="p0")
    do(bob, "reject", 2, key="p1")
    do(bob, "done", 2)
    bob.log.close()
    folder = ReviewFolder.open(tmp_path / "reviewed")
    counts = export(folder, system, tmp_path / "rows")
    assert counts["notes.jsonl"] == 0
    assert counts["pairs.jsonl"] == 1  # The decided code of the note with a deferred one.
    assert counts["not finished"] == 1
    assert counts["a code is deferred"] == 1
    assert counts["reviewers disagree (review --adjudicate)"] == 1
    carla, _ = make_adjudication(folder, "carla", system)
    decide_all(carla, lambda code: "reject")
    carla.log.close()
    export(folder, system, tmp_path / "rows", overwrite=True)
    (note,) = read_coded_notes(tmp_path / "rows" / "notes.jsonl")
    assert [code.code for code in note.codes] == ["I50.9"]
    assert note.review is not None
    # Carla has decided, and Bob has the same codes.
    assert note.review.reviewers == ["carla", "bob"]
    counts = export(folder, system, tmp_path / "rows", overwrite=True, reviewer="anna")
    assert counts["notes.jsonl"] == 1


def test_changed_notes_are_left_out(tmp_path: Path, system: CodeSystem) -> None:
    from cclearn.notes.jsonl import write_rows

    session = start(tmp_path, system, [coded_note()])
    decide_all(session, lambda code: "accept")
    session.log.close()
    write_rows(tmp_path / "coded.jsonl", [coded_note(text=TEXT + " Changed.")])
    counts = export(ReviewFolder.open(tmp_path / "reviewed"), system, tmp_path / "rows")
    assert counts["missing, or the text has changed"] == 1


def test_an_empty_review_is_an_error(tmp_path: Path, system: CodeSystem) -> None:
    start(tmp_path, system, [coded_note()]).log.close()
    with pytest.raises(CclearnError, match="no note was finished"):
        export(ReviewFolder.open(tmp_path / "reviewed"), system, tmp_path / "rows")


def test_a_recipe_reads_the_folder(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    do(session, "accept", key="p0")
    do(session, "reject", key="p1")
    do(session, "done")
    session.log.close()
    out = tmp_path / "rows"
    export(ReviewFolder.open(tmp_path / "reviewed"), system, out)
    notes = RowSourceSettings.model_validate({"kind": "document", "path": str(out)})
    spans = RowSourceSettings.model_validate({"kind": "span", "path": str(out)})
    negatives = RowSourceSettings.model_validate({"kind": "span", "path": out, "negatives": 1})
    assert notes.path == negatives.path == out / "notes.jsonl"
    assert spans.path == out / "pairs.jsonl"
    # The words of the rejected code are the first span without a code.
    (note,) = read_coded_notes(notes.path)
    (span,) = Negatives([note], 1, lambda text: [], frozenset()).sample(note)
    assert note.text[span[0] : span[1]] == "diabetes"


def test_insufficient_evidence_is_no_negative(tmp_path: Path, system: CodeSystem) -> None:
    from cclearn.notes.contract import INSUFFICIENT

    session = start(tmp_path, system, [coded_note()])
    do(session, "accept", key="p0")
    do(session, "insufficient", key="p1")
    do(session, "add", code="R50.9", start="47", end="52", quote="fever")
    do(session, "reject", key="a0")
    do(session, "done")
    session.log.close()
    export(ReviewFolder.open(tmp_path / "reviewed"), system, tmp_path / "rows")
    (note,) = read_coded_notes(tmp_path / "rows" / "notes.jsonl")
    # A code that the reviewer added by mistake is not a rejected proposal.
    assert [(code.code, code.flags) for code in note.rejected] == [("E11.9", [INSUFFICIENT])]
    start_, end_ = TEXT.index("diabetes"), TEXT.index("diabetes") + len("diabetes")
    spans = Negatives([note], 9, lambda text: [(start_, end_)], frozenset()).sample(note)
    assert spans
    assert all(end <= start_ or start >= end_ for start, end in spans)


def test_another_reviewers_deferral_and_rejection_count(tmp_path: Path, system: CodeSystem) -> None:
    for name, verdicts in {"anna": ("reject", "reject"), "bob": ("reject", "accept")}.items():
        session = start(tmp_path, system, [coded_note("n0"), coded_note("n1")], name)
        for n in range(2):
            do(session, "accept", n, key="p0")
        do(session, "reject" if name == "anna" else "defer", 0, key="p1")
        do(session, verdicts[1] if name == "anna" else "insufficient", 1, key="p1")
        for n in range(2):
            do(session, "done", n)
        session.log.close()
    folder = ReviewFolder.open(tmp_path / "reviewed")
    counts = export(folder, system, tmp_path / "rows")
    assert counts["a code is deferred"] == 1
    (note,) = read_coded_notes(tmp_path / "rows" / "notes.jsonl")
    assert note.id == "n1"
    assert [code.flags for code in note.rejected] == [["review: insufficient evidence"]]
    with pytest.raises(CclearnError, match="The reviewers are: anna, bob"):
        export(folder, system, tmp_path / "other", reviewer="ann")


def test_pairs_name_the_reviewer_whose_evidence_they_are(
    tmp_path: Path, system: CodeSystem
) -> None:
    for name in ("bob", "anna"):
        session = start(tmp_path, system, [coded_note()], name)
        do(session, "accept", key="p0")
        do(session, "accept" if name == "bob" else "reject", key="p1")
        do(session, "done")
        session.log.close()
    folder = ReviewFolder.open(tmp_path / "reviewed")
    carla, _ = make_adjudication(folder, "adam", system)
    decide_all(carla, lambda code: "accept")
    carla.log.close()
    export(folder, system, tmp_path / "rows")
    (note,) = read_coded_notes(tmp_path / "rows" / "notes.jsonl")
    assert note.review is not None
    assert note.review.reviewers == ["adam", "bob"]
    pairs = read_span_pairs(tmp_path / "rows" / "pairs.jsonl")
    assert {pair.source for pair in pairs} == {"review/adam"}


def test_the_copy_of_a_table_is_exported(tmp_path: Path, system: CodeSystem) -> None:
    from cclearn.coding import Coder
    from cclearn.notes.columns import NoteColumns
    from cclearn.review.run import make_session

    path = tmp_path / "notes.csv"
    path.write_text(f'id,text\nn1,"{TEXT}"\n')
    folder = ReviewFolder.start(tmp_path / "reviewed", {"kept_apart": 0.0}, [path], NoteColumns())
    session, _ = make_session(folder, "anna", system, "random", lambda: (Coder.lexicon(system), ""))
    decide_all(session, lambda code: "accept")
    session.log.close()
    path.unlink()
    counts = export(ReviewFolder.open(tmp_path / "reviewed"), system, tmp_path / "rows")
    assert counts["notes.jsonl"] == 1


def test_a_version_with_the_present_text_counts(tmp_path: Path, system: CodeSystem) -> None:
    from cclearn.notes.jsonl import write_rows

    for name, text in (("anna", TEXT), ("bob", TEXT + " Corrected.")):
        write_rows(tmp_path / "coded.jsonl", [coded_note(text=text)])
        session = start(tmp_path, system, [], name)
        decide_all(session, lambda code: "accept")
        session.log.close()
    export(ReviewFolder.open(tmp_path / "reviewed"), system, tmp_path / "rows")
    (note,) = read_coded_notes(tmp_path / "rows" / "notes.jsonl")
    assert note.review is not None
    assert (note.text, note.review.reviewers) == (TEXT + " Corrected.", ["bob"])
