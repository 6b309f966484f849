"""What each action changes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.review.actions import change_of
from cclearn.review.session import Conflict, Refusal, Session
from cclearn.review.shown_text import shown_text
from tests.review.reviews import TEXT, code, coded_note, do, start


@pytest.fixture
def session(tmp_path: Path, system: CodeSystem) -> Session:
    return start(tmp_path, system, [coded_note(), coded_note("n2")])


def selected(text: str, words: str) -> dict[str, str]:
    at = text.index(words)
    return {"start": str(at), "end": str(at + len(words)), "quote": shown_text(words)}


def test_decisions_record_what_they_change(session: Session) -> None:
    view = do(session, "accept", key="p0", reason="documented")
    assert view.state.entries["p0"].verdict == "accept"
    last = [*session.log.events("n1")][-1]
    assert (last.action, last.model, last.shown) == ("accept", "coded.jsonl", True)
    assert (last.before[0].verdict, last.after[0].verdict) == ("undecided", "accept")
    assert (last.after[0].score, last.after[0].reason) == (0.9, "documented")
    assert last.after[0].release == session.system.release
    assert last.seconds >= 0
    for action in ("reject", "defer", "insufficient"):
        assert do(session, action, key="p0").state.entries["p0"].verdict == action


def test_a_code_is_changed_to_a_valid_one_only(session: Session) -> None:
    view = do(session, "change", key="p0", code="i5021")
    assert view.state.entries["p0"].code == "I50.21"
    assert (view.state.entries["p0"].verdict, view.state.entries["p0"].proposed) == (
        "change",
        "I50.9",
    )
    with pytest.raises(Refusal, match=r"I50\.2 is a header"):
        do(session, "change", key="p0", code="I50.2")
    with pytest.raises(Refusal, match="does not contain the code"):
        do(session, "change", key="p0", code="Q00.99")
    with pytest.raises(Refusal, match=r"E11\.9 is in the list already"):
        do(session, "change", key="p0", code="E11.9")
    with pytest.raises(Refusal, match="No code was given"):
        do(session, "change", key="p0", code=" ")
    # Back to the proposal is an acceptance of it.
    assert do(session, "change", key="p0", code="I50.9").state.entries["p0"].verdict == "accept"


def test_a_code_of_another_release_cannot_be_accepted(tmp_path: Path, system: CodeSystem) -> None:
    note = coded_note(codes=[code(TEXT, "I50.99", "heart failure"), code(TEXT, "I50", "heart")])
    session = start(tmp_path, system, [note])
    with pytest.raises(Refusal, match=r"I50\.99 is not a code of this release"):
        do(session, "accept", key="p0")
    with pytest.raises(Refusal, match="I50 is a header"):
        do(session, "accept", key="p1")
    assert do(session, "reject", key="p0").state.entries["p0"].verdict == "reject"


def test_evidence_is_added_moved_and_removed(session: Session) -> None:
    words = selected(TEXT, "Acute heart failure")
    view = do(session, "evidence", key="p0", **words)
    assert view.state.entries["p0"].evidence == ((0, 19), (6, 19))
    with pytest.raises(Refusal, match="evidence for the code already"):
        do(session, "evidence", key="p0", **words)
    view = do(session, "remove:6-19", key="p0")
    assert view.state.entries["p0"].evidence == ((0, 19),)
    view = do(session, "move:0-19", key="p0", **selected(TEXT, " type 2 "))
    assert view.state.entries["p0"].evidence == ((27, 33),)  # Without the blanks around it.
    with pytest.raises(Refusal, match="no such evidence"):
        do(session, "remove:0-19", key="p0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "0", "end": "5", "quote": "acute"},
        {"start": "-1", "end": "5", "quote": "Acute"},
        {"start": "0", "end": "5000", "quote": TEXT},
        {"start": "5", "end": "5", "quote": ""},
        {"start": "5", "end": "6", "quote": " "},
        {"start": "x", "end": "6", "quote": " "},
        {},
    ],
)
def test_a_selection_that_differs_from_the_note_is_refused(
    session: Session, wrong: dict[str, str]
) -> None:
    with pytest.raises(Refusal, match=r"[Ss]elect") as refused:
        do(session, "evidence", key="p0", **wrong)
    assert "cute" not in str(refused.value)
    assert session.open(0).state.entries["p0"].evidence == ((6, 19),)


def test_a_code_is_added_with_and_without_evidence(session: Session) -> None:
    view = do(session, "add", code="R50.9", **selected(TEXT, "fever"))
    assert view.state.entries["a0"].evidence == ((47, 52),)
    assert view.state.entries["a0"].verdict == "accept"
    assert do(session, "add", code="Z79.4").state.entries["a1"].evidence == ()
    with pytest.raises(Refusal, match="in the list already"):
        do(session, "add", code="E11.9")


def test_the_principal_diagnosis_comes_first(session: Session) -> None:
    with pytest.raises(Refusal, match="not accepted yet"):
        do(session, "principal", key="p1")
    do(session, "accept", key="p1")
    state = do(session, "principal", key="p1").state
    assert list(state.entries) == ["p1", "p0"]
    assert [entry.principal for entry in state.entries.values()] == [True, False]
    do(session, "accept", key="p0")
    state = do(session, "principal", key="p0").state
    assert [(e.key, e.principal) for e in state.entries.values()] == [("p0", True), ("p1", False)]
    assert not do(session, "reject", key="p0").state.entries["p0"].principal


def test_the_sequence_is_changed(session: Session) -> None:
    assert list(do(session, "down", key="p0").state.entries) == ["p1", "p0"]
    assert list(do(session, "up", key="p0").state.entries) == ["p0", "p1"]
    with pytest.raises(Refusal, match="at the end"):
        do(session, "up", key="p0")


def test_a_note_is_done_when_every_code_is_decided(session: Session) -> None:
    with pytest.raises(Refusal, match="2 codes are undecided"):
        do(session, "done")
    do(session, "accept", key="p0")
    with pytest.raises(Refusal, match="1 code is undecided"):
        do(session, "done")
    do(session, "defer", key="p1")
    assert do(session, "done").state.done
    assert session.done.tolist() == [True, False]
    assert not do(session, "reopen").state.done
    assert session.done.tolist() == [False, False]


def test_two_windows_on_one_note_do_not_overwrite_each_other(session: Session) -> None:
    seen = session.open(0).state.events
    session.act(0, seen, change_of("accept", {"key": "p0"}))
    with pytest.raises(Conflict, match="another window"):
        session.act(0, seen, change_of("reject", {"key": "p0"}))
    assert session.open(0).state.entries["p0"].verdict == "accept"


def test_unknown_actions_and_codes_are_refused(session: Session) -> None:
    with pytest.raises(Refusal, match="no such action"):
        do(session, "accept_all")
    with pytest.raises(Refusal, match="no such code"):
        do(session, "accept", key="p9")
    with pytest.raises(Refusal, match="more than 500"):
        do(session, "accept", key="p0", reason="x" * 501)
