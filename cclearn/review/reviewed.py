"""The reviewed notes of all reviewers, as their logs record them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote
from cclearn.notes.contract import Review
from cclearn.review.events import Event
from cclearn.review.folder import ReviewFolder
from cclearn.review.log import LogReader
from cclearn.review.note_index import NoteIndex
from cclearn.review.state import NoteState

ADJUDICATION = "adjudication"
"""Name of the coder of notes whose proposals are the decisions of several reviewers."""


@dataclass(frozen=True, slots=True)
class ReviewedNote:
    """A note that a reviewer has opened.

    Attributes:
        reviewer: Name of the reviewer.
        id: Id of the note.
        state: Decisions on the note.
        opened: First line of the note in the log.
        last: Last line of the note in the log.
    """

    reviewer: str
    id: str
    state: NoteState
    opened: Event
    last: Event

    @property
    def is_adjudicated(self) -> bool:
        """Whether the note is the adjudication of the decisions of others."""
        return self.opened.model == ADJUDICATION

    @property
    def codes(self) -> frozenset[str]:
        """Codes that the note has by the decisions."""
        return frozenset(entry.code for entry in self.state.assigned)

    @property
    def spans(self) -> frozenset[tuple[str, int, int]]:
        """Codes with the offsets of their evidence."""
        return frozenset(
            (entry.code, *piece) for entry in self.state.assigned for piece in entry.evidence
        )

    def coded(self, note: CodedNote, system: CodeSystem, reviewers: Sequence[str]) -> CodedNote:
        """Return the note with the codes of the review, in their sequence.

        Args:
            note: The note of the corpus.
            system: Code system in which codes are described.
            reviewers: Names of the reviewers whose decisions the codes are.
        """

        def described(code: str) -> str:
            return system.description(code) if code in system else ""

        assigned = [
            entry.assigned(note.text, described(entry.code)).model_copy(
                update={"status": system.status(entry.code)}
            )
            for entry in self.state.assigned
        ]
        rejected = [
            entry.assigned(note.text, described(entry.code)).model_copy(
                update={"status": system.status(entry.code)}
            )
            for entry in self.state.entries.values()
            if entry.verdict == "reject" and entry.code not in self.codes
        ]
        unique = {code.code: code for code in rejected}
        review = Review(
            reviewers=list(reviewers),
            time=self.last.time,
            model=self.opened.model,
            shown=self.opened.shown,
        )
        return CodedNote(
            id=note.id,
            text=note.text,
            origin=note.origin,
            codes=assigned,
            rejected=list(unique.values()),
            review=review,
        )


def reviewed_notes(log: LogReader) -> Iterator[ReviewedNote]:
    """Yield the notes of a log, in the order in which they were opened."""
    for identifier, last in log.notes.items():
        state = NoteState.replayed(log.events(identifier))
        if state.opened is not None:
            yield ReviewedNote(log.reviewer, identifier, state, state.opened, last)


@contextmanager
def opened_logs(folder: ReviewFolder) -> Iterator[list[LogReader]]:
    """Open the logs of all reviewers for the time of the block. Raises DataError."""
    logs = folder.logs()
    try:
        yield logs
    finally:
        for log in logs:
            log.close()


def seconds_between(one: Event, other: Event) -> float:
    """Return the seconds between two lines of a log."""
    begun, ended = (datetime.fromisoformat(event.time) for event in (one, other))
    return (ended - begun).total_seconds()


def same_text(corpus: NoteIndex, reviewed: ReviewedNote) -> CodedNote | None:
    """Return the note of the corpus, or None if it is missing or has another text.

    Raises:
        DataError: The line of the note is not a note.
    """
    from cclearn.runtime.files import sha256_of_text

    position = corpus.positions.get(reviewed.id)
    if position is None:
        return None
    note = corpus.read(position)
    return note if sha256_of_text(note.text) == reviewed.opened.note_sha256 else None
