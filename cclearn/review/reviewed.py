"""The reviewed notes of all reviewers, as their logs record them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cclearn.notes import CodedNote
from cclearn.review.events import Entry, Event, Verdict
from cclearn.review.folder import ReviewFolder
from cclearn.review.log import LogReader
from cclearn.review.note_index import NoteIndex
from cclearn.review.state import NoteState
from cclearn.runtime.files import sha256_of_text

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

    @property
    def unclear(self) -> frozenset[str]:
        """Codes that are deferred, or that the note does not document."""
        return frozenset(
            code
            for entry in self.state.entries.values()
            if entry.verdict in ("defer", "insufficient")
            for code in (entry.code, entry.proposed)
            if code is not None and code not in self.codes
        )

    @property
    def has_deferred(self) -> bool:
        """Whether a code of the note is deferred."""
        return any(entry.verdict == "defer" for entry in self.state.entries.values())

    def refused(self, verdict: Verdict) -> dict[str, Entry]:
        """Return the proposals with a decision by which the note does not have them, by their code.

        Args:
            verdict: The decision.
        """
        return {
            entry.proposed: entry
            for entry in self.state.entries.values()
            if entry.verdict == verdict
            and entry.proposed is not None
            and entry.proposed not in self.codes
        }


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


def same_text(index: NoteIndex, reviewed: ReviewedNote) -> CodedNote | None:
    """Return the note of the corpus, or None if it is missing or has another text.

    Args:
        index: Notes of the review.
        reviewed: A note of a log.

    Raises:
        DataError: The line of the note is not a note.
    """
    position = index.positions.get(reviewed.id)
    if position is None:
        return None
    note = index.read(position)
    return note if sha256_of_text(note.text) == reviewed.opened.note_sha256 else None
