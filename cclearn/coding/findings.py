"""What a coder finds in a note, before it is brought together into codes."""

from __future__ import annotations

from dataclasses import dataclass, field

from cclearn.notes import Assertion, Invalid, Note, Ungrounded
from cclearn.notes.spans import Span


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence and the code it was given.

    Attributes:
        code: In the official form.
        start: Offset of the evidence's first code point.
        end: Offset behind its last.
        score: Between 0 and 1, None where nothing was scored.
        assertion: What the note says of the mention.
        part: The number of the part of the note in which it was found.
    """

    code: str
    start: int
    end: int
    score: float | None = None
    assertion: Assertion = "present"
    part: int = 0


@dataclass(slots=True)
class Reading:
    """A note and what was found in it.

    Attributes:
        note: What was read.
        findings: In any order; the same one may stand twice.
        parts: The parts of the note that were read by themselves; they may overlap.
        headers: Findings whose code is a header; each is in `invalid` too.
        ungrounded: Quotes that are not in the note.
        invalid: Codes that may not be assigned, lines that could not be read.
        repeated: Lines that say a code and its evidence again within one answer.
        flags: Remarks on the whole note.
    """

    note: Note
    findings: list[Finding]
    parts: list[Span] = field(default_factory=list)
    headers: list[Finding] = field(default_factory=list)
    ungrounded: list[Ungrounded] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)
    repeated: int = 0
    flags: set[str] = field(default_factory=set)
