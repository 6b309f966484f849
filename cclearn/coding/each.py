"""Coding many notes of which one may raise an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cclearn.coding.coder import Coder
from cclearn.notes import CodedNote, Note


def code_each(coder: Coder, notes: Sequence[Note]) -> Iterator[CodedNote | Exception]:
    """Yield each coded note, in order, or the error that it raises when it is coded alone.

    The notes are coded together; where that raises, the rest is coded one by one.
    """
    done = 0
    try:
        for coded in coder.code_many(notes):
            done += 1
            yield coded
        return
    except Exception:  # noqa: S110 - which note it is of is found out below
        pass
    for note in notes[done:]:
        try:
            yield coder.code(note)
        except Exception as error:
            yield error
