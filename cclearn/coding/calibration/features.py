"""The features of a code that a calibration uses, such as its score and the number of mentions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cclearn.coding.findings import NoteFindings
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, CodedNote

_CERTAIN = 1e-6
"""Probabilities are clipped to this distance from 0 and 1, where log-odds are infinite."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of one code of a note.

    Attributes:
        probability: Highest score of the findings, between 0 and 1. None if the coder gives no scores.
        evidence: Number of distinct pieces of evidence.
        agreement: Share of the parts that found the code among all parts that contain a whole piece of
            its evidence. It is 1 if the note was read in one part.
        words: Number of words of the longest piece of evidence.
        characters: Number of code points of the longest piece of evidence. Long words are rarer and
            more specific.
    """

    probability: float | None
    evidence: int
    agreement: float
    words: int
    characters: int

    def features(self) -> dict[str, float]:
        """Return features of similar size by name, without `log_odds` if there is no probability."""
        found = {
            "log_evidence": math.log1p(self.evidence),
            "agreement": self.agreement,
            "log_words": math.log1p(self.words),
            "log_characters": math.log1p(self.characters),
        }
        if self.probability is not None:
            found["log_odds"] = log_odds(self.probability)
        return found


def log_odds(probability: float) -> float:
    """Return log(p / (1 − p)), clipped to be finite. NaN stays NaN."""
    inside = probability
    if not math.isnan(probability):
        inside = min(max(probability, _CERTAIN), 1 - _CERTAIN)
    return math.log(inside / (1 - inside))


def signals_of(coded: CodedNote, note_findings: NoteFindings) -> list[Signals]:
    """Return the signals of each code of a note, in the order of the codes.

    They depend neither on the order of the findings nor on duplicates.

    Args:
        coded: Coded note that the findings were aggregated into.
        note_findings: Findings in the note.
    """
    return [_signals(assigned, note_findings) for assigned in coded.codes]


def _signals(assigned: AssignedCode, note_findings: NoteFindings) -> Signals:
    spans = {(evidence.start, evidence.end) for evidence in assigned.evidence}
    cited = [
        finding
        for finding in note_findings.findings
        if finding.assertion in CODED_ASSERTIONS and (finding.start, finding.end) in spans
    ]
    # If no finding has this code, a rule of the classification derived it from these findings.
    supporting = [finding for finding in cited if finding.code == assigned.code] or cited
    found_in = {finding.part for finding in supporting}
    holding = {
        number
        for number, (first, last) in enumerate(note_findings.parts)
        if any(first <= start and end <= last for start, end in spans)
    }
    return Signals(
        probability=assigned.score,
        evidence=len(spans),
        agreement=len(found_in & holding) / len(holding) if len(holding) > 1 else 1.0,
        words=max((len(evidence.text.split()) for evidence in assigned.evidence), default=0),
        characters=max((end - start for start, end in spans), default=0),
    )
