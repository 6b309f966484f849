"""The data contract: notes, evidence, coded notes and span pairs, and how they are read and written."""

from cclearn.notes.contract import (
    CODED,
    Assertion,
    AssignedCode,
    CodedNote,
    Decision,
    Evidence,
    Grade,
    Invalid,
    Note,
    Origin,
    SpanPair,
    Ungrounded,
)

__all__ = [
    "CODED",
    "Assertion",
    "AssignedCode",
    "CodedNote",
    "Decision",
    "Evidence",
    "Grade",
    "Invalid",
    "Note",
    "Origin",
    "SpanPair",
    "Ungrounded",
]
