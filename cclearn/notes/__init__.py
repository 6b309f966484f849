"""The data contract: notes, evidence, coded notes and span pairs, and how they are read and written."""

from cclearn.notes.contract import (
    Assertion,
    AssignedCode,
    CodedNote,
    Evidence,
    Grade,
    Invalid,
    Note,
    Origin,
    SpanPair,
    Ungrounded,
)

__all__ = [
    "Assertion",
    "AssignedCode",
    "CodedNote",
    "Evidence",
    "Grade",
    "Invalid",
    "Note",
    "Origin",
    "SpanPair",
    "Ungrounded",
]
