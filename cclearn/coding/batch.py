"""Coding many notes of which one may fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cclearn.coding.base import Coder
from cclearn.errors import UnansweredError
from cclearn.notes import CodedNote, Note

_WHOLE_ENOUGH = frozenset({"truncated"})
"""Failures that leave codes; the note keeps their flag."""


def code_batch(coder: Coder, notes: Sequence[Note]) -> Iterator[CodedNote | Exception]:
    """Yield each coded note, in order, or why there is none: an `UnansweredError`, or the error that the
    note raises when it is coded alone.

    The notes are coded together; where that raises, the rest is coded one by one.
    """
    done = 0
    try:
        for coded in coder.code_many(notes):
            done += 1
            yield _answered(coded)
        return
    except Exception:  # noqa: S110 - which note it is of is found out below
        pass
    for note in notes[done:]:
        try:
            yield _answered(coder.code(note))
        except Exception as error:
            yield error


def _answered(coded: CodedNote) -> CodedNote | UnansweredError:
    failures = [flag for flag in coded.failures if flag not in _WHOLE_ENOUGH]
    return UnansweredError(coded.id, failures) if failures else coded
