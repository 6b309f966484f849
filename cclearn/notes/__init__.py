"""The data contract (notes, evidence, coded notes, span pairs), its files, and analysis of notes."""

from cclearn.notes.contract import (
    CODED_ASSERTIONS,
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
    "CODED_ASSERTIONS",
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
