"""Codes a batch of notes, some of which may fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cclearn.coding.base import Coder
from cclearn.errors import UnansweredError
from cclearn.notes import CodedNote, Note

_PARTIAL = frozenset({"truncated"})
"""Failures that leave a note with some codes. Such a note is not an error, and keeps its flag."""


def code_batch(coder: Coder, notes: Sequence[Note]) -> Iterator[CodedNote | Exception]:
    """Yield each coded note, in order, or the error that prevents it.

    The notes are coded together. If that raises an error, the remaining notes are coded one by one. A
    note without an answer of the model yields an `UnansweredError`.

    Args:
        coder: Coder of the notes.
        notes: Notes to code.
    """
    done = 0
    try:
        for coded in coder.code_many(notes):
            done += 1
            yield _note_or_error(coded)
        return
    except Exception:  # noqa: S110 - the loop below finds the note that fails
        pass
    for note in notes[done:]:
        try:
            yield _note_or_error(coder.code(note))
        except Exception as error:
            yield error


def _note_or_error(coded: CodedNote) -> CodedNote | UnansweredError:
    """Return the note, or an error if the model gave no answer."""
    failures = [flag for flag in coded.failures if flag not in _PARTIAL]
    return UnansweredError(coded.id, failures) if failures else coded
