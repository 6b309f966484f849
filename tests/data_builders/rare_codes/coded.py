"""Coded notes for tests."""

from __future__ import annotations

from cclearn.notes import AssignedCode, CodedNote, Origin


def coded(identifier: str, *codes: str, text: str = "", origin: Origin = "restricted") -> CodedNote:
    """Return a note with codes without evidence."""
    return CodedNote(
        id=identifier,
        text=text,
        origin=origin,
        codes=[AssignedCode(code=code, evidence=[]) for code in codes],
    )
