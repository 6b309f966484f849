"""Notes, folders and sessions of reviews for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.columns import NoteColumns
from cclearn.notes.jsonl import write_rows
from cclearn.review.actions import change_of
from cclearn.review.folder import ReviewFolder
from cclearn.review.order import OrderName
from cclearn.review.run import make_session
from cclearn.review.session import NoteView, Session

TEXT = "Acute heart failure. Known type 2 diabetes, no fever."


def code(
    note_text: str, code: str, *quotes: str, score: float | None = None, **fields: Any
) -> AssignedCode:
    """Return a code with the first occurrence of each quote as its evidence."""
    pieces = [
        Evidence(start=note_text.index(q), end=note_text.index(q) + len(q), text=q) for q in quotes
    ]
    return AssignedCode(code=code, evidence=pieces, score=score, **fields)


def coded_note(identifier: str = "n1", text: str = TEXT, **fields: Any) -> CodedNote:
    """Return a note with two proposed codes."""
    if "codes" not in fields:
        fields["codes"] = [
            code(text, "I50.9", "heart failure", score=0.9),
            code(text, "E11.9", "diabetes", score=0.4),
        ]
    return CodedNote(id=identifier, text=text, **fields)


def start(
    folder: Path,
    system: CodeSystem,
    notes: Sequence[CodedNote],
    reviewer: str = "anna",
    order: OrderName = "random",
    **settings: Any,
) -> Session:
    """Return a session with notes. By default, all have proposals and none is kept apart."""
    path = folder / "coded.jsonl"
    if not path.exists():
        write_rows(path, notes)
    given = {"without_proposals": 0.0, "kept_apart": 0.0} | settings
    opened = ReviewFolder.start(folder / "reviewed", given, [path], NoteColumns())
    return make_session(opened, reviewer, system, order, _no_coder)[0]


def _no_coder() -> Any:
    raise AssertionError("the notes are coded")


def do(session: Session, action: str, position: int = 0, **fields: str) -> NoteView:
    """Do an action on a note, as its page would."""
    seen = session.open(position).state.events
    return session.act(position, seen, change_of(action, fields))


def decide_all(session: Session, decision: Callable[[str], str]) -> None:
    """Decide on every code of every note in the order of the review, and finish the notes."""
    while (position := session.next()) is not None:
        for entry in session.open(position).state.undecided:
            do(session, decision(entry.code), position, key=entry.key)
        do(session, "done", position)
