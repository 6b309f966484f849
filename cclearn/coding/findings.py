"""The findings of a coder in a note, before they are aggregated into codes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cclearn.notes import Assertion, Invalid, Note, Ungrounded
from cclearn.notes.spans import Span

_CERTAIN = 1e-6
"""Probabilities are clipped to this distance from 0 and 1, where log-odds are infinite."""


def log_odds(probability: float) -> float:
    """Return log(p / (1 − p)), clipped to be finite. NaN stays NaN."""
    inside = probability
    if not math.isnan(probability):
        inside = min(max(probability, _CERTAIN), 1 - _CERTAIN)
    return math.log(inside / (1 - inside))


def largest_values(signals: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the largest value of each signal, in the order of the names.

    Args:
        signals: Signals by name, in any order. A name may be missing from some of them.
    """
    found: dict[str, float] = {}
    for mapping in signals:
        for name, value in mapping.items():
            found[name] = max(value, found.get(name, value))
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of evidence and its code.

    Attributes:
        code: Code in the official form.
        start: Offset of the first code point of the evidence.
        end: Offset after the last code point of the evidence.
        score: Score between 0 and 1. None if the coder gives no scores.
        assertion: Whether the note asserts the mention, negates it, and so on.
        part: Index into `NoteFindings.parts` of the part in which the finding was made.
        rule: Flag of the combination rule that gave the code. Empty without one.
        signals: Further numbers by name that tell how reliable the finding is, for calibration. They do
            not distinguish findings.
    """

    code: str
    start: int
    end: int
    score: float | None = None
    assertion: Assertion = "present"
    part: int = 0
    rule: str = ""
    signals: Mapping[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Uncited:
    """A code that a model gave a note without any evidence.

    Attributes:
        code: Code in the official form.
        score: Score between 0 and 1. None if the coder gives no scores.
    """

    code: str
    score: float | None = None


@dataclass(slots=True)
class NoteFindings:
    """The findings in one note, and everything else in the answers of the model.

    Attributes:
        note: The note.
        findings: Findings in any order. Duplicates are allowed.
        parts: Spans of the parts of the note that were read separately. They may overlap.
        uncited: Codes without evidence, of a model that has learnt no evidence.
        headers: Findings whose code is a header. `invalid` contains them too.
        ungrounded: Quotes that do not occur in the note.
        invalid: Codes that may not be assigned, and lines that could not be parsed.
        repeated: Number of lines that repeat a code and its evidence within one answer.
        flags: Reasons why the findings may be incomplete, such as `truncated`.
    """

    note: Note
    findings: list[Finding]
    parts: list[Span] = field(default_factory=list)
    uncited: list[Uncited] = field(default_factory=list)
    headers: list[Finding] = field(default_factory=list)
    ungrounded: list[Ungrounded] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)
    repeated: int = 0
    flags: set[str] = field(default_factory=set)
