"""The data contract (notes, evidence, coded notes, span pairs), its files, and analysis of notes."""

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
